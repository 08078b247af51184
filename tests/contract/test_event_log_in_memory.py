"""What only the log in memory does: gates for simulations, and time as its writers tell it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Stored, Unavailable
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from tests.support.event_samples import GOAL, NOW, STAMP, cancelled, completed, draft, merged, paused


async def test_the_gate_is_passed_around_every_effect() -> None:
    passed: list[tuple[str, int]] = []

    async def gate(point: str) -> None:
        passed.append((point, size()))

    log = InMemoryEventLog(gate)

    def size() -> int:
        return len(log._messages)

    await log.append(draft(paused()), STAMP)
    await log.append_together([draft(merged()), draft(completed(), task_id="t-a")], STAMP)
    await log.read(GOAL)
    await log.last(GOAL)
    await log.last_seq()
    await anext(aiter(log.follow(after=0)))
    assert passed == [
        ("append.before", 0),
        ("append.after", 1),
        ("append.before", 1),
        ("append.after", 3),
        ("read", 3),
        ("last", 3),
        ("last_seq", 3),
        ("follow", 3),
    ]


@pytest.mark.parametrize(("cut", "stored"), [("append.before", 0), ("append.after", 1)])
async def test_a_cut_wire_is_unavailable_whether_or_not_the_event_is_stored(cut: str, stored: int) -> None:
    broken = True

    async def gate(point: str) -> None:
        if broken and point == cut:
            raise StoreUnavailable("cut")

    log = InMemoryEventLog(gate)
    assert await log.append(draft(paused()), STAMP) == Unavailable("cut")
    assert await log.last_seq() == stored
    broken = False
    assert await log.append(draft(paused()), STAMP) == Stored(1, duplicate=bool(stored))


async def test_a_task_cancelled_behind_the_effect_leaves_the_event_behind() -> None:
    reached = asyncio.Event()

    async def gate(point: str) -> None:
        if point == "append.after":
            reached.set()
            await asyncio.Event().wait()

    log = InMemoryEventLog(gate)
    writer = asyncio.create_task(log.append(draft(paused()), STAMP))
    await reached.wait()
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    assert await log.last_seq() == 1


async def test_ids_are_remembered_for_two_minutes_of_the_writers_time() -> None:
    log = InMemoryEventLog()
    await log.append(draft(paused()), STAMP)
    soon = msgspec.structs.replace(STAMP, now=NOW + timedelta(seconds=119))
    late = msgspec.structs.replace(STAMP, now=NOW + timedelta(seconds=121))
    again = draft(paused(), expected=1, version=2)
    assert await log.append(again, soon) == Stored(1, duplicate=True)
    assert await log.append(again, late) == Stored(2)


async def test_a_gate_may_hold_a_follower_back_while_the_log_grows() -> None:
    hold = asyncio.Event()

    async def gate(point: str) -> None:
        if point == "follow":
            await hold.wait()

    log = InMemoryEventLog(gate)
    batches = aiter(log.follow(after=0))
    first = asyncio.ensure_future(anext(batches))
    await log.append(draft(paused()), STAMP)
    await log.append(draft(cancelled(), expected=1, version=2), STAMP)
    hold.set()
    assert [message.seq for message in await first] == [1, 2]
    assert await anext(batches) == []
