"""What every event log does: the one on JetStream and the one in memory answer alike."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import NamedTuple

import pytest

from agenthub_events.base import Draft
from agenthub_events.ports import Conflict, EventLog, Recorded, Stored
from agenthub_events.serialization.codec import Unreadable
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.event_samples import (
    GOAL,
    OTHER_GOAL,
    STAMP,
    TRACE,
    cancelled,
    completed,
    draft,
    merged,
    noted,
    paused,
)
from tests.support.event_streams import connected, create_stream, drop_stream
from tests.support.servers import running_nats


class Rig(NamedTuple):
    """A log, and a way past it: any body on any subject, as a foreign program could publish it."""

    log: EventLog
    inject: Callable[..., Awaitable[None]]


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_nats(tmp_path_factory.mktemp("log")) as server:
        yield server.authorised_url


@pytest.fixture(params=["jetstream", "memory"])
async def rig(request: pytest.FixtureRequest, nats_url: str) -> AsyncIterator[Rig]:
    if request.param == "memory":
        memory = InMemoryEventLog()

        async def keep(subject: str, data: bytes, headers: dict[str, str] | None = None) -> None:
            memory.inject(subject, data, headers)

        yield Rig(memory, keep)
        return
    async with connected(nats_url) as nc:
        await create_stream(nc, "EVENTS")

        async def publish(subject: str, data: bytes, headers: dict[str, str] | None = None) -> None:
            await nc.jetstream().publish(subject, data, headers=headers)

        yield Rig(JetStreamEventLog(nc), publish)
        await drop_stream(nc, "EVENTS")


@pytest.fixture
def log(rig: Rig) -> EventLog:
    return rig.log


async def store(log: EventLog, one: Draft) -> int:
    result = await log.append(one, STAMP)
    assert isinstance(result, Stored), result
    return result.seq


async def fill(log: EventLog, count: int, *, goal_id: str = GOAL) -> None:
    """One event on each of `count` tasks."""
    for start in range(0, count, 100):
        results = await asyncio.gather(
            *(
                log.append(draft(noted(), task_id=f"t-{number}", goal_id=goal_id), STAMP)
                for number in range(start, min(count, start + 100))
            )
        )
        assert all(isinstance(result, Stored) for result in results)


async def taken(log: EventLog, after: int = 0, subjects: tuple[str, ...] = ("evt.>",)) -> list[Recorded]:
    """What a follower gives out until it has caught up."""
    found: list[Recorded] = []
    async for batch in log.follow(after=after, subjects=subjects):
        if not batch:
            break
        found.extend(batch)
    return found


async def test_an_appended_event_is_read_back_with_its_envelope_and_its_trace(log: EventLog) -> None:
    wanted = draft(paused())
    assert await log.append(wanted, STAMP) == Stored(1, duplicate=False)
    (found,) = await log.read(GOAL)
    assert found.seq == 1
    assert found.subject == f"evt.{GOAL}._.goal.paused"
    assert found.event == wanted.sealed(STAMP.now, STAMP.metadata)
    assert found.headers == {"Nats-Msg-Id": wanted.event_id, "traceparent": TRACE}


async def test_an_append_whose_acknowledgement_was_lost_is_found_and_not_doubled(log: EventLog) -> None:
    again = draft(paused())
    seq = await store(log, again)
    await store(log, draft(cancelled(), expected=seq, version=2))
    assert await log.append(again, STAMP) == Stored(seq, duplicate=True)
    assert await log.last_seq() == 2


async def test_the_same_event_on_a_newer_fence_is_the_one_stored_before(log: EventLog) -> None:
    seq = await store(log, draft(paused()))
    assert await log.append(draft(paused(), expected=seq, version=2), STAMP) == Stored(seq, duplicate=True)


async def test_of_many_writers_one_wins_and_the_others_see_who(log: EventLog) -> None:
    rivals = [draft(noted(f"word {number}"), f"request-{number}", task_id="t-a") for number in range(20)]
    results = await asyncio.gather(*(log.append(rival, STAMP) for rival in rivals))
    winners = [rival for rival, result in zip(rivals, results, strict=True) if isinstance(result, Stored)]
    losers = [result for result in results if isinstance(result, Conflict)]
    assert len(winners) == 1
    assert len(losers) == 19
    (stored,) = await log.read(f"{GOAL}.t-a")
    assert stored.headers["Nats-Msg-Id"] == winners[0].event_id
    assert all(loser.tail == (stored,) for loser in losers)


async def test_a_conflict_carries_everything_that_came_after_the_expected_sequence(log: EventLog) -> None:
    first = await store(log, draft(paused("ada")))
    second = await store(log, draft(paused("bob"), "2", expected=first, version=2))
    third = await store(log, draft(cancelled(), "3", expected=second, version=3))
    result = await log.append(draft(paused("eve"), "4", expected=first, version=2), STAMP)
    assert isinstance(result, Conflict)
    assert [message.seq for message in result.tail] == [second, third]


async def test_a_writer_that_expects_more_than_there_is_conflicts_with_nobody_in_the_tail(log: EventLog) -> None:
    await store(log, draft(paused()))
    assert await log.append(draft(cancelled(), expected=77, version=9), STAMP) == Conflict(())


async def test_tasks_and_families_are_fences_of_their_own(log: EventLog) -> None:
    await store(log, draft(paused()))
    await store(log, draft(merged()))
    await store(log, draft(noted(), task_id="t-a"))
    await store(log, draft(noted(task_id="t-ab"), task_id="t-ab"))
    await store(log, draft(paused(), goal_id=OTHER_GOAL))
    assert await log.last_seq() == 5


async def test_a_batch_stores_all_and_says_where_its_last_event_is(log: EventLog) -> None:
    started = await store(log, draft(noted(), task_id="t-a"))
    batch = [draft(merged()), draft(completed(), task_id="t-a", expected=started, version=2)]
    assert await log.append_together(batch, STAMP) == Stored(3)
    assert [message.seq for message in await log.read(GOAL, after=started)] == [2, 3]


async def test_a_batch_sent_again_is_found_whole(log: EventLog) -> None:
    batch = [draft(merged()), draft(completed(), task_id="t-a")]
    first = await log.append_together(batch, STAMP)
    assert first == Stored(2)
    await store(log, draft(noted(), task_id="t-a", expected=2, version=2))
    assert await log.append_together(batch, STAMP) == Stored(2, duplicate=True)
    assert await log.last_seq() == 3


async def test_a_batch_with_one_stale_fence_stores_nothing(log: EventLog) -> None:
    head = await store(log, draft(merged(task_id="t-other"), "other"))
    batch = [draft(completed(), task_id="t-a"), draft(merged(), expected=0)]
    result = await log.append_together(batch, STAMP)
    assert isinstance(result, Conflict)
    assert [message.seq for message in result.tail] == [head]
    assert await log.read(f"{GOAL}.t-a") == []


async def test_a_batch_may_hold_several_events_of_one_aggregate(log: EventLog) -> None:
    batch = [
        draft(noted(str(number)), str(number), task_id="t-a", expected=0, version=number) for number in (1, 2, 3)
    ]
    assert await log.append_together(batch, STAMP) == Stored(3)
    assert [message.seq for message in await log.read(f"{GOAL}.t-a")] == [1, 2, 3]


async def test_reads_stay_below_their_prefix_and_behind_their_start(log: EventLog) -> None:
    await store(log, draft(paused()))
    await store(log, draft(noted(), task_id="t-a"))
    await store(log, draft(merged()))
    await store(log, draft(noted(), task_id="t-a", ordinal="2", expected=2, version=2))
    await store(log, draft(paused(), goal_id=OTHER_GOAL))

    async def sequences(prefix: str, after: int = 0, limit: int = 10_000) -> list[int]:
        return [message.seq for message in await log.read(prefix, after=after, limit=limit)]

    assert await sequences(GOAL) == [1, 2, 3, 4]
    assert await sequences(f"{GOAL}.t-a") == [2, 4]
    assert await sequences(f"{GOAL}._") == [1, 3]
    assert await sequences(f"{GOAL}._.goal") == [1]
    assert await sequences(GOAL, after=2) == [3, 4]
    assert await sequences(GOAL, after=1, limit=2) == [2, 3]
    assert await sequences(GOAL, after=4) == []
    assert await sequences("g-nobody") == []


async def test_the_last_message_of_a_prefix(log: EventLog) -> None:
    assert await log.last(GOAL) is None
    assert await log.last_seq() == 0
    await store(log, draft(paused()))
    await store(log, draft(noted(), task_id="t-a"))
    newest = await log.last(GOAL)
    assert newest == (await log.read(GOAL))[-1]
    family = await log.last(f"{GOAL}._.goal")
    assert family is not None
    assert family.seq == 1
    assert await log.last_seq() == 2


async def test_a_read_may_be_longer_than_a_page(log: EventLog) -> None:
    await fill(log, 1_200)
    assert [message.seq for message in await log.read(GOAL)] == list(range(1, 1_201))
    assert len(await log.read(GOAL, limit=1_100)) == 1_100


UNREADABLE = [
    (b'{"type":"goal.levitated","originator_id":"x"}', "unknown event type"),
    (b'{"type":"goal.paused"', "not a JSON object"),
    (b'{"type":"goal.paused"}', "does not fit its schema"),
    (b'{"type":"goal.paused","class_version":9,"by":"ada"}', "newer than this code"),
    (b'{"type":"goal.cancelled","by":"ada"}', "its subject says that it is a `goal.paused`"),
    (b"", "not a JSON object"),
]


@pytest.mark.parametrize(("body", "reason"), UNREADABLE)
async def test_what_cannot_be_read_is_given_out_as_unreadable_everywhere(
    rig: Rig, body: bytes, reason: str
) -> None:
    await rig.inject(f"evt.{GOAL}._.goal.paused", body)
    result = await rig.log.append(draft(cancelled()), STAMP)
    assert isinstance(result, Conflict)
    newest = await rig.log.last(GOAL)
    assert newest is not None
    for found in (*await rig.log.read(GOAL), newest, *await taken(rig.log), *result.tail):
        assert found.seq == 1
        assert isinstance(found.event, Unreadable)
        assert reason in found.event.reason
        assert found.event.data == body
        assert found.sha256 == hashlib.sha256(body).hexdigest()


async def test_an_unreadable_message_does_not_stop_a_follower(rig: Rig) -> None:
    await rig.inject(f"evt.{GOAL}._.goal.paused", b"\xff\x00")
    await rig.inject("evt.strange", b"{}")
    await store(rig.log, draft(noted(), task_id="t-a"))
    assert [message.seq for message in await taken(rig.log)] == [1, 2, 3]


async def test_an_event_is_stored_also_where_its_id_was_taken_by_a_foreign_message(rig: Rig) -> None:
    """Ids follow from what an event is: whoever may write anything at all can be there first."""
    wanted = draft(paused())
    taken_by = {"Nats-Msg-Id": wanted.event_id}
    await rig.inject(f"evt.{OTHER_GOAL}.t-x.task.failed.coding", b"{}", taken_by)
    assert await store(rig.log, wanted) == 2
    again = await rig.log.append(wanted, STAMP)
    assert again == Stored(2, duplicate=True)
    (found,) = await rig.log.read(GOAL)
    assert getattr(found.event, "event_id", "") == wanted.event_id


async def test_a_foreign_message_with_the_id_of_an_event_is_not_taken_for_it(rig: Rig) -> None:
    wanted = draft(noted(), task_id="t-a")
    await rig.inject(f"evt.{GOAL}.t-a.task.failed.review", b"{}", {"Nats-Msg-Id": wanted.event_id})
    result = await rig.log.append(wanted, STAMP)
    assert isinstance(result, Conflict)
    assert [message.seq for message in result.tail] == [1]


async def test_a_batch_is_stored_also_where_one_of_its_ids_was_taken(rig: Rig) -> None:
    wanted = [draft(merged()), draft(noted(), task_id="t-a")]
    await rig.inject(f"evt.{OTHER_GOAL}.t-x.task.failed.coding", b"{}", {"Nats-Msg-Id": wanted[0].event_id})
    result = await rig.log.append_together(wanted, STAMP)
    assert result == Stored(3)
    assert await rig.log.append_together(wanted, STAMP) == Stored(3, duplicate=True)


async def test_an_event_without_a_trace_has_no_header_for_it(rig: Rig) -> None:
    await rig.log.append(draft(paused()), STAMP.__class__(now=STAMP.now, metadata=STAMP.metadata, traceparent=""))
    (found,) = await rig.log.read(GOAL)
    assert list(found.headers) == ["Nats-Msg-Id"]


async def test_following_an_empty_log_begins_with_caught_up(log: EventLog) -> None:
    batches: list[list[int]] = []
    async for batch in log.follow(after=0):
        batches.append([message.seq for message in batch])
        if batch:
            break
        await store(log, draft(paused()))
    assert batches == [[], [1]]


async def test_a_follower_gets_everything_once_in_order_then_caught_up_then_what_comes(log: EventLog) -> None:
    await fill(log, 150)
    seen: list[int] = []
    before: list[list[int]] = []
    async for batch in log.follow(after=0):
        if not batch:
            before.append(list(seen))
            await fill(log, 50, goal_id=OTHER_GOAL)
        seen.extend(message.seq for message in batch)
        if len(seen) >= 200:
            break
    assert before == [list(range(1, 151))]
    assert seen == list(range(1, 201))


async def test_a_follower_starts_behind_the_sequence_it_is_given(log: EventLog) -> None:
    await fill(log, 10)
    assert [message.seq for message in await taken(log, after=7)] == [8, 9, 10]
    assert await taken(log, after=10) == []


async def test_a_follower_takes_only_the_subjects_it_asked_for(log: EventLog) -> None:
    await store(log, draft(paused()))
    await store(log, draft(noted(), task_id="t-a"))
    await store(log, draft(merged()))
    await store(log, draft(noted(), task_id="t-b", goal_id=OTHER_GOAL))
    assert [m.seq for m in await taken(log, subjects=("evt.*.*.task.noted",))] == [2, 4]
    assert [m.seq for m in await taken(log, subjects=("evt.*._.goal.>", "evt.*._.merge.>"))] == [1, 3]
    assert [m.seq for m in await taken(log, subjects=(f"evt.{OTHER_GOAL}.>",))] == [4]
    assert await taken(log, subjects=("evt.*.*.agent.blocked",)) == []


async def test_a_token_of_a_prefix_may_be_any(log: EventLog) -> None:
    await store(log, draft(noted(), task_id="t-a", route=("coding",)))
    await store(log, draft(paused()))
    await store(log, draft(noted(), task_id="t-b"))
    await store(log, draft(noted(), task_id="t-b", goal_id=OTHER_GOAL, route=("coding",)))
    assert [m.seq for m in await log.read(f"{GOAL}.*.task")] == [1, 3]
    assert [m.seq for m in await log.read(f"{GOAL}.*.task.noted")] == [1]
    assert [m.seq for m in await log.read("*.t-b.task", after=3)] == [4]


async def test_followers_do_not_take_from_each_other(log: EventLog) -> None:
    await fill(log, 30)
    both = await asyncio.gather(taken(log), taken(log))
    assert both[0] == both[1] == await log.read(GOAL)


async def test_a_work_order_lies_on_the_subject_of_its_queue(log: EventLog) -> None:
    await store(log, draft(noted(), task_id="t-a", route=("coding", "p1")))
    (found,) = await taken(log, subjects=("evt.*.*.task.noted.coding.p1",))
    assert found.subject == f"evt.{GOAL}.t-a.task.noted.coding.p1"
