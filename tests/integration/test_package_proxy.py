"""The only way out of a setup: to package sources alone, with credentials that are added on the way."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from agenthub_worker.environment.network.package_sources import package_sources
from agenthub_worker.environment.network.proxy import AllowlistProxy

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Source:
    """A server that keeps what it was sent up to the end of a request's head."""

    def __init__(self) -> None:
        self.port = 0
        self.heads: list[str] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(ANSWER)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def a_source(context: ssl.SSLContext | None = None) -> AsyncIterator[Source]:
    source = Source()
    server = await asyncio.start_server(source.answer, "127.0.0.1", 0, ssl=context)
    source.port = server.sockets[0].getsockname()[1]
    try:
        yield source
    finally:
        server.close()


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with a_source() as found:
        yield found


async def asked(proxy: AllowlistProxy, socket: Path, *words: bytes) -> bytes:
    """What the proxy answers to these pieces; each is sent once something has come back for the one before."""
    async with proxy.serving(socket):
        reader, writer = await asyncio.open_unix_connection(socket)
        got = b""
        for number, piece in enumerate(words):
            writer.write(piece)
            if number + 1 < len(words):
                got += await reader.readuntil(b"\r\n\r\n")
        got += await reader.read()
        writer.close()
    return got


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join((line, *headers, "", "")).encode()


async def test_a_whole_address_of_a_source_is_asked_as_that_source_expects(source: Source, tmp_path: Path) -> None:
    proxy = AllowlistProxy(package_sources([f"http://127.0.0.1:{source.port}/simple"]))
    request = head(
        f"GET http://127.0.0.1:{source.port}/simple/x/?a=b HTTP/1.1",
        f"Host: 127.0.0.1:{source.port}",
        "Proxy-Authorization: Basic eA==",
        "Accept: text/html",
        "Authorization: Bearer of-the-project",
    )
    answer = await asked(proxy, tmp_path / "proxy", request)
    assert answer == ANSWER
    first, *rest = source.heads[0].rstrip().split("\r\n")
    assert first == "GET /simple/x/?a=b HTTP/1.1"
    assert rest == [
        f"Host: 127.0.0.1:{source.port}",
        "Accept: text/html",
        "Authorization: Bearer of-the-project",
        "Connection: close",
    ]
    assert proxy.refused == []


async def test_a_tunnel_to_a_source_carries_bytes_both_ways(source: Source, tmp_path: Path) -> None:
    proxy = AllowlistProxy(package_sources([f"127.0.0.1:{source.port}"]))
    answer = await asked(
        proxy, tmp_path / "proxy", head(f"CONNECT 127.0.0.1:{source.port} HTTP/1.1"), head("GET /x HTTP/1.1")
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(ANSWER)
    assert source.heads == ["GET /x HTTP/1.1\r\n\r\n"]


async def test_credentials_and_tls_are_added_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(served)
    with authority.cert_pem.tempfile(dir=str(tmp_path)) as trusted:
        monkeypatch.setenv("SSL_CERT_FILE", trusted)
        async with a_source(served) as source:
            proxy = AllowlistProxy(package_sources([f"https://ada:s3cret@localhost:{source.port}/simple"]))
            inside = head(
                f"GET http://localhost:{source.port}/simple/ HTTP/1.1",
                f"Host: localhost:{source.port}",
                "Authorization: Basic Zm9yZ2Vk",
            )
            answer = await asked(proxy, tmp_path / "proxy", inside)
    assert answer == ANSWER
    assert source.heads[0].count("Authorization: ") == 1
    assert "Authorization: Basic YWRhOnMzY3JldA==" in source.heads[0]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("CONNECT elsewhere.test:443 HTTP/1.1", "elsewhere.test:443"),
        ("CONNECT elsewhere.test HTTP/1.1", "elsewhere.test:443"),
        ("CONNECT index.test:8443 HTTP/1.1", "index.test:8443"),
        ("CONNECT index.test:80 HTTP/1.1", "index.test:80"),
        ("CONNECT sub.index.test:443 HTTP/1.1", "sub.index.test:443"),
        ("CONNECT index.test.elsewhere.test:443 HTTP/1.1", "index.test.elsewhere.test:443"),
        ("CONNECT 127.0.0.1:4222 HTTP/1.1", "127.0.0.1:4222"),
        ("CONNECT [::1]:22 HTTP/1.1", "::1:22"),
        ("GET http://elsewhere.test/index.test:443 HTTP/1.1", "elsewhere.test:80"),
        ("GET http://index.test@elsewhere.test/ HTTP/1.1", "elsewhere.test:80"),
        ("GET http://index.test/ HTTP/1.1", "index.test:80"),
        ("PUT http://169.254.169.254/latest HTTP/1.1", "169.254.169.254:80"),
    ],
)
async def test_any_other_host_or_port_is_refused_and_named(line: str, named: str, tmp_path: Path) -> None:
    proxy = AllowlistProxy(package_sources(["https://index.test/simple"]))
    answer = await asked(proxy, tmp_path / "proxy", head(line))
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert named.encode() in answer
    assert proxy.refused == [named]


