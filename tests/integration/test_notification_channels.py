"""Each way to a recipient by itself: what it sends, whom it believes, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from standardwebhooks import Webhook, WebhookVerificationError

from agenthub_events.notifications.recipients import Recipient, parse_recipient
from agenthub_notifier.channels.apprise import AppriseSender
from agenthub_notifier.channels.contract import Accepted, Parcel, Refused
from agenthub_notifier.channels.senders import EmailSender, WebhookSender
from agenthub_notifier.content.story import Occurrence, Story
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.settings.mail_server import parse_mail_server
from tests.support.receivers import mail_server, web_server

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
STORY = Story(
    kind="completed", seq=9, goal_id="g-1", goal="Build complete authentication system", cause="All passed."
)


def parcel(to: str, story: Story = STORY) -> Parcel:
    occurrence = Occurrence(stories=(story,))
    return Parcel(recipient=parse_recipient(to), occurrence=occurrence, message_id="m-1", at=datetime.now(UTC))


def webhooks(*secrets: str, private: bool = True) -> WebhookSender:
    return WebhookSender(secrets, SystemClock(), allows_private=private)


def mails(port: int, address: str = "smtp://127.0.0.1:{port}") -> EmailSender:
    return EmailSender(parse_mail_server(address.format(port=port)), "hub@agenthub.test", SystemClock())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Signs certificates that nobody trusts by himself."""
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """Of a server called localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trusted(
    authority: trustme.CA, server_tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ssl.SSLContext:
    """The same, trusted by this process."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return server_tls


async def test_every_key_signs_so_that_keys_can_be_changed() -> None:
    async with web_server() as web:
        result = await webhooks(NEW, OLD).send(parcel(f"http://127.0.0.1:{web.port}/"))
    assert result == Accepted("HTTP 204")
    (request,) = web.requests
    for key in (NEW, OLD):
        assert Webhook(key).verify(request.body, request.headers)["type"] == "goal.completed"
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(request.body + b" ", request.headers)


async def test_a_body_names_its_type_its_time_and_its_goal() -> None:
    at = datetime(2026, 11, 28, 9, 40, 16, tzinfo=UTC)
    sent = parcel("http://127.0.0.1:1/")
    async with web_server() as web:
        to = parse_recipient(f"http://127.0.0.1:{web.port}/")
        await webhooks().send(Parcel(recipient=to, occurrence=sent.occurrence, message_id="m-1", at=at))
    body = json.loads(web.requests[0].body)
    assert (body["type"], body["timestamp"]) == ("goal.completed", "2026-11-28T09:40:16Z")
    assert body["data"]["goal_id"] == "g-1"
    assert "webhook-signature" not in web.requests[0].headers


@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with web_server() as web:
        web.answers = [status]
        result = await webhooks().send(parcel(f"http://127.0.0.1:{web.port}/"))
    assert isinstance(result, Refused)
    assert not result.hopeless
    assert [request.path for request in web.requests] == ["/"]


