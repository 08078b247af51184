"""Who may speak to the gateway: accounts of this machine, host names and origins, and keys where there are some.

Without keys the gateway serves this machine alone, and there only the account that runs it and root. A web page
elsewhere can still make a browser here send requests to it, directly or by pointing its own name at 127.0.0.1; so
the names in `Host` and `Origin` are checked, and what a browser says about the page. With keys none of this
matters: no browser adds a key by itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from agenthub_gateway.edge.accounts import ACCOUNT
from agenthub_gateway.edge.keys import Failures, Keys, scope_needed
from agenthub_gateway.problems import MEDIA_TYPE, Problem, problem
from agenthub_gateway.web import FOLDER, is_page

_log = structlog.get_logger(__name__)

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
LOCAL_PRINCIPAL = "local"
PRINCIPAL = "agenthub.principal"
_GUARDED: frozenset[str] = frozenset({ScopeType.HTTP, ScopeType.WEBSOCKET})
_OPEN_PATHS = frozenset({"/health", "/ready", "/health/live", "/health/ready"})
# A link in a message is its own key.
_LINKS = "/l/"
_ELSEWHERE = frozenset({"cross-site", "same-site"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """The outermost layer: lets a request in with a principal, or answers with a problem.

    `accounts` are those of this machine that need no key while none is configured; None lets in all of them.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Keys,
        allowed_hosts: Sequence[str],
        accounts: frozenset[int] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._keys = keys
        self._named = frozenset(host.lower() for host in allowed_hosts)
        self._hosts = LOCAL_HOSTS | self._named
        self._accounts = accounts
        self._failures = Failures(monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one connection and hand it on."""
        kind: str = scope["type"]
        if kind not in _GUARDED:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._identify(scope, headers) if self._keys else self._local(scope, headers)
        refusal = refusal or _unreadable(scope, headers)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == ScopeType.HTTP:
            await _answer(send, refusal, self._failures.wait_s(_place(scope)))
        else:
            # Before the handshake is accepted a close becomes status 403.
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.title})

    def _local(self, scope: Scope, headers: dict[str, str]) -> Problem | None:
        return self._foreign(scope, headers) or (None if _is_open(scope) else self._stranger(scope))

    def _stranger(self, scope: Scope) -> Problem | None:
        account = scope.get("state", {}).get(ACCOUNT)
        if self._accounts is None or account in self._accounts:
            return None
        who = "Nobody of this machine" if account is None else f"The account with the number {account}"
        return problem(
            "unauthorized",
            f"{who} asks, and only the account that runs the hub is let in without a key: start the hub with"
            " AGENTHUB_API_KEYS, and send one of them (the command line takes it from AGENTHUB_API_KEY)",
        )

    def _foreign(self, scope: Scope, headers: dict[str, str]) -> Problem | None:
        host = headers.get("host", "")
        if not self._known(host):
            return problem("foreign-host", f"`{host[:100]}` is not a name of this hub")
        origin = headers.get("origin")
        if origin is not None and not self._is_own_page(origin, host):
            return problem("foreign-origin", f"`{origin[:100]}` is not a page of this hub")
        # Some requests come without an origin; what kind of page asks, a browser says all the same.
        if origin is None and headers.get("sec-fetch-site") in _ELSEWHERE and not _reads(scope):
            return problem("foreign-origin", "A page of another site asks")
        return None

    def _identify(self, scope: Scope, headers: dict[str, str]) -> Problem | None:
        if _is_open(scope):
            return None
        place = _place(scope)
        if self._failures.wait_s(place):
            return problem("too-many-failures", "Too many wrong keys came from here: none is looked at")
        given = headers.get("authorization", "")
        holder = self._keys.holder(given)
        if holder is None:
            if given:
                self._failures.add(place)
                _log.warning("key_refused", place=place)
            return problem("unauthorized", "The request carries no key that this hub knows")
        needed = scope_needed(scope["method"] if scope["type"] == ScopeType.HTTP else "GET", scope["path"])
        if not holder.may(needed):
            return problem("insufficient-scope", f"This needs a key of scope `{needed}`, not `{holder.scope}`")
        scope.setdefault("state", {})[PRINCIPAL] = holder.name
        return None

    def _is_own_page(self, origin: str, host: str) -> bool:
        """Whether a page of this very address asks, or one that the settings name.

        A page on another port of this machine is a foreign one: it may be what an agent has just built.
        """
        netloc = origin.partition("://")[2].lower()
        return netloc == host.lower() or _name_in(netloc) in self._named

    def _known(self, netloc: str) -> bool:
        return _name_in(netloc) in self._hosts


def _is_open(scope: Scope) -> bool:
    """Whether anybody may have the answer. The web UI holds nothing of anybody's: it has to ask with a key."""
    path: str = scope["path"]
    if path in _OPEN_PATHS or path.startswith(_LINKS):
        return True
    return (path.startswith(FOLDER) or is_page(path)) and _reads(scope)


def _reads(scope: Scope) -> bool:
    return scope["type"] == ScopeType.HTTP and scope["method"] in _READING


def _place(scope: Scope) -> str:
    """Where a request comes from: an account of this machine, or a network address without its port."""
    account = scope.get("state", {}).get(ACCOUNT)
    client = scope.get("client")
    return f"account {account}" if account is not None else str(client[0] if client else "")


def _name_in(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def _unreadable(scope: Scope, headers: dict[str, str]) -> Problem | None:
    """What no call takes: a null byte, which neither Postgres nor git has, and a body of another kind."""
    if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
        return problem("invalid-parameter", "The address holds a null byte")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = scope["path"].startswith(_LINKS)  # pages of links send forms
    if kind and kind != "application/json" and not kind.endswith("+json") and not _reads(scope) and not is_form:
        return problem("unsupported-media-type", f"Every call takes JSON, and the body is called `{kind[:100]}`")
    return None


async def _answer(send: Send, refusal: Problem, wait_s: float) -> None:
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.status == 429:
        headers.append((b"retry-after", str(math.ceil(wait_s)).encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(refusal), "more_body": False})