async def test_a_host_that_is_refused_twice_is_named_once(tmp_path: Path) -> None:
    proxy = AllowlistProxy(())
    for number, host in enumerate(("b.test:1", "a.test:1", "B.test:1")):
        await asked(proxy, tmp_path / str(number), head(f"CONNECT {host} HTTP/1.1"))
    assert proxy.refused == ["b.test:1", "a.test:1"]


@pytest.mark.parametrize(
    "line",
    [
        "GET /simple/ HTTP/1.1",
        "GET https://index.test/simple/ HTTP/1.1",
        "GET ftp://index.test/ HTTP/1.1",
        "CONNECT index.test:99999 HTTP/1.1",
        "CONNECT :443 HTTP/1.1",
        "SSH-2.0-x",
        "",
        "GET http://index.test/\tx HTTP/1.1",
        "GET http://index.test/\nX-A: b HTTP/1.1",
        "GET\nX http://index.test/ HTTP/1.1",
        "GET http://index.test/ HTTP/1.1\nX-A: b",
        "GET http://index.test/ HTTP/1.12",
        "GET http://index.test/ HTTP/2",
        "get http://index.test/ HTTP/1.1",
    ],
)
async def test_what_is_no_request_for_a_proxy_is_said_so(line: str, tmp_path: Path) -> None:
    proxy = AllowlistProxy(package_sources(["https://index.test/simple"]))
    answer = await asked(proxy, tmp_path / "proxy", head(line))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert proxy.refused == []


async def test_a_source_that_is_away_is_said_with_its_name(tmp_path: Path) -> None:
    async with a_source() as gone:
        port = gone.port
    proxy = AllowlistProxy(package_sources([f"127.0.0.1:{port}"]))
    answer = await asked(proxy, tmp_path / "proxy", head(f"CONNECT 127.0.0.1:{port} HTTP/1.1"))
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert f"127.0.0.1:{port}".encode() in answer


async def test_one_request_goes_through_a_connection(source: Source, tmp_path: Path) -> None:
    """A second one behind it, for a host that may not be reached, never arrives anywhere."""
    proxy = AllowlistProxy(package_sources([f"http://127.0.0.1:{source.port}/"]))
    allowed = head(f"GET http://127.0.0.1:{source.port}/a HTTP/1.1", "Connection: keep-alive")
    await asked(proxy, tmp_path / "proxy", allowed + head("GET http://elsewhere.test/b HTTP/1.1"))
    assert len(source.heads) == 1
    assert "keep-alive" not in source.heads[0]