# The library imports a module that Python has given up.
OF_APPRISE = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
PRIVATE = [
    "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "10.1.2.3", "169.254.169.254", "192.168.0.9",
    "172.16.0.1", "100.64.0.1", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "2130706433", "0x7f000001",
    "[::127.0.0.1]", "[64:ff9b::a00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fec0::1]", "[5f00::1]", "127.1",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
async def test_a_private_address_is_refused_before_anything_is_sent(host: str) -> None:
    async with web_server() as web:
        result = await webhooks(private=False).send(parcel(f"http://{host}:{web.port}/"))
    assert isinstance(result, Refused)
    assert result.hopeless
    assert "private network or of this machine" in result.reason
    assert web.requests == []


ENDLESS = b"HTTP/1.1 %d x\r\nContent-Encoding: gzip\r\nContent-Length: 99999999999\r\n\r\n"


@pytest.mark.parametrize("status", [200, 500])
async def test_of_an_answer_without_end_its_beginning_is_read(status: int) -> None:
    """What is packed is not unpacked: a kilobyte may be a gigabyte."""
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            writer.write(ENDLESS % status)
            while True:
                writer.write(b"no " * 20_000)
                await writer.drain()
        except ConnectionError:
            ended.set()
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    result = await webhooks().send(parcel(f"http://127.0.0.1:{port}/"))
    await ended.wait()
    server.close()
    if status == 200:
        assert result == Accepted("HTTP 200")
    else:
        assert isinstance(result, Refused)
        assert result.reason.startswith("HTTP 500 no no ")
        assert len(result.reason) < 300


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with web_server() as web:
        assert await webhooks().send(parcel(f"http://127.0.0.1:{web.port}/")) == Accepted("HTTP 204")


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:{port}/", "http://no-such-host.invalid/", "https://localhost:{port}/"]
)
async def test_a_server_that_cannot_be_reached_is_tried_again(address: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    result = await webhooks().send(parcel(address.format(port=port)))
    assert isinstance(result, Refused)
    assert result.reason
    assert not result.hopeless


async def test_a_name_and_its_certificate_are_those_of_the_address(trusted: ssl.SSLContext) -> None:
    async with web_server(tls=trusted) as web:
        assert await webhooks().send(parcel(f"https://localhost:{web.port}/x")) == Accepted("HTTP 204")
        other = await webhooks().send(parcel(f"https://127.0.0.1:{web.port}/x"))
    assert isinstance(other, Refused)
    assert [request.headers["host"] for request in web.requests] == [f"localhost:{web.port}"]


async def test_mail_is_handed_in_with_a_login() -> None:
    async with mail_server(login=("hub", "p@ss:word/1")) as box:
        address = "smtp://hub:p%40ss%3Aword%2F1@127.0.0.1:{port}"
        assert isinstance(await mails(box.port, address).send(parcel("ann@example.org")), Accepted)
        wrong = await mails(box.port, "smtp://hub:wrong@127.0.0.1:{port}").send(parcel("ann@example.org"))
    assert isinstance(wrong, Refused)
    assert not wrong.hopeless
    assert wrong.reason.startswith("127.0.0.1 answered 535")
    assert "wrong" not in wrong.reason
    assert len(box.mails) == 1


@pytest.mark.parametrize(
    ("address", "encrypted"),
    [
        ("smtps://localhost:{port}", "tls"),
        ("smtp://localhost:{port}?starttls=always", "starttls"),
        ("smtp://localhost:{port}", "starttls"),
    ],
)
async def test_mail_travels_encrypted(trusted: ssl.SSLContext, address: str, encrypted: str) -> None:
    options = {encrypted: trusted}
    async with mail_server(**options) as box:  # type: ignore[arg-type]
        result = await mails(box.port, address).send(parcel("ann@example.org"))
    assert isinstance(result, Accepted), result
    assert encrypted == "tls" or box.encrypted == [True]


async def test_mail_that_is_to_travel_encrypted_never_travels_in_the_clear() -> None:
    async with mail_server() as box:
        result = await mails(box.port, "smtp://127.0.0.1:{port}?starttls=always").send(parcel("ann@example.org"))
    assert isinstance(result, Refused)
    assert box.mails == []


async def test_a_certificate_that_nobody_signed_is_not_believed(server_tls: ssl.SSLContext) -> None:
    async with mail_server(starttls=server_tls) as box:
        result = await mails(box.port, "smtp://localhost:{port}?starttls=always").send(parcel("ann@example.org"))
    assert isinstance(result, Refused)
    assert "certificate" in result.reason.lower()
    assert box.mails == []


HOSTILE = "Say\r\nBcc: eve@example.org\r\n\r\n<script>alert(1)</script> & \x1b[31m\u202e"


async def test_words_of_others_make_no_header_and_no_markup() -> None:
    story = Story(kind="question", seq=9, goal_id="g-1", goal="Build\nX: y", cause=HOSTILE,
                  options=("<b>a</b>",), detail=("</p><img src=x onerror=1>",))  # fmt: skip
    async with mail_server() as box:
        assert isinstance(await mails(box.port).send(parcel("ann@example.org", story)), Accepted)
    (mail,) = box.mails
    assert mail["Bcc"] is None
    assert mail["X"] is None
    assert box.recipients == ["ann@example.org"]
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert "\x1b" not in text.get_content()
    for tag in ("<script", "<img", "<b>"):
        assert tag not in html.get_content()


async def test_without_a_mail_server_the_reason_is_said() -> None:
    result = await EmailSender(None, "hub@agenthub.test", SystemClock()).send(parcel("ann@example.org"))
    assert isinstance(result, Refused)
    assert "AGENTHUB_SMTP_URL" in result.reason


@OF_APPRISE
async def test_apprise_reaches_what_it_knows() -> None:
    async with web_server() as web:
        way = Recipient(channel="apprise", name="json/x", address=f"json://127.0.0.1:{web.port}/chat")
        sent = Parcel(
            recipient=way, occurrence=Occurrence(stories=(STORY,)), message_id="m-1", at=datetime.now(UTC)
        )
        web.answers = [200, 500]
        assert await AppriseSender().send(sent) == Accepted("sent")
        failed = await AppriseSender().send(sent)
    body = json.loads(web.requests[0].body)
    assert body["title"] == "Authentication system completed successfully"
    assert "All passed." in body["message"]
    assert isinstance(failed, Refused)


@OF_APPRISE
async def test_an_address_that_apprise_does_not_know_is_refused() -> None:
    result = await AppriseSender().send(parcel("nosuchservice://token"))
    assert isinstance(result, Refused)
    assert result.hopeless
    assert "token" not in result.reason


async def test_a_program_finds_where_to_unsubscribe() -> None:
    address = "https://hub.example.org/l/" + "a1-_" * 40
    occurrence = Occurrence(stories=(STORY,), unsubscribe=address)
    to = parse_recipient("ann@example.org")
    async with mail_server() as box:
        sent = Parcel(recipient=to, occurrence=occurrence, message_id="m-1", at=datetime.now(UTC))
        assert isinstance(await mails(box.port).send(sent), Accepted)
    assert f"List-Unsubscribe: <{address}>\r\n".encode() in box.raw[0]
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in box.raw[0]
    assert max(len(line) for line in box.raw[0].partition(b"\r\n\r\n")[2].splitlines()) <= 78
