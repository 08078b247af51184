"""Outputs that were too long for a receipt, kept whole beside the log, and the logs that an order names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from agenthub_events.context import WorkContext
from agenthub_events.errors import ArtifactMissing
from agenthub_events.runs import kept_id
from agenthub_worker.lease.lease import Lease


class KeptOutputs:
    """What an agent may read by `more`: what its own run has kept (`run_kept`, by id), and `logs`."""

    def __init__(self, lease: Lease, run_kept: Mapping[str, str], logs: Iterable[str]) -> None:
        self._lease = lease
        self._run_kept = run_kept
        self._logs = {kept_id(digest): digest for digest in logs}

    async def keep(self, text: str) -> str:
        """Store a text, without what the hub knows as secret; its digest."""
        data = self._lease.secrets.masked(text).encode(errors="replace")
        return await self._lease.ports.patiently(partial(self._lease.ports.artifacts.put, data))

    async def read(self, name: str) -> str | None:
        """The text that an id stands for; None: this agent was never told of it, or it is not kept any more."""
        digest = self._run_kept.get(name) or self._logs.get(name)
        if digest is None:
            return None
        try:
            data = await self._lease.ports.patiently(partial(self._lease.ports.artifacts.get, digest))
        except ArtifactMissing:
            return None
        return data.decode("utf-8", "replace")


def logs_of(context: WorkContext) -> list[str]:
    """The digests of the logs that an order names: those of the gate whose failure it is about."""
    return [context.trouble.log_ref] if context.trouble is not None and context.trouble.log_ref else []
