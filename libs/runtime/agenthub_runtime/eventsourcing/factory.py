"""How the eventsourcing library finds its recorders: `PERSISTENCE_MODULE=agenthub_runtime.eventsourcing`."""

from __future__ import annotations

import threading
from typing import Any

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    Mapper,
    ProcessRecorder,
    Transcoder,
)
from eventsourcing.utils import resolve_topic

from agenthub_events.subjects import STREAM
from agenthub_runtime.eventsourcing.bridge import CONNECT_WITHIN_S, Bridge
from agenthub_runtime.eventsourcing.mapper import HubMapper
from agenthub_runtime.eventsourcing.recorders import (
    JetStreamAggregateRecorder,
    JetStreamApplicationRecorder,
    JetStreamProcessRecorder,
    JetStreamSnapshotRecorder,
    JetStreamTrackingRecorder,
)
from agenthub_runtime.eventsourcing.subjects import ApplicationSubjects, HubSubjects, Subjects


class JetStreamFactory(InfrastructureFactory[JetStreamTrackingRecorder]):
    """Recorders on one stream.

    Read from the environment: `NATS_URL` (with credentials), `NATS_STREAM` (default EVENTS), and `SUBJECT_ROOT`.
    Without a root the application reads the hub's own log with the hub's mapper. With one, e.g. `app`, it keeps
    events of any class below `<root>.<application name>.`, on a stream that takes these subjects and has
    `allow_atomic` and `allow_direct`.
    """

    NATS_URL = "NATS_URL"
    NATS_STREAM = "NATS_STREAM"
    SUBJECT_ROOT = "SUBJECT_ROOT"

    def __init__(self, env: Any, *, connect_within_s: float = CONNECT_WITHIN_S) -> None:
        super().__init__(env)
        self._connect_within_s = connect_within_s
        self._bridge: Bridge | None = None
        self._connecting = threading.Lock()

    def mapper(
        self, transcoder: Transcoder | None = None, mapper_class: type[Mapper[Any]] | None = None
    ) -> Mapper[Any]:
        """The library's mapper, or the hub's on the hub's own log."""
        if mapper_class is None and not self.env.get(self.MAPPER_TOPIC) and not self.env.get(self.SUBJECT_ROOT):
            mapper_class = HubMapper
        return super().mapper(transcoder, mapper_class)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """A recorder of events, or of snapshots."""
        if purpose == "snapshots":
            return JetStreamSnapshotRecorder(self._connected(), self._own_subjects())
        return JetStreamAggregateRecorder(self._connected(), self._subjects())

    def application_recorder(self) -> ApplicationRecorder:
        """A recorder of events with their total order."""
        return JetStreamApplicationRecorder(self._connected(), self._subjects())

    def tracking_recorder(
        self, tracking_recorder_class: type[JetStreamTrackingRecorder] | None = None
    ) -> JetStreamTrackingRecorder:
        """A recorder of positions, of the given class or of that in TRACKING_RECORDER_TOPIC."""
        if tracking_recorder_class is None:
            topic = self.env.get(self.TRACKING_RECORDER_TOPIC)
            tracking_recorder_class = resolve_topic(topic) if topic else JetStreamTrackingRecorder
        return tracking_recorder_class(self._connected(), self._own_subjects())

    def process_recorder(self) -> ProcessRecorder:
        """A recorder of events together with positions."""
        return JetStreamProcessRecorder(self._connected(), self._own_subjects())

    def close(self) -> None:
        """Close the connection; recorders of this factory raise `OperationalError` from now on."""
        with self._connecting:
            if self._bridge is not None:
                self._bridge.close()

    def _connected(self) -> Bridge:
        with self._connecting:
            if self._bridge is None:
                url = self.env.get(self.NATS_URL)
                if not url:
                    raise InfrastructureFactoryError("NATS_URL is not set: where is the NATS server?")
                stream = self.env.get(self.NATS_STREAM) or STREAM
                self._bridge = Bridge(url, stream, connect_within_s=self._connect_within_s)
            return self._bridge

    def _subjects(self) -> Subjects:
        return self._own_subjects() if self.env.get(self.SUBJECT_ROOT) else HubSubjects()

    def _own_subjects(self) -> ApplicationSubjects:
        root = self.env.get(self.SUBJECT_ROOT)
        if not root:
            raise InfrastructureFactoryError(
                "The hub's log holds the catalogue's events alone: set SUBJECT_ROOT for snapshots and positions"
            )
        return ApplicationSubjects(root, self.env.name)
