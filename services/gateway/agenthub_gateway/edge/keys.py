"""Keys as the gateway holds them, how far each reaches, and what follows a wrong one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

import msgspec

from agenthub_runtime.settings.api_keys import SCOPES, Scope, read_api_key

# So many wrong keys may come in a row from one place, and one more for each pause behind them.
FAILURES_MAX = 10
PAUSE_S = 6.0
_PLACES_MAX = 4_096
# Where browsers sign in and out.
SESSION = "/api/v1/session"
# Where tools are called; each asks the API again with the same key, and is held to its scope there.
MCP = "/mcp"


class Holder(msgspec.Struct, frozen=True):
    """Whose key a request carries, and how far it reaches. `proof` tells the key from every other one."""

    name: str
    scope: Scope
    proof: str = ""

    def may(self, needed: Scope) -> bool:
        """Whether the key reaches so far; each scope holds those before it."""
        return SCOPES.index(needed) <= SCOPES.index(self.scope)


class Keys:
    """The configured keys. Only digests are kept: a key has enough chance in it that no slow hash is needed."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._held: list[tuple[Holder, bytes]] = []
        for place, entry in enumerate(entries, start=1):
            key = read_api_key(entry, place)
            digest = bytes.fromhex(key.digest) if key.digest else _digest(key.secret)
            proof = hashlib.sha256(b"agenthub session\0" + digest).hexdigest()
            self._held.append((Holder(key.name, key.scope, proof), digest))

    def __bool__(self) -> bool:
        return bool(self._held)

    def holder(self, authorization: str) -> Holder | None:
        """Whose key this is. Every key is compared, each in constant time."""
        scheme, _, token = authorization.partition(" ")
        given = _digest(token.strip())
        found = None
        for holder, digest in self._held:
            same = hmac.compare_digest(given, digest)
            found = holder if same and scheme.lower() == "bearer" else found
        return found

    def proven(self, proof: str) -> Holder | None:
        """The holder whose key has this proof."""
        return next((holder for holder, _ in self._held if proof and holder.proof == proof), None)


class Failures:
    """Wrong keys by the place that they come from; who sends too many is not looked at for a while."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        # The moment at which the place has paid for every failure so far.
        self._paid_at: dict[str, float] = {}

    def wait_s(self, place: str) -> float:
        """For how many seconds no key from here is looked at; 0 for none."""
        owed = self._paid_at.get(place, 0.0) - self._monotonic()
        return max(0.0, owed - (FAILURES_MAX - 1) * PAUSE_S)

    def add(self, place: str) -> None:
        """A wrong key came from here."""
        now = self._monotonic()
        if place not in self._paid_at and len(self._paid_at) >= _PLACES_MAX:
            self._forget(now)
        self._paid_at[place] = max(now, self._paid_at.get(place, 0.0)) + PAUSE_S

    def _forget(self, now: float) -> None:
        still = {place: at for place, at in self._paid_at.items() if at > now}
        # Where every place is in debt, those with the least are forgiven.
        worst = sorted(still.items(), key=lambda item: item[1])[-_PLACES_MAX // 2 :]
        self._paid_at = dict(worst)


def scope_needed(method: str, path: str) -> Scope:
    """How far a key has to reach for a request."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return "read"
    # As the router takes it: slashes at the end and double ones lead to the same handler.
    called = f"/{'/'.join(filter(None, path.split('/')))}"
    if called in (SESSION, MCP) or called.startswith(f"{SESSION}/"):
        return "read"
    if called in ("/goals", "/api/v1/goals"):
        return "submit"
    return "admin" if called.endswith("/erase") else "operate"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
