"""What every part of a worker works with: the ports, and who this worker is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from agenthub_events.base import Draft
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import (
    Artifacts,
    Clock,
    Conflict,
    EventLog,
    Ids,
    Recorded,
    RunLog,
    Stamp,
    Stored,
    Unavailable,
)
from agenthub_events.redaction import NO_SECRETS, KnownSecrets
from agenthub_runtime.exact_texts import ExactTexts
from agenthub_runtime.following import Backoff
from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_runtime.remotes.credentials import NO_ACCESS, GitAccess
from agenthub_runtime.telemetry.tracing import Telemetry
from agenthub_worker.advisories.source import AdvisorySource
from agenthub_worker.environment.provision import Environments
from agenthub_worker.sandbox.port import Sandbox

log = structlog.get_logger()

T = TypeVar("T")

CrashPoint = Callable[[str], None]
"""Called with the name of a place between two steps; does nothing but in tests that end the process there."""

_ALL = 1_000_000
_RECORDS_KEPT = 20_000
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


class Fleet(Protocol):
    """Who is alive."""

    async def publish(self, status: WorkerStatus) -> None:
        """Say that this worker is alive."""
        ...

    async def alive(self, worker: str, instance: str, holding: str) -> bool:
        """Whether this very instance says that it holds the attempt `<goal>.<task>.<attempt>`."""
        ...


def no_crash(name: str) -> None:
    """The crash point of a real worker."""
    del name


@dataclass(frozen=True)
class WorkerPorts:
    """The ports of a worker and its identity: `instance` is random per process, `folder` shared on a machine.

    `secrets` are the credentials that the hub itself holds, `git` those for repositories. Without `environments`
    commands have what this worker has; without `advisories` nobody is asked about dependencies.
    """

    worker: str
    instance: str
    events: EventLog
    runs: RunLog
    artifacts: Artifacts
    fleet: Fleet
    clock: Clock
    ids: Ids
    sandbox: Sandbox
    folder: Path
    telemetry: Telemetry
    secrets: KnownSecrets = NO_SECRETS
    git: GitAccess = NO_ACCESS
    crash_point: CrashPoint = no_crash
    environments: Environments | None = None
    advisories: AdvisorySource | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _read: dict[str, tuple[Recorded, ...]] = field(default_factory=dict, init=False, repr=False)

    @property
    def exact_texts(self) -> ExactTexts:
        """What goals keep beside the log."""
        return ExactTexts(self.artifacts, self.ids)

    @property
    def workspaces(self) -> Path:
        """Where this worker, and nobody else, makes workspaces."""
        return self.folder / "workspaces" / _UNSAFE.sub("-", self.worker)

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask a store again until it answers: one that is away loses nothing."""
        backoff = Backoff(self.clock, self.ids)
        failures = 0
        while True:
            try:
                return await ask()
            except StoreUnavailable as error:
                failures += 1
                log.warning("store_unavailable", error=str(error), failures=failures)
            await backoff.pause(failures)

    async def orders_of(self, goal_id: str) -> Sequence[Recorded]:
        """All orders of a goal: they say who may write about which of its tasks."""
        return await self.grown(f"{goal_id}.*.task.enqueued")

    async def grown(self, prefix: str) -> Sequence[Recorded]:
        """Every message below a prefix. Only what has come since the last time is read: nothing of it changes.

        For what grows with its goal, and would be read anew by each of its tasks.
        """
        known = self._read.get(prefix, ())
        after = known[-1].seq if known else 0
        more = await self.patiently(lambda: self.events.read(prefix, after=after, limit=_ALL))
        self._read.pop(prefix, None)
        found = self._read[prefix] = (*known, *more)
        while len(self._read) > 1 and sum(map(len, self._read.values())) > _RECORDS_KEPT:
            self._read.pop(next(iter(self._read)))
        return found

    async def append(self, drafts: Sequence[Draft], stamp: Stamp) -> Stored | Conflict:
        """Append one event, or several as one, and send the same bytes again until the log has answered."""

        async def send() -> Stored | Conflict:
            if len(drafts) == 1:
                result = await self.events.append(drafts[0], stamp)
            else:
                result = await self.events.append_together(drafts, stamp)
            if isinstance(result, Unavailable):
                raise StoreUnavailable(result.reason)
            return result

        return await self.patiently(send)

    async def pause(self, seconds: float) -> None:
        """Wait for `seconds`, spread by up to a quarter so that many workers do not come back at once."""
        await self.clock.sleep(seconds * (1 + self.ids.uniform() / 4))
