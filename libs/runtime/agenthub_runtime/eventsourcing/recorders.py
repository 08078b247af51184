"""The recorders of the eventsourcing library on a JetStream stream.

Notification ids are stream sequences. An insert of several events is one atomic batch. All recorders are
synchronous and may be used from any number of threads; they share one bridge.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from queue import SimpleQueue
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    OperationalError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)

from agenthub_events.ports import Unavailable
from agenthub_runtime.eventsourcing.bridge import Bridge
from agenthub_runtime.eventsourcing.subjects import ApplicationSubjects, Subjects
from agenthub_runtime.jetstream.fenced_stream import Clash, Message
from agenthub_runtime.jetstream.wire import RawMessage

_HEADS = 10_000
_FIRST_VERSIONS = (0, 1)


class Head(NamedTuple):
    """The newest event of an aggregate: stream sequence and version."""

    seq: int
    version: int


class JetStreamRecorder:
    """What all recorders share: the stream, and the mapping of events to subjects."""

    def __init__(self, bridge: Bridge, subjects: Subjects) -> None:
        self._bridge = bridge
        self._subjects = subjects

    def _append(self, messages: Sequence[Message]) -> int:
        """Store all messages or none; the sequence of the last. Raises `IntegrityError`, `OperationalError`."""
        outcome = self._bridge.run(self._bridge.stream.append(*messages))
        match outcome:
            case Clash(tail=tail):
                places = ", ".join(f"{raw.subject} at {raw.seq}" for raw in tail[:3])
                raise IntegrityError(f"Another writer came first: {places or 'the aggregate ends elsewhere'}")
            case Unavailable(reason=reason):
                raise OperationalError(f"The events could not be stored: {reason}")
        return outcome.seq


class JetStreamAggregateRecorder(JetStreamRecorder, AggregateRecorder):
    """Events of aggregates; an aggregate's versions are contiguous and its subject prefix is its fence."""

    def __init__(self, bridge: Bridge, subjects: Subjects) -> None:
        super().__init__(bridge, subjects)
        self._heads: OrderedDict[str, Head] = OrderedDict()
        self._heads_lock = threading.Lock()

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Store events, all or none. Raises `IntegrityError`, `OperationalError`."""
        self._insert(stored_events, ())
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Events of one aggregate by version. Raises `OperationalError`."""
        fence = self._subjects.aggregate(originator_id)
        after = self._sequence_before(fence, gt)
        raws = self._bridge.run(self._bridge.stream.read(fence, after=after))
        events = [self._subjects.restore(raw) for raw in raws]
        if raws:
            self._remember(fence, Head(raws[-1].seq, events[-1].originator_version))
        return _chosen(events, gt=gt, lte=lte, desc=desc, limit=limit)

    def _insert(self, stored_events: Sequence[StoredEvent], more: Sequence[Message]) -> Sequence[int]:
        messages: list[Message] = []
        heads: dict[str, Head] = {}
        for event in stored_events:
            fence = self._subjects.aggregate(event.originator_id)
            head = heads.get(fence) or self._head(fence, event.originator_version)
            if head.version >= 0 and event.originator_version != head.version + 1:
                self._forget(heads)
                raise IntegrityError(
                    f"`{event.originator_id}` is at version {head.version}:"
                    f" {event.originator_version} does not follow"
                )
            heads[fence] = Head(head.seq, event.originator_version)
            messages.append(self._message(event, fence, head.seq))
        if not messages and not more:
            return []
        return self._store(messages, more, heads)

    def _store(self, messages: list[Message], more: Sequence[Message], heads: dict[str, Head]) -> Sequence[int]:
        try:
            last = self._append([*more, *messages])
        except (IntegrityError, OperationalError):
            self._forget(heads)
            raise
        ids = range(last - len(messages) + 1, last + 1)
        for message, seq in zip(messages, ids, strict=True):
            self._remember(message.fence, Head(seq, heads[message.fence].version))
        return ids

    def _message(self, event: StoredEvent, fence: str, expected: int) -> Message:
        return Message(
            subject=self._subjects.subject(event),
            data=event.state,
            id=self._subjects.message_id(event),
            fence=fence,
            expected=expected,
            headers=self._subjects.headers(event),
        )

    def _head(self, fence: str, version: int) -> Head:
        """Where the aggregate ends. A first version needs no look: the fence refuses it when it is none."""
        with self._heads_lock:
            head = self._heads.get(fence)
        if head is not None and head.version + 1 == version:
            return head
        if head is None and version in _FIRST_VERSIONS:
            return Head(0, -1)
        raw = self._bridge.run(self._bridge.stream.last(fence))
        return Head(0, -1) if raw is None else Head(raw.seq, self._subjects.restore(raw).originator_version)

    def _sequence_before(self, fence: str, version: int | None) -> int:
        with self._heads_lock:
            head = self._heads.get(fence)
        return head.seq if head is not None and version is not None and head.version <= version else 0

    def _remember(self, fence: str, head: Head) -> None:
        with self._heads_lock:
            known = self._heads.pop(fence, head)
            self._heads[fence] = max(known, head)
            if len(self._heads) > _HEADS:
                self._heads.popitem(last=False)

    def _forget(self, fences: Iterable[str]) -> None:
        with self._heads_lock:
            for fence in fences:
                self._heads.pop(fence, None)


