"""Policies as objects: each is stored before the first event that was decided by it."""

from __future__ import annotations

from agenthub_events.context import digest_of
from agenthub_events.ports import Artifacts
from agenthub_orchestrator.domain import Policy, encode_policy


class PolicyObjects:
    """The policies of this process by their digests."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._last: tuple[Policy, str] | None = None
        self._bodies: dict[str, bytes] = {}
        self._stored: set[str] = set()

    def ref(self, policy: Policy) -> str:
        """The digest under which the policy will be stored."""
        if self._last is None or self._last[0] is not policy:
            body = encode_policy(policy)
            self._last = (policy, digest_of(body))
            if self._last[1] not in self._stored:
                self._bodies[self._last[1]] = body
        return self._last[1]

    async def keep(self, ref: str) -> None:
        """Store the policy of this digest unless this process has done so. Raises `StoreUnavailable`."""
        if ref not in self._stored:
            await self._artifacts.put(self._bodies[ref])
            self._stored.add(ref)
            # Others that wait for the same one hold it themselves.
            self._bodies.pop(ref, None)
