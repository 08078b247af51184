"""The eventsourcing library's own test cases, against our persistence module on a real nats-server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    ProcessRecorder,
    Tracking,
    TrackingRecorder,
)
from eventsourcing.tests import application as application_cases
from eventsourcing.tests import persistence as persistence_cases
from eventsourcing.tests import projection as projection_cases
from eventsourcing.utils import Environment

from agenthub_runtime.eventsourcing.factory import JetStreamFactory
from agenthub_runtime.eventsourcing.recorders import (
    JetStreamAggregateRecorder,
    JetStreamApplicationRecorder,
    JetStreamProcessRecorder,
    JetStreamTrackingRecorder,
)
from tests.support.event_streams import connected, create_stream, drop_stream, fresh_name
from tests.support.servers import running_nats

ROOT = "lib"


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_nats(tmp_path_factory.mktemp("library")) as server:
        yield server.authorised_url


@pytest.fixture(autouse=True)
def stream(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty stream, and the environment from which the library builds its recorders."""
    name = fresh_name("LIBRARY")
    run(_with_stream(nats_url, create_stream, name, subjects=[f"{ROOT}.>"], deny_delete=False, deny_purge=False))
    for variable, value in {
        "PERSISTENCE_MODULE": "agenthub_runtime.eventsourcing",
        JetStreamFactory.NATS_URL: nats_url,
        JetStreamFactory.NATS_STREAM: name,
        JetStreamFactory.SUBJECT_ROOT: ROOT,
    }.items():
        monkeypatch.setenv(variable, value)
    yield
    run(_with_stream(nats_url, drop_stream, name))


async def _with_stream(url: str, action: Any, name: str, **changes: Any) -> None:
    async with connected(url) as nc:
        await action(nc, name, **changes)


def run(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


class WithFactory:
    """Gives a case its recorders, and closes them afterwards."""

    factory: JetStreamFactory

    def setUp(self) -> None:
        self.factory = JetStreamFactory(Environment("Suite", dict(os.environ)))

    def tearDown(self) -> None:
        self.factory.close()


class TestAggregateRecorder(WithFactory, persistence_cases.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.factory.aggregate_recorder()


class TestApplicationRecorder(
    WithFactory, persistence_cases.ApplicationRecorderTestCase[JetStreamApplicationRecorder]
):
    def create_recorder(self) -> JetStreamApplicationRecorder:
        recorder = self.factory.application_recorder()
        assert isinstance(recorder, JetStreamApplicationRecorder)
        return recorder

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTrackingRecorder(WithFactory, persistence_cases.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return self.factory.tracking_recorder()


class TestProcessRecorder(WithFactory, persistence_cases.ProcessRecorderTestCase):
    def create_recorder(self) -> ProcessRecorder:
        return self.factory.process_recorder()


class TestNotificationIdsDoNotInterleave(WithFactory, persistence_cases.NonInterleavingNotificationIDsBaseCase):
    # One insert is one atomic batch, and the server takes at most 1000 messages in one.
    insert_num = 1000

    def create_recorder(self) -> ApplicationRecorder:
        return self.factory.application_recorder()


class OwnTracking(JetStreamTrackingRecorder):
    """A recorder of positions that somebody has extended."""


class TestFactory(persistence_cases.InfrastructureFactoryTestCase[JetStreamFactory]):
    def setUp(self) -> None:
        self.env = Environment("Suite", dict(os.environ))
        super().setUp()

    def expected_factory_class(self) -> type[JetStreamFactory]:
        return JetStreamFactory

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return JetStreamAggregateRecorder

    def expected_application_recorder_class(self) -> type[ApplicationRecorder]:
        return JetStreamApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return JetStreamTrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return OwnTracking

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        return JetStreamProcessRecorder


class TestExampleApplication(application_cases.ExampleApplicationTestCase):
    expected_factory_topic = "agenthub_runtime.eventsourcing.factory:JetStreamFactory"


@pytest.mark.filterwarnings("always:'log' is deprecated:DeprecationWarning")
class TestApplication(application_cases.ApplicationTestCase):
    """Caching, fast-forward under contention, snapshots, sections of the log."""


class EventCounters(JetStreamTrackingRecorder, projection_cases.EventCountersView):
    """A view in memory whose position lies in the stream."""

    created = 0
    subsequent = 0

    def get_created_event_counter(self) -> int:
        return self.created

    def get_subsequent_event_counter(self) -> int:
        return self.subsequent

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self.insert_tracking(tracking)
        self.created += 1

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self.insert_tracking(tracking)
        self.subsequent += 1


class TestEventCountersView(WithFactory, projection_cases.EventCountersViewTestCase):
    def construct_event_counters_view(self) -> projection_cases.EventCountersView:
        view = self.factory.tracking_recorder(EventCounters)
        assert isinstance(view, EventCounters)
        return view


class TestAggregateEventCountersProjection(projection_cases.AggregateEventCountersProjectionTestCase):
    view_class = EventCounters


class TestEventSourcedProjection(projection_cases.EventSourcedProjectionTestCase):
    """A projection that answers events with events, in one batch with its position."""
