"""HTTP as a command needs it: one request, or one stream of lines.

Of the standard library alone: a command is to have answered before another client would have been loaded.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.client.address import on_loopback
from agenthub_cli.errors import CommandFailed

_UNREACHED = (OSError, http.client.HTTPException)
_PIECE = 1 << 20


class Unanswered(Exception):
    """No whole answer came; `slow` when none came in time."""

    def __init__(self, why: str = "", *, slow: bool = False) -> None:
        super().__init__(why)
        self.slow = slow


class Response(msgspec.Struct, frozen=True):
    """An answer that was read to its end; names of headers are in lower case."""

    status: int
    phrase: str
    headers: Mapping[str, str]
    content: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether what was asked for is there."""
        return 200 <= self.status < 300

    @property
    def is_redirect(self) -> bool:
        """Whether the answer points elsewhere."""
        return self.status in (301, 302, 303, 307, 308) and "location" in self.headers


class AnswerLines:
    """The lines of an answer that does not end by itself."""

    def __init__(self, response: http.client.HTTPResponse, connected: socket.socket) -> None:
        self._response = response
        self._connected = connected

    def __iter__(self) -> Iterator[str]:
        """Raises `Unanswered` when the connection breaks."""
        try:
            while line := self._response.readline():
                yield line.decode("utf-8", "replace").rstrip("\r\n")
        except TimeoutError:
            raise Unanswered(slow=True) from None
        except (*_UNREACHED, ValueError) as error:
            raise Unanswered(str(error)) from error

    def stop(self) -> None:
        """Let whoever waits for a line, in whatever thread, wait no longer."""
        with suppress(OSError):
            self._connected.shutdown(socket.SHUT_RDWR)


class Transport:
    """Sends requests to one address. Raises `CommandFailed` for a proxy or a certificate that cannot be used."""

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        self._parts = urlsplit(address)
        self._headers = {"Accept": "*/*", "User-Agent": "agenthub-cli", **_login(self._parts), **headers}
        local = on_loopback(address)
        self._proxy = None if local else _proxy_for(self._parts)
        self._tls = _tls() if self._parts.scheme == "https" else None

    def request(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Response:
        """One answer, whole. Raises `Unanswered`."""
        target = self._target(path, params or {})
        with self._sent(method, target, timeout_s, headers=headers or {}, content=content) as (response, _):
            return _whole(response)

    def download(self, path: str, file: IO[bytes], *, timeout_s: float) -> Response:
        """One answer, of which the content goes into `file` when it is a success. Raises `Unanswered`."""
        with self._sent("GET", self._target(path, {}), timeout_s, headers={}) as (response, _):
            if not 200 <= response.status < 300:
                return _whole(response)
            while piece := _piece(response):
                file.write(piece)
            if response.length:
                raise Unanswered("the answer ended too early")
            return _head(response)

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        connect_s: float,
        silence_s: float,
        params: Mapping[str, object],
        headers: Mapping[str, str],
    ) -> Iterator[tuple[Response, AnswerLines]]:
        """An answer and its lines; one that is no success has its content instead. Raises `Unanswered`."""
        with self._sent("GET", self._target(path, params), connect_s, headers=headers) as (response, connected):
            connected.settimeout(silence_s)
            if 200 <= response.status < 300:
                yield _head(response), AnswerLines(response, connected)
            else:
                yield _whole(response), AnswerLines(response, connected)

    @contextmanager
    def _sent(
        self,
        method: str,
        target: str,
        timeout_s: float,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
    ) -> Iterator[tuple[http.client.HTTPResponse, socket.socket]]:
        connection = self._connection(timeout_s)
        try:
            connection.request(method, target, body=content, headers={**self._headers, **headers})
            # Taken now: an answer that ends the connection takes the socket away from it.
            connected: socket.socket = connection.sock
            response = connection.getresponse()
        except TimeoutError:
            connection.close()
            raise Unanswered(slow=True) from None
        except _UNREACHED as error:
            connection.close()
            raise Unanswered(str(error)) from error
        try:
            yield response, connected
        finally:
            response.close()
            connection.close()

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._proxy is None:
            return self._to(host, port, timeout_s)
        by_way = self._proxy.hostname or "", self._proxy.port
        if self._tls is None:
            return http.client.HTTPConnection(*by_way, timeout=timeout_s)
        connection = self._to(*by_way, timeout_s)
        connection.set_tunnel(host, port, _login(self._proxy, "Proxy-Authorization"))
        return connection

    def _to(self, host: str, port: int | None, timeout_s: float) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=timeout_s)
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._tls)

    def _target(self, path: str, params: Mapping[str, object]) -> str:
        asked = {name: _text(value) for name, value in params.items()}
        whole = quote(f"{self._parts.path.rstrip('/')}{path}", safe="/%:@!$&'()*+,;=~")
        if asked:
            whole += f"?{urlencode(asked, doseq=True)}"
        if self._proxy is None or self._tls is not None:
            return whole
        return f"http://{self._parts.netloc.rpartition('@')[2]}{whole}"


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _whole(response: http.client.HTTPResponse) -> Response:
    try:
        content = response.read()
    except TimeoutError:
        raise Unanswered(slow=True) from None
    except _UNREACHED as error:
        raise Unanswered(str(error)) from error
    return msgspec.structs.replace(_head(response), content=content)


def _head(response: http.client.HTTPResponse) -> Response:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Response(response.status, response.reason, headers)


def _login(parts: SplitResult, name: str = "Authorization") -> dict[str, str]:
    if not parts.username:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return {name: f"Basic {base64.b64encode(pair).decode()}"}


def _proxy_for(parts: SplitResult) -> SplitResult | None:
    """The proxy that the environment names for an address."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if not named or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    try:
        proxy = urlsplit(named if "://" in named else f"http://{named}")
        usable = proxy.scheme == "http" and proxy.hostname and (proxy.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise _unusable(f"{named.rpartition('@')[2]} is no address of a proxy that speaks HTTP")
    return proxy


def _tls() -> ssl.SSLContext:
    try:
        return ssl.create_default_context()
    except OSError as error:
        raise _unusable(str(error)) from error


def _unusable(why: str) -> CommandFailed:
    return CommandFailed(
        f"A proxy or a certificate that the environment names cannot be used: {why}",
        hint="look at ALL_PROXY, HTTP_PROXY, HTTPS_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
        code=exit_codes.USAGE,
    )


def _piece(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_PIECE)
    except TimeoutError:
        raise Unanswered(slow=True) from None
    except _UNREACHED as error:
        raise Unanswered(str(error)) from error