@pytest.mark.parametrize(
    "header",
    [
        *("X: a\n\nGET /other HTTP/1.1", "X: a\nAuthorization: Basic eA==", "X: a\rY: b", "X: a\0b", " folded: x"),
        *("no colon", "X : a", ": a", "Content-Length: 1\r\nContent-Length: 2", "Content-Length: +1"),
        *("Content-Length: 1\r\nTransfer-Encoding: chunked", "Content-Length: -1", "Content-Length: 0x1"),
    ],
)
async def test_a_head_that_another_reader_may_read_otherwise_goes_nowhere(
    source: Source, header: str, tmp_path: Path
) -> None:
    proxy = AllowlistProxy(package_sources([f"http://127.0.0.1:{source.port}/"]))
    answer = await asked(proxy, tmp_path / "proxy", head(f"GET http://127.0.0.1:{source.port}/ HTTP/1.1", header))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert source.heads == []


async def test_the_source_hears_its_own_name_and_no_second_request(source: Source, tmp_path: Path) -> None:
    """Where one address serves many names, another `Host` would carry the credential to somebody else."""
    proxy = AllowlistProxy(package_sources([f"http://ada:s3cret@127.0.0.1:{source.port}/"]))
    first = head(f"POST http://127.0.0.1:{source.port}/a HTTP/1.1", "Host: elsewhere.test", "Content-Length: 2")
    answer = await asked(
        proxy, tmp_path / "proxy", first + b"ok" + head("GET /b HTTP/1.1", "Host: elsewhere.test")
    )
    assert answer == ANSWER
    assert "elsewhere" not in source.heads[0]
    assert f"Host: 127.0.0.1:{source.port}\r\n" in source.heads[0]
    assert len(source.heads) == 1


@pytest.mark.parametrize("path", ["a/../b", "a/%2e%2e/b", "a/%252e%252e/b", "a/..%2fb", "a\\..\\b", "./a", "a/.."])
async def test_no_credential_goes_along_a_path_that_climbs(source: Source, path: str, tmp_path: Path) -> None:
    place = f"http://127.0.0.1:{source.port}/{path}"
    closed = AllowlistProxy(package_sources([f"http://ada:s3cret@127.0.0.1:{source.port}/"]))
    answer = await asked(closed, tmp_path / "closed", head(f"GET {place} HTTP/1.1"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert source.heads == []
    plain = AllowlistProxy(package_sources([f"http://127.0.0.1:{source.port}/"]))
    assert await asked(plain, tmp_path / "plain", head(f"GET {place} HTTP/1.1")) == ANSWER


async def test_who_asks_for_hosts_without_end_fills_neither_memory_nor_log(tmp_path: Path) -> None:
    proxy = AllowlistProxy(())
    async with proxy.serving(tmp_path / "proxy"):
        for number in range(40):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "proxy")
            writer.write(head(f"CONNECT {'a' * 2_000}{number}.test:1 HTTP/1.1"))
            assert (await reader.read()).startswith(b"HTTP/1.1 403 ")
            writer.close()
        for number in range(40):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "proxy")
            writer.write(head(f"CONNECT {number}.test:1 HTTP/1.1"))
            await reader.read()
            writer.close()
    assert len(proxy.refused) == 20
    assert max(map(len, proxy.refused)) < 300


async def test_no_more_connections_are_open_than_a_worker_can_bear(source: Source, tmp_path: Path) -> None:
    proxy = AllowlistProxy(package_sources([f"http://127.0.0.1:{source.port}/"]))
    async with proxy.serving(tmp_path / "proxy"):
        held = [await asyncio.open_unix_connection(tmp_path / "proxy") for _ in range(200)]
        refused = [reader for reader, _ in held[128:]]
        assert all([(await reader.read()).startswith(b"HTTP/1.1 503 ") for reader in refused])
        held[0][1].write(head(f"GET http://127.0.0.1:{source.port}/ HTTP/1.1"))
        assert await held[0][0].read() == ANSWER
        for _, writer in held:
            writer.close()
