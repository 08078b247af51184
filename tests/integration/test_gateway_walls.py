"""Who gets in without a key, and what those may cost who do not."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from nats.aio.client import Client

from agenthub_gateway.edge.accounts import account_of
from agenthub_gateway.edge.connections import BoundedConnection
from agenthub_gateway.edge.keys import FAILURES_MAX
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.counting import counting_steps
from tests.support.gateway import Gateway, running_gateway, settings
from tests.support.until import until

NOBODY = 65_534
BODY = b'{"goal": "x"}'
POST = b"POST /api/v1/goals HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SUBMIT = POST + b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY)


class Impatient(BoundedConnection):
    headers_s = 0.3
    body_s = 0.3
    rest_s = 0.3
    idle_s = 1
    connections_max = 20


def port_of(gateway: Gateway) -> int:
    return int(gateway.url.rpartition(":")[2])


@pytest.fixture
async def gateway(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(nats_server.authorised_url, database_url)) as running:
        yield running


@pytest.fixture
async def impatient(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url, api_keys=("anna:0123456789abcdef",))
    async with running_gateway(wanted, connection=Impatient) as running:
        yield running


def as_another(port: int) -> bytes:
    """What `nobody` is told when it submits a goal."""
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port}; cat >&3; cat <&3"
    told = subprocess.run(
        ["bash", "-c", script], input=SUBMIT, capture_output=True, timeout=300, check=False, user=NOBODY
    )
    return told.stdout


async def test_another_account_of_this_machine_is_told_the_way_to_a_key(gateway: Gateway, bus: Client) -> None:
    if os.geteuid() == 0:
        told = await asyncio.to_thread(as_another, port_of(gateway))
        assert told.startswith(b"HTTP/1.1 401 ")
        assert b"AGENTHUB_API_KEYS" in told
        assert b"account with the number 65534" in told
    assert await JetStreamEventLog(bus).last_seq() == 0
    assert (await gateway.client.post("/api/v1/goals", content=BODY)).status_code == 202


async def test_only_the_named_accounts_need_no_key(
    bus: Client, nats_server: NatsServer, database_url: str
) -> None:
    wanted = settings(nats_server.authorised_url, database_url)
    async with running_gateway(wanted, accounts=frozenset({os.geteuid() + 1})) as gateway:
        for path in ("/api/v1/goals", "/metrics", "/schema", "/problems", "/api/v1/stream"):
            answer = await gateway.client.get(path)
            assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthorized"), path
            assert answer.headers["www-authenticate"] == "Bearer"
        assert (await gateway.client.post("/api/v1/goals", content=BODY)).status_code == 401
        for path in ("/", "/health/live", "/static/icon.svg"):
            assert (await gateway.client.get(path)).status_code == 200
    assert await JetStreamEventLog(bus).last_seq() == 0


async def test_who_has_hung_up_is_nobody_and_not_root(gateway: Gateway, bus: Client) -> None:
    # The kernel shows sockets without an owner as root's. Nothing is awaited here: when the gateway looks, the
    # other end is gone.
    for end in (socket.SHUT_RDWR, None):
        with socket.create_connection(("127.0.0.1", port_of(gateway))) as there:
            there.sendall(SUBMIT)
            if end is not None:
                there.shutdown(end)
    assert (await gateway.client.get("/health/live")).status_code == 200
    assert await JetStreamEventLog(bus).last_seq() == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_kernel_tells_whose_a_connection_is(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, 0), family=family)
    there = socket.create_connection(listening.getsockname()[:2])
    here, _ = listening.accept()
    with listening, there, here:
        ends = here.getpeername()[:2], here.getsockname()[:2]
        assert account_of(*ends) == os.geteuid()
        if os.geteuid() == 0:
            os.fchown(there.fileno(), NOBODY, -1)
            assert account_of(*ends) == NOBODY
        assert account_of((host, 1), ends[1]) is None
        there.shutdown(socket.SHUT_WR)
        assert account_of(*ends) == (NOBODY if os.geteuid() == 0 else os.geteuid())
        there.close()
        assert account_of(*ends) is None


def test_an_address_of_the_old_kind_on_a_socket_of_the_new_kind_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket(socket.AF_INET6) as there:
        there.connect(("::ffff:127.0.0.1", listening.getsockname()[1]))
        here, _ = listening.accept()
        with here:
            assert account_of(here.getpeername(), here.getsockname()) == os.geteuid()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 202),
        ({"Sec-Fetch-Site": "none"}, 202),
        ({}, 202),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/jsonp"}, 415),
        ({"Content-Type": "Application/JSON; charset=utf-8"}, 202),
    ],
)
async def test_what_a_foreign_page_can_make_a_browser_send_is_refused(
    gateway: Gateway, headers: dict[str, str], status: int
) -> None:
    answer = await gateway.client.post("/api/v1/goals", content=BODY, headers=headers)
    assert answer.status_code == status, answer.text
    if status == 415:
        assert "application/json" in answer.text or "JSON" in answer.json()["detail"]
    assert (await gateway.client.get("/health/live", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200


async def said(port: int, *parts: bytes) -> bytes:
    """Everything that comes back until the other end closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 120)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "parts",
    [
        (b"",),
        (b"G",),
        (b"GET / HTTP/1.1\r\n",),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: ",),
        (b"\r\n\r\n\r\n",),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /half"),
    ],
)
async def test_a_request_that_is_never_finished_ends_its_connection(
    impatient: Gateway, parts: tuple[bytes, ...]
) -> None:
    await said(port_of(impatient), *parts)


