"""The asyncio twin of the eventsourcing library's `Repository` and `Application.save`.

Folds of aggregates, kept and brought up to date by the messages that came since; and appends that keep the fold.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

import msgspec
from eventsourcing.application import AggregateNotFoundError
from eventsourcing.persistence import IntegrityError, MapperDeserialisationError, OperationalError

from agenthub_events.base import Draft, Event
from agenthub_events.ports import Conflict, EventLog, Recorded, Stamp, Stored, Unavailable
from agenthub_events.serialization.codec import Unreadable

S = TypeVar("S")

CACHE_SIZE = 1_000
_TRIES = 20


class Loaded(msgspec.Struct, Generic[S], frozen=True):
    """An aggregate: its state, the stream sequence of its newest message, and its version.

    `seq` and `version + 1` are the fence of the next draft; both are 0 when there is nothing yet.
    """

    state: S
    seq: int
    version: int


class AsyncRepository(Generic[S]):
    """Aggregates of one kind, folded by pure functions.

    `initial(originator_id)` is the state before the first event, `evolve(state, seq, event)` the state after one
    more. `cache_size` states are kept; a state must be immutable.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        initial: Callable[[str], S],
        evolve: Callable[[S, int, Event], S],
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._log = log
        self._initial = initial
        self._evolve = evolve
        self._cache_size = cache_size
        self._cache: OrderedDict[str, Loaded[S]] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, originator_id: str, *, version: int | None = None) -> Loaded[S]:
        """The aggregate as it is now, or as it was at `version`.

        Raises `AggregateNotFoundError`, `MapperDeserialisationError` (an event in it cannot be read),
        `StoreUnavailable`.
        """
        if version is not None:
            past = await self._log.read(originator_id, limit=version)
            loaded = self._fold(self._empty(originator_id), past)
        else:
            loaded = await self.find(originator_id)
        if loaded.version == 0:
            raise AggregateNotFoundError(f"There is nothing under `{originator_id}`")
        return loaded

    async def find(self, originator_id: str) -> Loaded[S]:
        """As `get`, but nothing yet is version 0 and no error."""
        known = self._cache.get(originator_id) or self._empty(originator_id)
        news = await self._log.read(originator_id, after=known.seq)
        return self._keep(originator_id, self._fold(known, news))

    async def save(self, *drafts: Draft, stamp: Stamp) -> Stored:
        """Append drafts, all or none; the place of the last.

        Raises `IntegrityError` when another writer came first, `OperationalError` when the log cannot store.
        """
        if len(drafts) == 1:
            result = await self._log.append(drafts[0], stamp)
        else:
            result = await self._log.append_together(drafts, stamp)
        match result:
            case Conflict():
                places = ", ".join(f"`{draft.originator_id}` at sequence {draft.expected}" for draft in drafts)
                raise IntegrityError(f"The log has moved on behind {places}: load again")
            case Unavailable(reason=reason):
                raise OperationalError(f"The log could not store `{drafts[-1].event.type}`: {reason}")
        return result

    async def handle(
        self, originator_id: str, decide: Callable[[Loaded[S]], Sequence[Draft]], stamp: Stamp
    ) -> tuple[Sequence[Draft], Stored | None]:
        """Load, decide, append; when another writer comes first, all of it again.

        In this process one command at a time works on an aggregate. `decide` returns drafts that are fenced on
        what it was given; none means that there is nothing to do, and its errors pass through. Returns the
        drafts and the place of the last. Raises `OperationalError`, `StoreUnavailable`,
        `MapperDeserialisationError`, and `IntegrityError` when others keep coming first.
        """
        async with self.lock(originator_id):
            for _ in range(_TRIES):
                drafts = decide(await self.find(originator_id))
                if not drafts:
                    return drafts, None
                try:
                    return drafts, await self.save(*drafts, stamp=stamp)
                except IntegrityError:
                    continue
        raise IntegrityError(f"`{originator_id}` is too busy: other writers came first {_TRIES} times")

    @asynccontextmanager
    async def lock(self, originator_id: str) -> AsyncIterator[None]:
        """Keep other tasks of this process from working on the aggregate; the fence is what makes it safe."""
        lock = self._locks.get(originator_id)
        if lock is None:
            lock = self._locks[originator_id] = asyncio.Lock()
        async with lock:
            yield

    def _empty(self, originator_id: str) -> Loaded[S]:
        return Loaded(self._initial(originator_id), 0, 0)

    def _fold(self, loaded: Loaded[S], news: Sequence[Recorded]) -> Loaded[S]:
        state, seq, version = loaded.state, loaded.seq, loaded.version
        for message in news:
            if isinstance(message.event, Unreadable):
                raise MapperDeserialisationError(
                    f"Message {message.seq} on `{message.subject}` cannot be read, nothing may be decided there:"
                    f" {message.event.reason}"
                )
            state, seq, version = self._evolve(state, message.seq, message.event), message.seq, version + 1
        return Loaded(state, seq, version)

    def _keep(self, originator_id: str, loaded: Loaded[S]) -> Loaded[S]:
        known = self._cache.pop(originator_id, loaded)
        newest = loaded if loaded.seq >= known.seq else known
        self._cache[originator_id] = newest
        if len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return newest
