"""The ways in: a key, a session that a browser was given for one, and a one-time link to such a session."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from agenthub_gateway.commands.sessions import Sessions, session_in
from agenthub_gateway.edge.keys import Failures, Holder, Keys
from agenthub_gateway.errors import KeyRefused, TooManyFailures


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who may come in, how browsers do, and who has tried too often. Sessions raise `StoreUnavailable`."""

    keys: Keys
    failures: Failures
    sessions: Sessions

    async def holder_of_session(self, headers: Mapping[str, str]) -> Holder | None:
        """For whose key a browser's session was given; None without a session, or when the key is gone."""
        token = session_in(headers)
        return self.keys.proven(await self.sessions.proof_of(token)) if token else None

    async def by_key(self, place: str, secret: str) -> tuple[Holder, str]:
        """A session for a key. Raises `KeyRefused`, or `TooManyFailures` from a place of too many wrong ones."""
        wait_s = self.failures.wait_s(place)
        if wait_s:
            raise TooManyFailures(
                "Too many wrong keys came from here: none is looked at", wait_s=math.ceil(wait_s)
            )
        holder = self.keys.holder(f"Bearer {secret}")
        if holder is None:
            self.failures.add(place)
            raise KeyRefused("The hub does not know this key")
        return holder, await self.sessions.give("session", holder.proof)

    async def by_link(self, token: str) -> tuple[Holder, str]:
        """A session for a link, which is used up by it. Raises `SignInLinkSpent` or `KeyRefused`."""
        holder = self.keys.proven(await self.sessions.spend(token))
        if holder is None:
            raise KeyRefused("The key that this link was made with is no key of this hub any more")
        return holder, await self.sessions.give("session", holder.proof)