class JetStreamSnapshotRecorder(JetStreamRecorder, AggregateRecorder):
    """Snapshots of aggregates: any versions, each at most once."""

    def __init__(self, bridge: Bridge, subjects: ApplicationSubjects) -> None:
        super().__init__(bridge, subjects)
        self._subjects: ApplicationSubjects = subjects

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Store snapshots, all or none. Raises `IntegrityError`, `OperationalError`."""
        messages = [
            Message(
                subject=self._subjects.snapshot(event),
                data=event.state,
                id=self._subjects.message_id(event),
                fence=self._subjects.snapshot_fence(event),
                expected=0,
                headers=self._subjects.headers(event),
            )
            for event in stored_events
        ]
        if messages:
            self._append(messages)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Snapshots of one aggregate by version. Raises `OperationalError`."""
        raws = self._bridge.run(self._bridge.stream.read(self._subjects.snapshots(originator_id)))
        events = sorted((self._subjects.restore(raw) for raw in raws), key=lambda event: event.originator_version)
        return _chosen(events, gt=gt, lte=lte, desc=desc, limit=limit)


class JetStreamApplicationRecorder(JetStreamAggregateRecorder, ApplicationRecorder):
    """Events of aggregates, and their total order."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Store events, all or none; their notification ids. Raises `IntegrityError`, `OperationalError`."""
        return list(self._insert(stored_events, ()))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Events in their total order. Raises `OperationalError`."""
        after = max((start or 0) - inclusive_of_start, 0)
        filters = self._subjects.filters(topics)
        one = filters[0] if len(filters) == 1 else self._subjects.everything
        found: list[Notification] = []
        while len(found) < limit:
            raws = self._bridge.run(self._bridge.stream.read(one, after=after, limit=limit))
            found.extend(self._notification(raw) for raw in raws if stop is None or raw.seq <= stop)
            if topics:
                found = [notification for notification in found if notification.topic in topics]
            if len(raws) < limit or (stop is not None and raws[-1].seq >= stop):
                break
            after = raws[-1].seq
        return found[:limit]

    def max_notification_id(self) -> int | None:
        """The sequence of the newest event; None when there is none. Raises `OperationalError`."""
        raw = self._bridge.run(self._bridge.stream.last(self._subjects.everything))
        return None if raw is None else raw.seq

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Events as they are recorded, behind notification id `gt`."""
        return JetStreamSubscription(self, gt=gt, topics=topics)

    async def follow(self, after: int, topics: Sequence[str]) -> AsyncGenerator[list[Notification], None]:
        """Batches of notifications, forever; for work that was begun by `start`."""
        filters = self._subjects.filters(topics)
        async with aclosing(self._bridge.stream.follow(filters, after=after)) as batches:
            async for batch in batches:
                yield [self._notification(raw) for raw in batch]

    def start(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Begin a coroutine on the loop of the connection."""
        return self._bridge.start(work)

    def _notification(self, raw: RawMessage) -> Notification:
        event = self._subjects.restore(raw)
        return Notification(event.originator_id, event.originator_version, event.topic, event.state, raw.seq)


class JetStreamSubscription(Subscription[JetStreamApplicationRecorder]):
    """Notifications pushed by an ordered consumer; iterating blocks until the next one or `stop`."""

    def __init__(
        self, recorder: JetStreamApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()
    ) -> None:
        super().__init__(recorder, gt, topics)
        # None says that the subscription is over, an exception why.
        self._queue: SimpleQueue[Notification | BaseException | None] = SimpleQueue()
        self._pushing = recorder.start(self._push())
        self._pushing.add_done_callback(self._ended)

    def stop(self) -> None:
        """End the iteration, from any thread."""
        super().stop()
        self._pushing.cancel()
        self._queue.put(None)

    def __next__(self) -> Notification:
        if self._has_been_stopped:
            raise StopIteration
        item = self._queue.get()
        if isinstance(item, Notification) and not self._has_been_stopped:
            return item
        if isinstance(item, BaseException):
            raise OperationalError("The subscription has broken off") from item
        raise StopIteration

    async def _push(self) -> None:
        batches = self._recorder.follow(self._last_notification_id or 0, self._topics)
        async with aclosing(batches):
            async for batch in batches:
                for notification in batch:
                    self._queue.put(notification)

    def _ended(self, pushing: Future[None]) -> None:
        # The reader's thread is the one that must know.
        self._queue.put(None if pushing.cancelled() else pushing.exception())


class JetStreamTrackingRecorder(JetStreamRecorder, TrackingRecorder):
    """How far upstream applications have been processed; a position only ever grows."""

    def __init__(self, bridge: Bridge, subjects: ApplicationSubjects) -> None:
        super().__init__(bridge, subjects)
        self._positions: ApplicationSubjects = subjects

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move a position on. Raises `IntegrityError` when it is not behind the new one, `OperationalError`."""
        self._append([self._tracking_message(tracking)])

    def max_tracking_id(self, application_name: str) -> int | None:
        """The position in an upstream application; None when nothing was processed. Raises `OperationalError`."""
        raw = self._position(application_name)
        return None if raw is None else int(raw.data)

    def _tracking_message(self, tracking: Tracking) -> Message:
        raw = self._position(tracking.application_name)
        if raw is not None and int(raw.data) >= tracking.notification_id:
            raise IntegrityError(
                f"`{tracking.application_name}` is processed up to {int(raw.data)} already,"
                f" {tracking.notification_id} is not behind that"
            )
        subject = self._positions.tracking(tracking.application_name)
        return Message(
            subject=subject,
            data=str(tracking.notification_id).encode(),
            id=str(uuid4()),  # not derived: a second processor of the same notification must lose
            fence=subject,
            expected=raw.seq if raw else 0,
        )

    def _position(self, application_name: str) -> RawMessage | None:
        return self._bridge.run(self._bridge.stream.last(self._positions.tracking(application_name)))


class JetStreamProcessRecorder(JetStreamTrackingRecorder, JetStreamApplicationRecorder, ProcessRecorder):
    """Events and the upstream position that they answer to, in one atomic batch."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, tracking: Tracking | None = None, **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events and a position, all or none. Raises `IntegrityError`, `OperationalError`."""
        return list(self._insert(stored_events, [self._tracking_message(tracking)] if tracking else ()))


def _chosen(
    events: Sequence[StoredEvent], *, gt: int | None, lte: int | None, desc: bool, limit: int | None
) -> Sequence[StoredEvent]:
    wanted = [
        event
        for event in events
        if (gt is None or event.originator_version > gt) and (lte is None or event.originator_version <= lte)
    ]
    if desc:
        wanted.reverse()
    return wanted[:limit]
