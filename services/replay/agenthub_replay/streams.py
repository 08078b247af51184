"""Histories out of the streams of a hub, by reads alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from agenthub_events.subjects import filter_of
from agenthub_replay.history import StoredMessage

# Those that a schedule has begun say so behind it.
_ACCEPTED = ("evt.*._.goal.accepted", "evt.*._.goal.accepted.*")


class _Raw(Protocol):
    @property
    def seq(self) -> int: ...
    @property
    def subject(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


class Stream(Protocol):
    """The reading side of a stream."""

    async def read(self, subject_filter: str, *, after: int = 0) -> Sequence[_Raw]:
        """Messages of the filter in order, with `seq > after`. Raises `StoreUnavailable`."""
        ...


class Objects(Protocol):
    """The reading side of the object store."""

    async def get_all(self, digests: Collection[str]) -> Mapping[str, bytes]:
        """Those of the objects that are there. Raises `StoreUnavailable`."""
        ...


class StreamsSource:
    """A source on the streams EVENTS and RUNS and the object store of a hub."""

    def __init__(self, events: Stream, runs: Stream, objects: Objects) -> None:
        self._events = events
        self._runs = runs
        self._objects = objects

    async def goals(self, *, since: int = 0) -> list[str]:
        """The ids of goals whose first event has a sequence above `since`, in the order of the log."""
        found = [raw for one in _ACCEPTED for raw in await self._events.read(one, after=since)]
        return [raw.subject.split(".")[1] for raw in sorted(found, key=lambda raw: raw.seq)]

    async def events(self, goal_id: str) -> list[StoredMessage]:
        """The goal's messages of the event log, in order."""
        return [_stored(raw) for raw in await self._events.read(filter_of(goal_id))]

    async def steps(self, goal_id: str) -> list[StoredMessage]:
        """The recorded steps of all its runs, in order."""
        return [_stored(raw) for raw in await self._runs.read(f"run.{goal_id}.*.*.step.>")]

    async def artifacts(self, digests: Collection[str]) -> Mapping[str, bytes]:
        """Those of these objects that are there."""
        return await self._objects.get_all(digests)


def _stored(raw: _Raw) -> StoredMessage:
    return StoredMessage(seq=raw.seq, subject=raw.subject, data=raw.data, headers=dict(raw.headers))