@pytest.mark.parametrize(
    "part",
    [b"X-Endless: " + b"a" * 70_000, b"X-Many: a\r\n" * 7_000],
)
async def test_headers_without_an_end_are_refused(impatient: Gateway, part: bytes) -> None:
    told = await said(port_of(impatient), b"GET / HTTP/1.1\r\nHost: localhost\r\n", part, b"a" * 1_000)
    assert told == b"" or told.startswith(b"HTTP/1.1 431 ")


async def test_an_address_without_an_end_is_refused(impatient: Gateway) -> None:
    told = await said(port_of(impatient), b"GET /" + b"a" * 70_000)
    assert told == b"" or told.startswith(b"HTTP/1.1 4")


async def test_a_body_is_not_waited_for_when_its_sender_has_the_answer(impatient: Gateway) -> None:
    told = await said(port_of(impatient), POST + b"Content-Length: 4000000\r\n\r\n", b'{"goal": ')
    assert told.startswith(b"HTTP/1.1 401 ")


async def test_a_body_of_somebody_known_has_to_come_in_time(impatient: Gateway) -> None:
    key = b"Authorization: Bearer 0123456789abcdef\r\n"
    told = await said(port_of(impatient), POST + key + b"Content-Length: 4000\r\n\r\n", b'{"goal": ')
    assert b"202" not in told


async def test_connections_without_end_are_not_taken(impatient: Gateway) -> None:
    opened = [await asyncio.open_connection("127.0.0.1", port_of(impatient)) for _ in range(40)]
    try:
        ends = [asyncio.ensure_future(reader.read()) for reader, _ in opened]
        await until(lambda: sum(end.done() for end in ends) >= 20, what="those beyond the limit are closed")
        await asyncio.gather(*ends, return_exceptions=True)
    finally:
        for _, writer in opened:
            writer.close()
    assert (await impatient.client.get("/health/live")).status_code == 200


async def test_who_sends_wrong_keys_is_not_looked_at_for_a_while(impatient: Gateway) -> None:
    async def ask(key: str) -> httpx2.Response:
        return await impatient.client.get("/schema/openapi.json", headers={"Authorization": f"Bearer {key}"})

    assert [(await ask(f"wrong-{n}")).status_code for n in range(FAILURES_MAX)] == [401] * FAILURES_MAX
    refused = await ask("0123456789abcdef")
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-failures")
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    assert (await impatient.client.get("/health/live")).status_code == 200


