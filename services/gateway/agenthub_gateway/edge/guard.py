"""Who may speak to the gateway: accounts of this machine, host names and origins, and keys where there are some.

Without keys the gateway serves this machine alone, and there only the account that runs it and root. A web page
elsewhere can still make a browser here send requests to it, directly or by pointing its own name at 127.0.0.1; so
the names in `Host` and `Origin` are checked, and what a browser says about the page. With keys none of this
matters to who sends one, since no browser adds it by itself. It does add the cookie of a session, also for a page
on another port of the same machine: a session opens nothing but to a page of this very address.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from agenthub_events.errors import StoreUnavailable
from agenthub_gateway.edge.accounts import ACCOUNT
from agenthub_gateway.edge.answers import guarded
from agenthub_gateway.edge.keys import SESSION, Holder, scope_needed
from agenthub_gateway.edge.sign_in import SignIn
from agenthub_gateway.problems import MEDIA_TYPE, Problem, problem, problem_of
from agenthub_gateway.web import FOLDER, is_page

_log = structlog.get_logger(__name__)

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
LOCAL_PRINCIPAL = "local"
PRINCIPAL = "agenthub.principal"
HOLDER = "agenthub.holder"
_GUARDED: frozenset[str] = frozenset({ScopeType.HTTP, ScopeType.WEBSOCKET})
_OPEN_PATHS = frozenset({"/health", "/ready", "/health/live", "/health/ready"})
# A link in a message is its own key, and so is the signature of a webhook.
_LINKS = "/l/"
_HOOKS = "/api/v1/hooks/"
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
        sign_in: SignIn,
        allowed_hosts: Sequence[str],
        accounts: frozenset[int] | None = None,
    ) -> None:
        self._app = app
        self._sign_in = sign_in
        self._named = frozenset(host.lower() for host in allowed_hosts)
        self._hosts = LOCAL_HOSTS | self._named
        self._accounts = accounts
        self._failures = sign_in.failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one connection and hand it on."""
        kind: str = scope["type"]
        if kind not in _GUARDED:
            await self._app(scope, receive, send)
            return
        if kind == ScopeType.HTTP:
            send = guarded(send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if self._sign_in.keys:
            refusal = await self._identify(scope, headers)
        else:
            refusal = self._local(scope, headers)
        refusal = refusal or _unreadable(scope, headers)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == ScopeType.HTTP:
            await _answer(send, refusal, self._failures.wait_s(place_of(scope)))
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
        # Some requests come without an origin; what kind of page asks, a browser says all the same. A read may
        # cost something, too, and how long it takes tells its sender something.
        if origin is None and headers.get("sec-fetch-site") in _ELSEWHERE:
            is_let_in = _is_open(scope) and _reads(scope)
            return None if is_let_in else problem("foreign-origin", "A page of another site asks")
        return None

    async def _identify(self, scope: Scope, headers: dict[str, str]) -> Problem | None:
        if _is_open(scope):
            return None
        given = headers.get("authorization", "")
        if _is_way_in(scope) and not given:
            foreign = self._not_own(scope, headers) if _says_its_page(headers) else None
            return foreign or await self._by_session(scope, headers, is_needed=False)
        return self._by_key(scope, given) if given else await self._by_session(scope, headers)

    def _by_key(self, scope: Scope, given: str) -> Problem | None:
        place = place_of(scope)
        if self._failures.wait_s(place):
            return problem("too-many-failures", "Too many wrong keys came from here: none is looked at")
        holder = self._sign_in.keys.holder(given)
        if holder is None:
            self._failures.add(place)
            _log.warning("key_refused", place=place)
            return problem("unauthorized", "The request carries no key that this hub knows")
        return _reached(scope, holder)

    async def _by_session(
        self, scope: Scope, headers: dict[str, str], *, is_needed: bool = True
    ) -> Problem | None:
        try:
            holder = await self._sign_in.holder_of_session(headers)
        except StoreUnavailable as error:
            return problem_of(error)
        if holder is None:
            unknown = problem("unauthorized", "The request carries no key that this hub knows")
            return unknown if is_needed else None
        return self._not_own(scope, headers) or _reached(scope, holder)

    def _not_own(self, scope: Scope, headers: dict[str, str]) -> Problem | None:
        """Who has a cookie must be a page of this address, as far as a browser tells; to write, it has to tell."""
        host, origin, site = headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and not self._is_own_page(origin, host):
            return problem("foreign-origin", f"`{origin[:100]}` is not a page of this hub")
        if site in _ELSEWHERE:
            return problem("foreign-origin", "A page of another site asks")
        if origin is None and site != "same-origin" and not _reads(scope):
            return problem("foreign-origin", "A session acts for pages of this hub alone, and this names none")
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
    if path in _OPEN_PATHS or path.startswith((_LINKS, _HOOKS)):
        return True
    return (path.startswith(FOLDER) or is_page(path)) and _reads(scope)


def _is_way_in(scope: Scope) -> bool:
    """Whether a browser signs in, or asks whether it is."""
    return scope["type"] == ScopeType.HTTP and scope["path"] == SESSION


def _says_its_page(headers: dict[str, str]) -> bool:
    return "origin" in headers or "sec-fetch-site" in headers


def _reached(scope: Scope, holder: Holder) -> Problem | None:
    """Let the holder of a key in, unless the key does not reach so far."""
    needed = scope_needed(scope["method"] if scope["type"] == ScopeType.HTTP else "GET", scope["path"])
    if not holder.may(needed):
        return problem("insufficient-scope", f"This needs a key of scope `{needed}`, not `{holder.scope}`")
    scope.setdefault("state", {}).update({PRINCIPAL: holder.name, HOLDER: holder})
    return None


def _reads(scope: Scope) -> bool:
    return scope["type"] == ScopeType.HTTP and scope["method"] in _READING


def place_of(scope: Scope) -> str:
    """Where a request comes from: an account of this machine, or a network address without its port."""
    account = scope.get("state", {}).get(ACCOUNT)
    client = scope.get("client")
    return f"account {account}" if account is not None else _network_of(str(client[0] if client else ""))


def _network_of(address: str) -> str:
    """An address, of IPv6 the network: whoever has one address there has 2^64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or ipaddress.IPv6Network((found, 64), strict=False))


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
