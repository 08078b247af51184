"""The ports of the hub: what the pure rooms and the services ask of the outside world.

Each port has a real adapter and an in-memory one, and one contract suite runs over both. No type of NATS
or Postgres appears here; a large object goes in and out as a file.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from agenthub_events.base import Draft, Event, Metadata
from agenthub_events.runs import RecordedStep, RunId, Step
from agenthub_events.serialization.codec import Unreadable


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the log: its place, its subject and what it says.

    `seq` is the stream sequence, the only order of the hub. `event` is `Unreadable` when this code cannot read
    the body; nobody drops such a message. `sha256` is the hash of the stored body, byte for byte.
    """

    seq: int
    subject: str
    event: Event | Unreadable
    sha256: str = ""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class Stored(msgspec.Struct, frozen=True):
    """The event is in the log at `seq`, and stays there. `duplicate`: an earlier try had stored it."""

    seq: int
    duplicate: bool = False


class Conflict(msgspec.Struct, frozen=True):
    """Another writer came first: `tail` holds the aggregate's messages after the expected sequence."""

    tail: tuple[Recorded, ...]


class Unavailable(msgspec.Struct, frozen=True):
    """The log gave no answer, or its disk is full. Nothing is known to be lost: send the same again."""

    reason: str


AppendResult: TypeAlias = Stored | Conflict | Unavailable


class StepConflict(msgspec.Struct, frozen=True):
    """Somebody else has written to the run: the attempt is no longer ours."""

    last_seq: int


StepResult: TypeAlias = Stored | StepConflict | Unavailable


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What the shell adds to a draft when it is written: time, cause and trace."""

    now: datetime
    metadata: Metadata
    traceparent: str = ""


class EventLog(Protocol):
    """The immutable log of events, fenced per aggregate."""

    async def append(self, draft: Draft, stamp: Stamp) -> AppendResult:
        """Append one event, expecting `draft.expected` as the last sequence of its aggregate."""
        ...

    async def append_together(self, drafts: Sequence[Draft], stamp: Stamp) -> AppendResult:
        """Append several events to several aggregates, all or none; `Stored.seq` is that of the last."""
        ...

    async def read(self, prefix: str, *, after: int = 0, limit: int = 10_000) -> list[Recorded]:
        """Messages whose subject starts with `evt.<prefix>.`, in order, with `seq > after`."""
        ...

    async def last(self, prefix: str) -> Recorded | None:
        """The newest message below `evt.<prefix>.`, read from the leader; None when there is none."""
        ...

    async def last_seq(self) -> int:
        """The sequence of the newest message of the whole log; 0 when it is empty."""
        ...

    def follow(self, *, after: int, subjects: Sequence[str] = ("evt.>",)) -> AsyncGenerator[list[Recorded], None]:
        """Batches of what is pending, in order, without gap, forever; an empty batch means caught up.

        The first empty batch comes once everything stored when the call was made has been given out.
        """
        ...


class Artifacts(Protocol):
    """Objects under the hash of their content: bundles, logs, reports, contexts."""

    async def put(self, data: bytes) -> str:
        """Store `data` and return its sha256 (64 hex digits); storing the same again changes nothing."""
        ...

    async def get(self, digest: str) -> bytes:
        """The object of this digest. Raises `ArtifactMissing`."""
        ...

    async def put_file(self, path: Path) -> str:
        """As `put`, of a file that is never held in memory as a whole."""
        ...

    async def get_file(self, digest: str, path: Path) -> None:
        """As `get`, into the file `path`. Raises `ArtifactMissing`; then `path` may hold anything."""
        ...


class RunLog(Protocol):
    """The recorded steps of attempts, fenced per attempt."""

    async def append(self, run: RunId, step: Step, *, expected: int) -> StepResult:
        """Append a step, expecting `expected` as the last sequence of the run's steps (0: none yet)."""
        ...

    async def read(self, run: RunId) -> list[RecordedStep]:
        """All steps of the attempt, in order."""
        ...

    async def emit(self, run: RunId, kind: str, data: bytes) -> None:
        """Give out a chunk of output or progress; nothing waits for it and it may be lost."""
        ...


class FiredTimer(Protocol):
    """A timer that is due. It comes again until it is acknowledged."""

    kind: str
    goal_id: str
    task_id: str
    ref: str
    due: datetime

    async def ack(self) -> None:
        """The event that this timer caused is in the log, or it is no longer true."""
        ...


class Timers(Protocol):
    """Durable timers, one per (kind, goal, task): setting one again moves it."""

    async def set(self, kind: str, goal_id: str, task_id: str, *, due: datetime, ref: str) -> None:
        """Let the timer fire at `due`; `ref` says which attempt or question it is about."""
        ...

    def fired(self) -> AsyncGenerator[FiredTimer, None]:
        """Due timers, forever."""
        ...


class Delivery(Protocol):
    """One work order, handed to one worker, until it is acknowledged or handed back."""

    recorded: Recorded
    num_delivered: int
    ack_subject: str

    async def ack(self) -> None:
        """The attempt is closed in the log."""
        ...

    async def nak(self, delay_s: float = 0.0) -> None:
        """Hand the order back; it comes again after `delay_s` seconds, to anyone."""
        ...


class WorkQueue(Protocol):
    """The pull side of the work lanes for some agent types."""

    def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Orders, highest lane first, never more at once than `free` slots were announced."""
        ...

    def release(self) -> None:
        """One slot has become free."""
        ...

    def pause(self) -> None:
        """Take nothing new until `resume`; what was taken stays taken."""
        ...

    def resume(self) -> None:
        """Take orders again."""
        ...

    async def in_progress(self, ack_subject: str) -> None:
        """Keep an order from being delivered to somebody else."""
        ...


class Clock(Protocol):
    """Time as the shell sees it; the pure rooms get it as an argument."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class Ids(Protocol):
    """The source of randomness."""

    def token(self) -> str:
        """A fresh 26-character ULID, lower case."""
        ...

    def uniform(self) -> float:
        """A number in [0, 1), for jitter."""
        ...
