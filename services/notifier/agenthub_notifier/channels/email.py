"""Notifications by e-mail, over a mail server that the settings name."""

from __future__ import annotations

import ssl
from email.headerregistry import Address

import aiosmtplib

from agenthub_events.ports import Clock
from agenthub_notifier.channels.contract import SEND_WITHIN_S, Accepted, Parcel, Refused, SendResult
from agenthub_notifier.content.mail import bytes_of, mail_of
from agenthub_runtime.settings.mail_server import MailServer

_REFUSED_FOR_GOOD = range(550, 555)


class EmailSender:
    """Sends from `sender`. `server` None: none is configured, and every try says so."""

    def __init__(self, server: MailServer | None, sender: str, clock: Clock) -> None:
        self._server = server
        self._sender = sender
        self._clock = clock

    async def send(self, parcel: Parcel) -> SendResult:
        """Try once; a mailbox that does not exist is not tried again."""
        if self._server is None:
            return Refused(reason="no mail server is configured: set AGENTHUB_SMTP_URL and AGENTHUB_MAIL_FROM")
        domain = Address(addr_spec=self._sender).domain
        mail = mail_of(
            parcel.occurrence,
            sender=self._sender,
            recipient=parcel.recipient.address,
            message_id=f"{parcel.message_id}@{domain}",
            sent_at=self._clock.now(),
        )
        try:
            _, answer = await aiosmtplib.send(
                bytes_of(mail),
                sender=self._sender,
                recipients=[parcel.recipient.address],
                hostname=self._server.host,
                port=self._server.port,
                username=self._server.user or None,
                password=self._server.password or None,
                use_tls=self._server.security == "tls",
                start_tls={"starttls": True, "opportunistic": None}.get(self._server.security, False),
                local_hostname=domain,
                timeout=SEND_WITHIN_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            words = f"{self._server.host} refuses {parcel.recipient.name}: {refused.code} {refused.message}"
            return Refused(reason=words, hopeless=refused.code in _REFUSED_FOR_GOOD)
        except aiosmtplib.SMTPResponseException as error:
            return Refused(reason=f"{self._server.host} answered {error.code} {error.message}")
        except (aiosmtplib.SMTPException, ssl.SSLError, OSError, ValueError) as error:
            return Refused(
                reason=f"{self._server.host} port {self._server.port}: {str(error) or type(error).__name__}"
            )
        return Accepted(answer)
