"""The recorded history of one goal: its events, the steps of its runs, and the objects that both name."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue.goal import GoalAccepted, GoalCancelled, GoalCompleted, GoalFailed
from agenthub_events.errors import ArtifactMissing, InvalidSubject
from agenthub_events.ports import Recorded
from agenthub_events.rules.authors import own
from agenthub_events.runs import RecordedStep, RunId, decode_step
from agenthub_events.serialization.codec import decode_at
from agenthub_events.subjects import Subject, parse_subject
from agenthub_replay.errors import HistoryMissing
from agenthub_runtime.exact_texts import is_kept_from

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_OVER = (GoalCompleted, GoalFailed, GoalCancelled)


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it stands in a stream: its sequence there, its subject, and the very bytes of its body."""

    seq: int
    subject: str
    data: bytes
    headers: Mapping[str, str] = {}

    @property
    def sha256(self) -> str:
        """The hash of the body."""
        return hashlib.sha256(self.data).hexdigest()


class HistorySource(Protocol):
    """Where histories are read. It has no way to write anything."""

    async def goals(self, *, since: int = 0) -> list[str]:
        """The ids of goals whose first event has a sequence above `since`, in the order of the log."""
        ...

    async def events(self, goal_id: str) -> list[StoredMessage]:
        """The goal's messages of the event log, in order."""
        ...

    async def steps(self, goal_id: str) -> list[StoredMessage]:
        """The recorded steps of all its runs, in order."""
        ...

    async def artifacts(self, digests: Collection[str]) -> Mapping[str, bytes]:
        """Those of these objects that are there."""
        ...


class GoalHistory:
    """One goal's history, complete and in memory; nobody changes it.

    `seal_keys` are the public keys of which its source says that they sign its seals.
    """

    def __init__(
        self,
        goal_id: str,
        events: Sequence[StoredMessage],
        steps: Sequence[StoredMessage] = (),
        objects: Mapping[str, bytes] | None = None,
        seal_keys: Sequence[str] = (),
    ) -> None:
        self.goal_id = goal_id
        self.messages = tuple(events)
        self.step_messages = tuple(steps)
        self.objects = dict(objects or {})
        self.seal_keys = tuple(seal_keys)

    def vouched_for(self, seal_keys: Sequence[str]) -> GoalHistory:
        """The same history, of which its source says that these public keys sign its seals."""
        return GoalHistory(self.goal_id, self.messages, self.step_messages, self.objects, seal_keys)

    @cached_property
    def events(self) -> tuple[Recorded, ...]:
        """The messages as everybody reads them."""
        return tuple(
            Recorded(
                seq=message.seq,
                subject=message.subject,
                event=decode_at(message.subject, message.data),
                sha256=message.sha256,
                headers=message.headers,
            )
            for message in self.messages
        )

    @cached_property
    def own_events(self) -> tuple[Recorded, ...]:
        """Its messages without foreign ones, of workers that do no such task: they count for nothing."""
        return tuple(own(self.events))

    @cached_property
    def subjects(self) -> Mapping[int, Subject]:
        """The subjects of its messages by sequence, those that are none left out."""
        found: dict[int, Subject] = {}
        for message in self.messages:
            try:
                found[message.seq] = parse_subject(message.subject)
            except InvalidSubject:
                continue
        return found

    @cached_property
    def runs(self) -> Mapping[RunId, tuple[RecordedStep, ...]]:
        """The recorded steps by run. Raises `msgspec.DecodeError` for a step that cannot be read."""
        found: dict[RunId, list[RecordedStep]] = {}
        for message in self.step_messages:
            _, goal_id, task_id, attempt, *_ = message.subject.split(".")
            run = RunId(goal_id, task_id, int(attempt))
            found.setdefault(run, []).append(RecordedStep(message.seq, decode_step(message.data)))
        return {run: tuple(steps) for run, steps in found.items()}

    @property
    def last_seq(self) -> int:
        """The sequence of its last event."""
        return self.messages[-1].seq

    @cached_property
    def is_over(self) -> bool:
        """Whether the goal has come to its end, so that nothing more is to be decided for it."""
        return any(isinstance(recorded.event, _OVER) for recorded in self.events)

    @cached_property
    def accepted(self) -> GoalAccepted | None:
        """The event that began it; None when it cannot be read."""
        return next((r.event for r in self.events if isinstance(r.event, GoalAccepted)), None)

    def event_at(self, seq: int) -> Recorded | None:
        """Its message of this sequence."""
        return next((recorded for recorded in self.events if recorded.seq == seq), None)

    def until(self, seq: int) -> tuple[Recorded, ...]:
        """Its messages up to this sequence of the log."""
        return tuple(recorded for recorded in self.events if recorded.seq <= seq)


class RecordedObjects:
    """The objects of a history behind the port `Artifacts`, which here takes nothing."""

    def __init__(self, history: GoalHistory) -> None:
        self._objects = history.objects

    async def put(self, data: bytes) -> str:
        """Nothing is stored by replay: that would be a defect of it."""
        raise AssertionError("replay writes nothing")

    async def get(self, digest: str) -> bytes:
        """The object of this digest. Raises `ArtifactMissing`."""
        found = self._objects.get(digest)
        if found is None:
            raise ArtifactMissing(f"No object `{digest}` is in this history")
        return found

    async def put_file(self, path: Path) -> str:
        """As `put`."""
        raise AssertionError("replay writes nothing")

    async def get_file(self, digest: str, path: Path) -> None:
        """Write the object of this digest into a file. Raises `ArtifactMissing`."""
        await asyncio.to_thread(path.write_bytes, await self.get(digest))


async def load(source: HistorySource, goal_id: str, *, is_whole: bool = True) -> GoalHistory:
    """The history of a goal with its runs and every object that it names; its events alone unless `is_whole`.

    Raises `HistoryMissing`, `StoreUnavailable`.
    """
    events = await source.events(goal_id)
    if not events:
        raise HistoryMissing(f"There is no goal `{goal_id[:60]}` in this log", field="goal_id")
    if not is_whole:
        return GoalHistory(goal_id, events)
    steps = await source.steps(goal_id)
    objects = await _objects(source, goal_id, [message.data for message in (*events, *steps)])
    return GoalHistory(goal_id, events, steps, objects)


async def _objects(source: HistorySource, goal_id: str, bodies: Iterable[bytes]) -> dict[str, bytes]:
    """The objects that these bodies name by their digests, and those that these name in turn.

    A history is given away as a file, and shown: what its goal has declared as secret is no part of it.
    """
    found: dict[str, bytes] = {}
    asked: set[str] = set()
    named = set().union(*map(named_in, bodies))
    while named:
        asked |= named
        read = await source.artifacts(sorted(named))
        new = {digest: data for digest, data in read.items() if not is_kept_from(data, goal_id)}
        found |= new
        named = set().union(*map(named_in, new.values())) - asked
    return found


def named_in(body: bytes) -> set[str]:
    """What may be the digest of an object in a body; any sha256 may be one."""
    return {digest.decode() for digest in _DIGEST.findall(body)}


def readable(recorded: Recorded) -> Event | None:
    """The event of a message; None when this code cannot read it."""
    return recorded.event if isinstance(recorded.event, Event) else None