async def test_a_key_reaches_as_far_as_its_scope(bus: Client, nats_server: NatsServer, database_url: str) -> None:
    keys = tuple(f"of-{scope}:{scope}:{scope}-0123456789abc" for scope in ("read", "submit", "operate", "admin"))
    async with running_gateway(settings(nats_server.authorised_url, database_url, api_keys=keys)) as gateway:

        async def status(scope: str, method: str, path: str) -> int:
            headers = {"Authorization": f"Bearer {scope}-0123456789abc"}
            return (await gateway.client.request(method, path, headers=headers, content=BODY)).status_code

        assert [await status(s, "GET", "/schema/openapi.json") for s in ("read", "admin")] == [200, 200]
        assert [await status(s, "POST", "/api/v1/goals") for s in ("read", "submit", "operate")] == [403, 202, 202]
        pause = "/api/v1/goals/g-00000000000000000000000000/pause"
        assert [await status(s, "POST", pause) for s in ("read", "submit", "operate", "admin")] == [
            403,
            403,
            422,
            422,
        ]


TASKS: dict[str, Callable[[int], dict[str, Any]]] = {
    "chain": lambda n: {"key": f"t{n}", "title": "T", "depends_on": [f"t{n - 1}"] if n else []},
    "wide": lambda n: {"key": f"t{n}", "title": "T", "depends_on": [f"t{n - m}" for m in range(1, min(n, 30))]},
    "wrong": lambda n: {"key": "T!", "title": "", "depends_on": ["nope"] * 30, "requirement_ids": ["R9"] * 30},
    "unknown fields": lambda n: {"key": f"t{n}", "titel": "T", "depends_on": []},
}


def of_size(kind: str, size: int) -> dict[str, Any]:
    return {"goal": "x", "requirements": ["r"] * 50, "workflow": [TASKS[kind](n) for n in range(size)]}


@pytest.mark.parametrize("kind", list(TASKS))
async def test_a_plan_of_megabytes_does_not_stop_the_gateway(gateway: Gateway, kind: str) -> None:
    async def steps(size: int) -> int:
        with counting_steps() as counted:
            answer = await gateway.client.post("/api/v1/goals", json=of_size(kind, size))
        assert answer.status_code in (202, 422), answer.text[:300]
        return counted.taken

    await steps(1)
    # Gateway and test are one thread, so that all of the request is counted; a quadratic check took 16 times more.
    assert await steps(800) < 6 * await steps(200)


@pytest.mark.extra
@pytest.mark.parametrize("kind", list(TASKS))
async def test_a_plan_of_megabytes_is_taken_or_refused(gateway: Gateway, kind: str) -> None:
    answer = await gateway.client.post("/api/v1/goals", json=of_size(kind, 9_500), timeout=300)
    assert answer.status_code in (202, 413, 422), answer.text[:300]


async def dripped(port: int, head: bytes, drop: bytes) -> bytes:
    """What comes back when a request is sent drop by drop, until the other end has had enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    told = bytearray()

    async def hear() -> None:
        while chunk := await reader.read(65_536):
            told.extend(chunk)

    hearing = asyncio.ensure_future(hear())
    try:
        writer.write(head)
        async with asyncio.timeout(120):
            while not (await asyncio.wait([hearing], timeout=0.02))[0]:
                writer.write(drop)
        await hearing
    except ConnectionError:
        # A reset takes nothing of what came before it.
        return bytes(told)
    finally:
        writer.close()
    return bytes(told)


async def test_headers_that_come_drop_by_drop_have_no_more_time(impatient: Gateway) -> None:
    for head, drop in ((b"GET / HTTP/1.1\r\nX: ", b"a"), (b"GET / HTTP/1.1\r\n", b"X: a\r\n"), (b"", b"\r\n")):
        assert await dripped(port_of(impatient), head, drop) == b""


@pytest.mark.parametrize("length", [b"Content-Length: 4000000", b"Transfer-Encoding: chunked"])
async def test_a_body_that_comes_drop_by_drop_has_no_more_time(impatient: Gateway, length: bytes) -> None:
    head, drop = POST + length + b"\r\n\r\n", b"1\r\n[\r\n" if b"chunked" in length else b"["
    assert (await dripped(port_of(impatient), head, drop)).startswith(b"HTTP/1.1 401 ")
    known = head.replace(b"\r\n", b"\r\nAuthorization: Bearer 0123456789abcdef\r\n", 1)
    assert b"202" not in await dripped(port_of(impatient), known, drop)


async def test_a_connection_that_asks_nothing_more_is_closed(impatient: Gateway) -> None:
    told = await said(port_of(impatient), b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 200 ")
