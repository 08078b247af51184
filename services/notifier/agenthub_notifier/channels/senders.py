"""The senders of notifications, one a channel, and how each is made of the settings."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from urllib.parse import urlsplit, urlunsplit

import aiosmtplib
import httpx2
from standardwebhooks import Webhook

from agenthub_events.channels import ChannelName
from agenthub_events.ports import Clock
from agenthub_events.rules.network import is_public
from agenthub_notifier.channels.apprise import AppriseSender
from agenthub_notifier.channels.check import CheckSender
from agenthub_notifier.channels.contract import SEND_WITHIN_S, Accepted, ChannelSender, Parcel, Refused, SendResult
from agenthub_notifier.content.mail import bytes_of, mail_of
from agenthub_notifier.content.webhook import webhook_body
from agenthub_runtime.settings.mail_server import MailServer
from agenthub_runtime.settings.records import NotifierSettings

_REFUSED_FOR_GOOD = range(550, 555)
_GONE = 410
_SHOWN = 200
_READ_BYTES = 4 * _SHOWN


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


class WebhookSender:
    """Posts each notification. The first of `secrets` and every other sign it, so that they can be changed.

    Addresses of private networks and of this machine are refused unless `allows_private`.
    """

    def __init__(self, secrets: Sequence[str], clock: Clock, *, allows_private: bool = False) -> None:
        self._signers = [Webhook(secret) for secret in secrets]
        self._clock = clock
        # The authorities of the environment count; its proxies do not.
        self._tls = httpx2.create_ssl_context(trust_env=True)
        self._allows_private = allows_private

    async def send(self, parcel: Parcel) -> SendResult:
        """Try once; follows no redirect, uses no proxy."""
        body = webhook_body(parcel.occurrence, parcel.at)
        headers = {"Content-Type": "application/json", **self._signed(parcel.message_id, body, self._clock.now())}
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                return await self._post(parcel.recipient.address, body, headers)
        except TimeoutError:
            return Refused(reason=f"no answer within {SEND_WITHIN_S:g} s")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
            return Refused(reason=str(error) or type(error).__name__)

    def _signed(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        headers = {"webhook-id": message_id, "webhook-timestamp": str(int(now.timestamp()))}
        if self._signers:
            signatures = [signer.sign(message_id, now, body.decode()) for signer in self._signers]
            headers["webhook-signature"] = " ".join(signatures)
        return headers

    async def _post(self, address: str, body: bytes, headers: dict[str, str]) -> SendResult:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = await self._place_of(host, port)
        if isinstance(found, Refused):
            return found
        # Connect to the very place that was looked at: a name may mean another one a moment later.
        netloc = f"[{found}]:{port}" if ":" in found else f"{found}:{port}"
        user_info, at, shown = parts.netloc.rpartition("@")
        pinned = urlunsplit((parts.scheme, f"{user_info}{at}{netloc}", parts.path, parts.query, ""))
        async with httpx2.AsyncClient(
            timeout=SEND_WITHIN_S, trust_env=False, follow_redirects=False, verify=self._tls
        ) as client:
            asked = client.stream(
                "POST",
                pinned,
                content=body,
                headers={**headers, "Host": shown, "Accept-Encoding": "identity"},
                extensions={"sni_hostname": host},
            )
            async with asked as answer:
                return _result(answer, "" if answer.is_success else await _beginning(answer))

    async def _place_of(self, host: str, port: int) -> str | Refused:
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        places = [str(info[4][0]) for info in infos]
        private = [place for place in places if not is_public(place)]
        if private and not self._allows_private:
            return Refused(
                reason=f"{host} is {_named(host, private[0])} of a private network or of this machine: set "
                "AGENTHUB_WEBHOOK_PRIVATE=yes to allow such",
                hopeless=True,
            )
        return places[0]


def _named(host: str, place: str) -> str:
    return "an address" if host == place else f"{place}, an address"


async def _beginning(answer: httpx2.Response) -> str:
    """The first words of a body, which may have no end and be packed however small it looks."""
    async for piece in answer.aiter_raw(_READ_BYTES):
        return piece[:_READ_BYTES].decode("utf-8", "replace")[:_SHOWN]
    return ""


def _result(answer: httpx2.Response, said: str) -> SendResult:
    if answer.is_success:
        return Accepted(f"HTTP {answer.status_code}")
    if answer.status_code == _GONE:
        return Refused(reason="HTTP 410: the recipient is gone", hopeless=True, gone=True)
    return Refused(reason=f"HTTP {answer.status_code} {said}".strip())


def senders_of(settings: NotifierSettings, clock: Clock) -> dict[ChannelName, ChannelSender]:
    """The sender of every channel."""
    return {
        "email": EmailSender(settings.mail_server, settings.mail_from, clock),
        "webhook": WebhookSender(settings.webhook_secrets, clock, allows_private=settings.webhook_private),
        "apprise": AppriseSender(),
        "check": CheckSender(settings.git),
    }
