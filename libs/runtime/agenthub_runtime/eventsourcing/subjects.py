"""Where stored events of the eventsourcing library lie in a stream: the mappings that recorders take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import quote, unquote
from uuid import UUID, uuid4

import msgspec
from eventsourcing.persistence import StoredEvent

from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.errors import InvalidSubject
from agenthub_events.serialization.codec import decode
from agenthub_events.subjects import PREFIX, filter_of, parse_subject, subject_of
from agenthub_runtime.jetstream.wire import VERSION, RawMessage

_TEXT_ID = "s-"


class Subjects(Protocol):
    """How stored events become messages, and back. `everything` is the filter over all events."""

    everything: str

    def subject(self, event: StoredEvent) -> str:
        """The subject of an event."""
        ...

    def aggregate(self, originator_id: UUID | str) -> str:
        """The filter over an aggregate, which is also its fence."""
        ...

    def filters(self, topics: Sequence[str]) -> list[str]:
        """Filters that together cover the events of these topics; none given means all."""
        ...

    def message_id(self, event: StoredEvent) -> str:
        """What tells a retry of this event from another event."""
        ...

    def headers(self, event: StoredEvent) -> Mapping[str, str]:
        """What a message says beside its body."""
        ...

    def restore(self, raw: RawMessage) -> StoredEvent:
        """The stored event that a message holds."""
        ...


class HubSubjects:
    """The hub's own log: `evt.<goal>.<task or _>.<type>[.<route>]`, with the envelope inside the body."""

    everything = f"{PREFIX}.>"

    def subject(self, event: StoredEvent) -> str:
        """The subject of an event; the route of a work order comes from its body."""
        goal_id, task_id = str(event.originator_id).split(".")[:2]
        body = decode(event.state)
        route = (body.agent_type, body.lane) if isinstance(body, TaskEnqueued) else ()
        return subject_of(goal_id, task_id, event.topic, *route)

    def aggregate(self, originator_id: UUID | str) -> str:
        """`evt.<originator>.>`."""
        return filter_of(str(originator_id))

    def filters(self, topics: Sequence[str]) -> list[str]:
        """By the type in the subject, with and without a route."""
        if not topics:
            return [self.everything]
        return [f"{PREFIX}.*.*.{topic}{tail}" for topic in topics for tail in ("", ".>")]

    def message_id(self, event: StoredEvent) -> str:
        """The event's own deterministic id."""
        body = decode(event.state)
        return getattr(body, "event_id", "") or str(uuid4())

    def headers(self, event: StoredEvent) -> Mapping[str, str]:
        """Nothing: the body says it all."""
        del event
        return {}

    def restore(self, raw: RawMessage) -> StoredEvent:
        """Version and originator from the body; of a body that nobody can read, what the subject says."""
        try:
            place = parse_subject(raw.subject)
            originator_id, topic = place.originator_id, place.type
        except InvalidSubject:
            originator_id, topic = raw.subject, "unknown"
        try:
            head = msgspec.json.decode(raw.data, type=_Head)
        except msgspec.DecodeError:
            head = _Head()
        return StoredEvent(head.originator_id or originator_id, head.originator_version, topic, raw.data)


class _Head(msgspec.Struct):
    originator_id: str = ""
    originator_version: int = 0


class ApplicationSubjects:
    """Any application of the library, below a root of its own: `<root>.<application>.<kind>.<id>.<topic>`.

    Kinds are `e` (events), `s` (snapshots, with the version as last token) and `t` (how far an upstream was
    processed). Topics and text ids are escaped, so they may hold dots and colons.
    """

    def __init__(self, root: str, application: str) -> None:
        self._base = f"{root}.{_escaped(application) or '_'}"
        self.everything = f"{self._base}.e.>"

    def subject(self, event: StoredEvent) -> str:
        """`<base>.e.<id>.<topic>`."""
        return f"{self._base}.e.{_id_token(event.originator_id)}.{_escaped(event.topic)}"

    def aggregate(self, originator_id: UUID | str) -> str:
        """`<base>.e.<id>.>`."""
        return f"{self._base}.e.{_id_token(originator_id)}.>"

    def filters(self, topics: Sequence[str]) -> list[str]:
        """By the topic in the subject."""
        if not topics:
            return [self.everything]
        return [f"{self._base}.e.*.{_escaped(topic)}" for topic in topics]

    def message_id(self, event: StoredEvent) -> str:
        """Fresh: the library expects a second insert of the same event to be refused."""
        del event
        return str(uuid4())

    def headers(self, event: StoredEvent) -> Mapping[str, str]:
        """The version; the state is opaque."""
        return {VERSION: str(event.originator_version)}

    def restore(self, raw: RawMessage) -> StoredEvent:
        """Identity from the subject, version from its header."""
        tokens = raw.subject.removeprefix(self._base).split(".")
        return StoredEvent(_id_of(tokens[2]), int(raw.headers[VERSION]), unquote(tokens[3]), raw.data)

    def snapshot(self, event: StoredEvent) -> str:
        """`<base>.s.<id>.<topic>.<version>`."""
        topic = _escaped(event.topic)
        return f"{self._base}.s.{_id_token(event.originator_id)}.{topic}.{event.originator_version}"

    def snapshots(self, originator_id: UUID | str) -> str:
        """The filter over all snapshots of an aggregate."""
        return f"{self._base}.s.{_id_token(originator_id)}.>"

    def snapshot_fence(self, event: StoredEvent) -> str:
        """One snapshot a version."""
        return f"{self._base}.s.{_id_token(event.originator_id)}.*.{event.originator_version}"

    def tracking(self, upstream: str) -> str:
        """Where the position in an upstream application is kept."""
        return f"{self._base}.t.{_escaped(upstream)}"


def _id_token(originator_id: UUID | str) -> str:
    return str(originator_id) if isinstance(originator_id, UUID) else _TEXT_ID + _escaped(originator_id)


def _id_of(token: str) -> UUID | str:
    return unquote(token.removeprefix(_TEXT_ID)) if token.startswith(_TEXT_ID) else UUID(token)


def _escaped(text: str) -> str:
    return quote(text, safe="").replace(".", "%2E")
