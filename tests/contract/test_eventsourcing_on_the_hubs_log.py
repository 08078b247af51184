"""The eventsourcing library's own classes on the hub's log, for those who open it; no service does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import (
    InfrastructureFactoryError,
    MapperDeserialisationError,
    OperationalError,
    ProgrammingError,
)
from eventsourcing.utils import Environment

from agenthub_events.base import Draft, Event
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.ports import Stored
from agenthub_events.rules import goal_aggregate
from agenthub_events.rules.goal_aggregate import GoalAggregate
from agenthub_runtime.eventsourcing.factory import JetStreamFactory
from agenthub_runtime.eventsourcing.recorders import JetStreamApplicationRecorder
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.event_samples import GOAL, STAMP, draft, noted, paused
from tests.support.event_streams import connected, create_stream, drop_stream
from tests.support.servers import running_nats

FAMILY = f"{GOAL}._.goal"


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_nats(tmp_path_factory.mktemp("library")) as server:
        yield server.authorised_url


@pytest.fixture
async def stored(nats_url: str) -> AsyncIterator[JetStreamEventLog]:
    async with connected(nats_url) as nc:
        await create_stream(nc, "EVENTS")
        yield JetStreamEventLog(nc)
        await drop_stream(nc, "EVENTS")


def accepted() -> Draft:
    return draft(GoalAccepted(goal="Build it"), "body")


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


@pytest.mark.parametrize(
    "module",
    [
        "agenthub_gateway.app",
        "agenthub_orchestrator.app",
        "agenthub_orchestrator.projector.app",
        "agenthub_worker.app",
        "agenthub_cli.main",
    ],
)
def test_no_service_loads_the_persistence_module_at_its_start(module: str) -> None:
    code = (
        f"import sys, {module}; print(*(name for name in sys.modules if 'agenthub_runtime.eventsourcing' in name))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
