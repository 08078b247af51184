"""A real mail server and a real web server that keep what they were given."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """A mail server on `port`. `refuse` gives the answer to a mail, or None to take it."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    refuse: Callable[[EmailMessage], str | None] = lambda _: None

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        if answer := self.refuse(mail):
            return answer
        self.mails.append(mail)
        self.raw.append(envelope.content)
        self.recipients += envelope.rcpt_tos
        self.encrypted.append(session.ssl is not None)
        return "250 taken"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    def subjects(self) -> list[str]:
        """Of every mail, in the order of arrival."""
        return [str(mail["Subject"]) for mail in self.mails]

    def ids(self) -> list[str]:
        """Of every mail, in the order of arrival."""
        return [str(mail["Message-ID"]) for mail in self.mails]


@asynccontextmanager
async def mail_server(
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
) -> AsyncIterator[Mailbox]:
    """Listen on a free port of this machine."""
    box = Mailbox()

    def check(_s: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        # Not "handled": the server then answers a refusal itself.
        return AuthResult(success=(data.login.decode(), data.password.decode()) == login, handled=False)

    def make() -> SMTP:
        with warnings.catch_warnings():
            # That a login goes in the clear here is what the library warns of.
            warnings.simplefilter("ignore", UserWarning)
            return made()

    def made() -> SMTP:
        return SMTP(
            box,
            enable_SMTPUTF8=True,
            tls_context=starttls,
            require_starttls=False,
            authenticator=check if login else None,
            auth_required=login is not None,
            auth_require_tls=False,
            hostname="mail.test",
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=tls)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()


@contextmanager
def mail_server_beside(**options: Any) -> Iterator[Mailbox]:
    """The same in a thread of its own, for tests that have no event loop while a hub runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="mail-server")
    thread.start()
    serving = mail_server(**options)
    try:
        yield asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(serving.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass
class Request:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Endpoint:
    """A web server on `port`. `answers` are the statuses of its next answers; then it says 204."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append(Request(first.split()[1], headers, body))
        status = self.answers.pop(0) if self.answers else 204
        location = f"Location: http://127.0.0.1:{self.port}/elsewhere\r\n" if status in (301, 307) else ""
        writer.write(f"HTTP/1.1 {status} So\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def web_server(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    """Listen on a free port of this machine."""
    endpoint = Endpoint()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0, ssl=tls)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()
        await server.wait_closed()
