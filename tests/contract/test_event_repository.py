"""The asyncio repository over both logs, and the library's own classes on the hub's log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import (
    InfrastructureFactoryError,
    IntegrityError,
    MapperDeserialisationError,
    OperationalError,
    ProgrammingError,
)
from eventsourcing.utils import Environment

from agenthub_events.base import Draft, Event
from agenthub_events.catalogue.goal import GoalAccepted, GoalPaused
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.errors import CommandRefused
from agenthub_events.ports import EventLog, Stored
from agenthub_events.rules import goal_aggregate
from agenthub_events.rules.goal_aggregate import GoalAggregate
from agenthub_runtime.eventsourcing.factory import JetStreamFactory
from agenthub_runtime.eventsourcing.recorders import JetStreamApplicationRecorder
from agenthub_runtime.eventsourcing.repository import AsyncRepository, Loaded
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.event_samples import GOAL, STAMP, draft, noted, paused
from tests.support.event_streams import connected, create_stream, drop_stream
from tests.support.servers import running_nats

FAMILY = f"{GOAL}._.goal"


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_nats(tmp_path_factory.mktemp("repository")) as server:
        yield server.authorised_url


@pytest.fixture
async def stored(nats_url: str) -> AsyncIterator[JetStreamEventLog]:
    async with connected(nats_url) as nc:
        await create_stream(nc, "EVENTS")
        yield JetStreamEventLog(nc)
        await drop_stream(nc, "EVENTS")


@pytest.fixture(params=["jetstream", "memory"])
def log(request: pytest.FixtureRequest, stored: JetStreamEventLog) -> EventLog:
    return stored if request.param == "jetstream" else InMemoryEventLog()


@pytest.fixture
def goals(log: EventLog) -> AsyncRepository[GoalAggregate]:
    return repository(log)


def repository(log: EventLog) -> AsyncRepository[GoalAggregate]:
    return AsyncRepository(log, initial=lambda _: goal_aggregate.initial(GOAL), evolve=goal_aggregate.evolve)


def accepted() -> Draft:
    return draft(GoalAccepted(goal="Build it"), "body")


def pause(request_id: str) -> goal_aggregate.Pause:
    return goal_aggregate.Pause(by="ada", request_id=request_id)


async def test_an_aggregate_is_folded_with_its_fence(goals: AsyncRepository[GoalAggregate]) -> None:
    with pytest.raises(AggregateNotFoundError):
        await goals.get(FAMILY)
    await goals.save(accepted(), stamp=STAMP)
    await goals.save(draft(paused(), expected=1, version=2), stamp=STAMP)
    now = await goals.get(FAMILY)
    assert (now.seq, now.version, now.state.phase, now.state.paused) == (2, 2, "open", True)
    assert (await goals.get(FAMILY, version=1)).state.paused is False


async def test_a_kept_fold_goes_on_with_what_others_wrote(log: EventLog) -> None:
    mine, theirs = repository(log), repository(log)
    await mine.save(accepted(), stamp=STAMP)
    await mine.get(FAMILY)
    await theirs.save(draft(paused(), expected=1, version=2), stamp=STAMP)
    assert (await mine.get(FAMILY)).state.paused


async def test_a_stale_save_is_an_integrity_error(goals: AsyncRepository[GoalAggregate]) -> None:
    await goals.save(accepted(), stamp=STAMP)
    with pytest.raises(IntegrityError, match="moved on"):
        await goals.save(draft(paused()), stamp=STAMP)


async def test_a_command_is_decided_again_when_another_writer_came_first(log: EventLog) -> None:
    mine = repository(log)
    await mine.save(accepted(), stamp=STAMP)
    seen: list[int] = []
    behind_my_back = draft(GoalPaused(by="bob"), "sneak", expected=1, version=2)

    def decide(loaded: Loaded[GoalAggregate]) -> list[Draft]:
        seen.append(loaded.seq)
        return goal_aggregate.decide(loaded.state, pause("request-1"))

    class Sneaky(AsyncRepository[GoalAggregate]):
        async def find(self, originator_id: str) -> Loaded[GoalAggregate]:
            loaded = await super().find(originator_id)
            if loaded.seq == 1:
                await log.append(behind_my_back, STAMP)
            return loaded

    sneaky = Sneaky(log, initial=lambda _: goal_aggregate.initial(GOAL), evolve=goal_aggregate.evolve)
    assert await sneaky.handle(FAMILY, decide, STAMP) == ([], None)
    assert seen == [1, 2]


async def test_twenty_commands_at_once_on_one_goal_are_all_taken(goals: AsyncRepository[GoalAggregate]) -> None:
    await goals.save(accepted(), stamp=STAMP)

    def decide(number: int, loaded: Loaded[GoalAggregate]) -> list[Draft]:
        return [goal_aggregate.draft(loaded.state, GoalPaused(by="ada"), f"request-{number}")]

    results = await asyncio.gather(*(goals.handle(FAMILY, partial(decide, number), STAMP) for number in range(20)))
    assert sorted(stored.seq for _, stored in results if stored) == list(range(2, 22))


async def test_errors_of_a_decision_pass_through(goals: AsyncRepository[GoalAggregate]) -> None:
    with pytest.raises(CommandRefused):
        await goals.handle(FAMILY, lambda loaded: goal_aggregate.decide(loaded.state, pause("r")), STAMP)


async def test_an_unreadable_event_freezes_the_aggregate() -> None:
    log = InMemoryEventLog()
    goals = repository(log)
    await goals.save(accepted(), stamp=STAMP)
    log.inject(f"evt.{GOAL}._.goal.levitated", b'{"type":"goal.levitated"}')
    with pytest.raises(MapperDeserialisationError, match="Message 2"):
        await goals.get(FAMILY)


async def test_the_cache_keeps_the_newest_folds_only() -> None:
    log = InMemoryEventLog()
    goals = AsyncRepository(
        log, initial=lambda _: goal_aggregate.initial(GOAL), evolve=goal_aggregate.evolve, cache_size=2
    )
    for number in range(5):
        await goals.find(f"{GOAL}.t-{number}")
    assert list(goals._cache) == [f"{GOAL}.t-3", f"{GOAL}.t-4"]


class Hub(Application[str]):
    """The library's application on the hub's own log."""


@pytest.fixture
async def hub(stored: JetStreamEventLog, nats_url: str) -> AsyncIterator[Hub]:
    await stored.append(accepted(), STAMP)
    await stored.append(draft(paused(), expected=1, version=2), STAMP)
    order = TaskEnqueued(
        task_id="t-a", agent="coding", agent_type="coding", attempt=1, lane="p2", title="Write it", timeout_s=60
    )
    await stored.append(draft(order, task_id="t-a", route=("coding", "p2")), STAMP)
    app = await asyncio.to_thread(
        Hub, {"PERSISTENCE_MODULE": "agenthub_runtime.eventsourcing", "NATS_URL": nats_url, **os.environ}
    )
    yield app
    await asyncio.to_thread(app.close)


async def test_the_library_reads_the_hubs_log(hub: Hub) -> None:
    section = await asyncio.to_thread(hub.notification_log.__getitem__, "1,10")
    assert [(item.id, item.originator_id, item.originator_version, item.topic) for item in section.items] == [
        (1, FAMILY, 1, "goal.accepted"),
        (2, FAMILY, 2, "goal.paused"),
        (3, f"{GOAL}.t-a", 1, "task.enqueued"),
    ]
    events = [hub.mapper.to_domain_event(item) for item in section.items]
    assert events[0] == accepted().sealed(STAMP.now, STAMP.metadata)


async def test_the_library_loads_an_aggregate_as_it_was(hub: Hub) -> None:
    def project(aggregate: GoalAggregate | None, events: Iterator[Event]) -> GoalAggregate:
        for event in events:
            aggregate = goal_aggregate.evolve(aggregate or goal_aggregate.initial(GOAL), 0, event)
        assert aggregate is not None
        return aggregate

    # The library wants aggregates of its own protocol; it never calls them.
    get: Any = hub.repository.get
    now: GoalAggregate = await asyncio.to_thread(get, FAMILY, projector_func=project)
    then: GoalAggregate = await asyncio.to_thread(get, FAMILY, version=1, projector_func=project)
    assert (now.paused, then.paused) == (True, False)


async def test_the_library_filters_by_topic_and_follows(hub: Hub, stored: JetStreamEventLog) -> None:
    recorder = hub.recorder
    assert isinstance(recorder, JetStreamApplicationRecorder)
    both = ["task.enqueued", "goal.paused"]
    found = await asyncio.to_thread(recorder.select_notifications, None, 10, None, both)
    assert [notification.id for notification in found] == [2, 3]
    with recorder.subscribe(topics=["task.enqueued", "task.noted"]) as subscription:
        assert (await asyncio.to_thread(next, subscription)).id == 3
        await stored.append(draft(paused("bob"), "2", expected=2, version=3), STAMP)
        await stored.append(draft(noted(), task_id="t-a", expected=3, version=2), STAMP)
        assert (await asyncio.to_thread(next, subscription)).id == 5


async def test_the_library_writes_where_the_hub_would(hub: Hub, stored: JetStreamEventLog) -> None:
    order = draft(
        TaskEnqueued(
            task_id="t-b", agent="qa", agent_type="testing", attempt=1, lane="p1", title="Test it", timeout_s=60
        ),
        task_id="t-b",
        route=("testing", "p1"),
    )
    event = hub.mapper.to_stored_event(order.sealed(STAMP.now, STAMP.metadata))
    assert await asyncio.to_thread(hub.recorder.insert_events, [event]) == [4]
    newest = await stored.last(GOAL)
    assert newest is not None
    assert newest.subject == order.subject
    assert newest.headers == {"Nats-Msg-Id": order.event_id}
    assert isinstance(await stored.append(order, STAMP), Stored)
    assert await stored.last_seq() == 4


async def test_what_the_catalogue_does_not_know_is_a_deserialisation_error(hub: Hub, nats_url: str) -> None:
    async with connected(nats_url) as nc:
        await nc.jetstream().publish(f"evt.{GOAL}._.goal.levitated", b"os:system")
    (last,) = await asyncio.to_thread(hub.recorder.select_notifications, 4, 1)
    assert (last.originator_id, last.topic) == (FAMILY, "goal.levitated")
    with pytest.raises(MapperDeserialisationError):
        hub.mapper.to_domain_event(last)


async def test_the_hubs_log_takes_no_snapshots_no_positions_and_no_cipher(nats_url: str) -> None:
    env = {"PERSISTENCE_MODULE": "agenthub_runtime.eventsourcing", "NATS_URL": nats_url}
    with pytest.raises(InfrastructureFactoryError, match="SUBJECT_ROOT"):
        await asyncio.to_thread(Hub, {**env, "IS_SNAPSHOTTING_ENABLED": "y"})
    with pytest.raises(ProgrammingError, match="plain JSON"):
        await asyncio.to_thread(Hub, {**env, "COMPRESSOR_TOPIC": "zlib"})


async def test_a_recorder_without_a_server_says_so() -> None:
    with pytest.raises(InfrastructureFactoryError, match="NATS_URL"):
        JetStreamFactory.construct({"PERSISTENCE_MODULE": "agenthub_runtime.eventsourcing"}).application_recorder()


async def test_a_closed_recorder_says_so(nats_url: str) -> None:
    factory = JetStreamFactory.construct(
        {"PERSISTENCE_MODULE": "agenthub_runtime.eventsourcing", "NATS_URL": nats_url}
    )
    recorder = await asyncio.to_thread(factory.application_recorder)
    await asyncio.to_thread(factory.close)
    with pytest.raises(OperationalError, match="closed"):
        recorder.max_notification_id()


async def test_a_recorder_whose_server_is_away_says_so() -> None:
    factory = JetStreamFactory(Environment(env={"NATS_URL": "nats://127.0.0.1:1"}), connect_within_s=0.3)
    with pytest.raises(OperationalError, match="cannot be reached"):
        await asyncio.to_thread(factory.application_recorder)
