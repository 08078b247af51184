"""`EventLog` in memory, equal to the one on JetStream, for simulations and fast tests.

It answers as the server does, message by message: the fence first, then the ids of the last two minutes. It never
sleeps and reads no clock but the stamps of its writers, so it works on a loop with virtual time. A *gate* is
awaited at named points of every operation; there a simulation delays, crashes or cuts the wire.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from bisect import bisect_right
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from agenthub_events.base import Draft
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import AppendResult, Conflict, Recorded, Stamp, Stored, Unavailable
from agenthub_events.serialization.codec import decode_at, encode
from agenthub_events.subjects import PREFIX

Gate: TypeAlias = Callable[[str], Awaitable[None]]

MSG_ID = "Nats-Msg-Id"
DUPLICATE_WINDOW = timedelta(minutes=2)


async def open_gate(point: str) -> None:
    """Let everything pass."""
    del point


class InMemoryEventLog:
    """A log in this process.

    `gate` is awaited with `append.before` and `append.after` (around the effect of both kinds of append), `read`,
    `last`, `last_seq` and `follow` (before a batch is given out). A gate that raises `StoreUnavailable` cuts the
    wire there: an append answers `Unavailable`, at `append.after` although the event is stored; reads raise.
    """

    def __init__(self, gate: Gate = open_gate) -> None:
        self._gate = gate
        self._messages: list[Recorded] = []
        self._below: dict[str, list[int]] = {}
        self._recent: dict[str, tuple[int, datetime]] = {}
        self._grown = asyncio.Event()

    async def append(self, draft: Draft, stamp: Stamp) -> AppendResult:
        """Append one event, expecting `draft.expected` as the last sequence of its aggregate."""
        return await self._gated([draft], stamp)

    async def append_together(self, drafts: Sequence[Draft], stamp: Stamp) -> AppendResult:
        """Append several events to several aggregates, all or none; `Stored.seq` is that of the last."""
        return await self._gated(drafts, stamp)

    async def read(self, prefix: str, *, after: int = 0, limit: int = 10_000) -> list[Recorded]:
        """Messages below `evt.<prefix>.`, in order, with `seq > after`; a `*` in the prefix is any token."""
        await self._gate("read")
        if "*" in prefix:
            wanted = _matcher((f"{PREFIX}.{prefix}.>",))
            return [message for message in self._messages[after:] if wanted(message.subject)][:limit]
        return self._tail(prefix, after)[:limit]

    async def last(self, prefix: str) -> Recorded | None:
        """The newest message below `evt.<prefix>.`; None when there is none."""
        await self._gate("last")
        seq = self._last_seq(prefix)
        return self._messages[seq - 1] if seq else None

    async def last_seq(self) -> int:
        """The sequence of the newest message of the whole log; 0 when it is empty."""
        await self._gate("last_seq")
        return len(self._messages)

    async def follow(
        self, *, after: int, subjects: Sequence[str] = ("evt.>",)
    ) -> AsyncGenerator[list[Recorded], None]:
        """Batches of what is pending, in order, without gap; one empty batch when caught up with the call."""
        wanted = _matcher(subjects)
        goal = len(self._messages)
        caught_up = False
        while True:
            grown = self._grown
            await self._gate("follow")
            batch = [message for message in self._messages[after:] if wanted(message.subject)]
            after = max(after, len(self._messages))
            if batch:
                yield batch
            if not caught_up and after >= goal:
                caught_up = True
                yield []
            if after >= len(self._messages):
                await grown.wait()

    def inject(self, subject: str, data: bytes, headers: Mapping[str, str] | None = None) -> int:
        """Store any body on any subject, unfenced, as a foreign program with write access could."""
        seq = len(self._messages) + 1
        digest = hashlib.sha256(data).hexdigest()
        self._messages.append(
            Recorded(
                seq=seq, subject=subject, event=decode_at(subject, data), sha256=digest, headers=headers or {}
            )
        )
        tokens = subject.split(".")[1:]
        for depth in range(1, len(tokens)):
            self._below.setdefault(".".join(tokens[:depth]), []).append(seq)
        self._grown.set()
        self._grown = asyncio.Event()
        return seq

    async def _gated(self, drafts: Sequence[Draft], stamp: Stamp) -> AppendResult:
        try:
            await self._gate("append.before")
            result = self._append(drafts, stamp)
            await self._gate("append.after")
        except StoreUnavailable as error:
            return Unavailable(str(error))
        return result

    def _append(self, drafts: Sequence[Draft], stamp: Stamp) -> AppendResult:
        fences: dict[str, int] = {}
        for draft in drafts:
            fences.setdefault(draft.originator_id, draft.expected)
        if any(self._last_seq(prefix) != expected for prefix, expected in fences.items()):
            return self._refused(drafts, fences)
        known = [self._known(draft, stamp.now) for draft in drafts]
        if len(drafts) == 1 and known[0]:
            return Stored(known[0], duplicate=True)
        if any(known):
            return Conflict(())
        return Stored([self._store(draft, stamp) for draft in drafts][-1])

    def _refused(self, drafts: Sequence[Draft], fences: Mapping[str, int]) -> AppendResult:
        tail = [message for prefix, expected in fences.items() for message in self._tail(prefix, expected)]
        places = {(message.subject, message.headers.get(MSG_ID)): message.seq for message in tail}
        if all((draft.subject, draft.event_id) in places for draft in drafts):
            return Stored(places[drafts[-1].subject, drafts[-1].event_id], duplicate=True)
        return Conflict(tuple(sorted(tail, key=lambda message: message.seq)))

    def _store(self, draft: Draft, stamp: Stamp) -> int:
        trace = {"traceparent": stamp.traceparent} if stamp.traceparent else {}
        data = encode(draft.sealed(stamp.now, stamp.metadata))
        seq = self.inject(draft.subject, data, {MSG_ID: draft.event_id, **trace})
        self._recent[draft.event_id] = (seq, stamp.now)
        return seq

    def _known(self, draft: Draft, now: datetime) -> int:
        seq, stored_at = self._recent.get(draft.event_id, (0, now))
        is_same = seq and self._messages[seq - 1].subject == draft.subject
        return seq if is_same and now - stored_at < DUPLICATE_WINDOW else 0

    def _last_seq(self, prefix: str) -> int:
        places = self._below.get(prefix)
        return places[-1] if places else 0

    def _tail(self, prefix: str, after: int) -> list[Recorded]:
        places = self._below.get(prefix, [])
        return [self._messages[seq - 1] for seq in places[bisect_right(places, after) :]]


def _matcher(subjects: Iterable[str]) -> Callable[[str], bool]:
    if any(subject == f"{PREFIX}.>" for subject in subjects):
        return lambda _: True
    pattern = re.compile("|".join(_pattern(subject) for subject in subjects))
    return lambda subject: pattern.fullmatch(subject) is not None


def _pattern(subject: str) -> str:
    """A regular expression for a NATS subject filter: `*` is one token, `>` one or more at the end."""
    words = {"*": r"[^.]+", ">": r".+"}
    return r"\.".join(words.get(token) or re.escape(token) for token in subject.split("."))
