"""Who may speak to the gateway: host names and origins, and keys where keys are configured.

Without keys the gateway serves this machine alone. A web page elsewhere can still make a browser here send
requests to it, directly or by pointing its own name at 127.0.0.1; so the names in `Host` and `Origin` are checked.
With keys neither matters: no browser adds a key by itself.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from agenthub_gateway.problems import MEDIA_TYPE, Problem, problem

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
LOCAL_PRINCIPAL = "local"
PRINCIPAL = "agenthub.principal"
_GUARDED: frozenset[str] = frozenset({ScopeType.HTTP, ScopeType.WEBSOCKET})
# The start page holds nothing of anybody's: what it shows it has to ask for with a key.
_OPEN_PATHS = frozenset({"/", "/health", "/ready", "/health/live", "/health/ready"})
# A link in a message is its own key.
_OPEN_FOLDERS = ("/static/", "/l/")


class Keys:
    """The configured keys, written `secret` or `name:secret`; a key without a name is called by its place."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._secrets: list[tuple[str, bytes]] = []
        for number, entry in enumerate(entries, start=1):
            name, separator, secret = entry.partition(":")
            self._secrets.append((name, secret.encode()) if separator else (f"key-{number}", entry.encode()))

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def principal(self, authorization: str) -> str | None:
        """Whose key this is. Every key is compared, each in constant time."""
        scheme, _, token = authorization.partition(" ")
        found = None
        for name, secret in self._secrets:
            same = hmac.compare_digest(token.strip().encode(), secret)
            found = name if same and scheme.lower() == "bearer" else found
        return found


class Guard:
    """The outermost layer: lets a request in with a principal, or answers with a problem."""

    def __init__(self, app: ASGIApp, *, keys: Keys, allowed_hosts: Sequence[str]) -> None:
        self._app = app
        self._keys = keys
        self._named = frozenset(host.lower() for host in allowed_hosts)
        self._hosts = LOCAL_HOSTS | self._named

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one connection and hand it on."""
        kind: str = scope["type"]
        if kind not in _GUARDED:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._identify(scope, headers) if self._keys else self._foreign(headers)
        refusal = refusal or _unreadable(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == ScopeType.HTTP:
            await _answer(send, refusal)
        else:
            # Before the handshake is accepted a close becomes status 403.
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.title})

    def _foreign(self, headers: dict[str, str]) -> Problem | None:
        host = headers.get("host", "")
        if not self._known(host):
            return problem("foreign-host", f"`{host[:100]}` is not a name of this hub")
        origin = headers.get("origin")
        if origin is not None and not self._is_own_page(origin, host):
            return problem("foreign-origin", f"`{origin[:100]}` is not a page of this hub")
        return None

    def _identify(self, scope: Scope, headers: dict[str, str]) -> Problem | None:
        principal = self._keys.principal(headers.get("authorization", ""))
        if principal is not None:
            scope.setdefault("state", {})[PRINCIPAL] = principal
        elif scope["path"] not in _OPEN_PATHS and not scope["path"].startswith(_OPEN_FOLDERS):
            return problem("unauthorized", "The request carries no key that this hub knows")
        return None

    def _is_own_page(self, origin: str, host: str) -> bool:
        """Whether a page of this very address asks, or one that the settings name.

        A page on another port of this machine is a foreign one: it may be what an agent has just built.
        """
        netloc = origin.partition("://")[2].lower()
        return netloc == host.lower() or _name_in(netloc) in self._named

    def _known(self, netloc: str) -> bool:
        return _name_in(netloc) in self._hosts


def _name_in(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def _unreadable(scope: Scope) -> Problem | None:
    """Nothing here is named with a null byte, and neither Postgres nor git takes one."""
    if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
        return problem("invalid-parameter", "The address holds a null byte")
    return None


async def _answer(send: Send, refusal: Problem) -> None:
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(refusal), "more_body": False})
