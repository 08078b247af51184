"""What every event is: an immutable record with an envelope, and the draft of one before it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Protocol, TypeAlias

import msgspec

from agenthub_events.redaction import NO_SECRETS, KnownSecrets, may_need_redaction, redact
from agenthub_events.subjects import aggregate_of, event_id, subject_of

Metadata: TypeAlias = Mapping[str, str]

UNWRITTEN = datetime(1970, 1, 1, tzinfo=UTC)


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value inside events, recorded steps and orders: it holds what it was given, byte for byte."""


class Event(Record, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Something that has happened, in the past tense, never changed or removed.

    The five envelope fields carry the names of the eventsourcing library. They are filled by `Draft.sealed`;
    an event that has not been written yet has the defaults. `class_version` counts meanings of a type: an older
    body goes through the upcasters before it is decoded.
    """

    class_version: ClassVar[int] = 1

    originator_id: str = ""
    originator_version: int = 0
    timestamp: datetime = UNWRITTEN
    event_id: str = ""
    metadata: Metadata = msgspec.field(default_factory=dict)

    @property
    def type(self) -> str:
        """The stored name of this kind of event, e.g. `task.completed`."""
        return type_of(type(self))


def type_of(kind: type[Event]) -> str:
    """The stored name of an event class (its msgspec tag)."""
    return str(kind.__struct_config__.tag)


class Placed(Protocol):
    """Something with a place in the log."""

    @property
    def seq(self) -> int:
        """Its sequence there."""
        ...


class Fence(msgspec.Struct, frozen=True):
    """The end of an aggregate as a writer knows it: the sequence of its last message, and how many it holds."""

    seq: int = 0
    count: int = 0

    def moved(self, seq: int) -> Fence:
        """The fence after one more message, stored at `seq`."""
        return Fence(seq, self.count + 1)

    def after(self, tail: Sequence[Placed]) -> Fence:
        """The fence after these messages of the aggregate, in the order of the log."""
        return Fence(tail[-1].seq, self.count + len(tail)) if tail else self

    def draft(
        self, goal_id: str, task_id: str, event: Event, ordinal: str, *, route: tuple[str, ...] = ()
    ) -> Draft:
        """A draft of the aggregate's next event, which the log takes while it ends here."""
        return Draft(
            goal_id=goal_id,
            task_id=task_id,
            event=event,
            ordinal=ordinal,
            expected=self.seq,
            version=self.count + 1,
            route=route,
        )


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An event that its writer wants in the log, made by the `Fence` under which it is true.

    `expected` is the stream sequence of the aggregate's last message as the writer knows it (0: none yet),
    `version` the number of messages in the aggregate + 1, read together with it. `ordinal` says which of its
    kind this is within the aggregate (attempt, round, revision, claim, request), so that a retry and a twin make
    the same id. `route` are the subject's tokens after the type.
    """

    goal_id: str
    task_id: str
    event: Event
    ordinal: str
    expected: int
    version: int
    route: tuple[str, ...] = ()

    @property
    def originator_id(self) -> str:
        """The aggregate: its subjects' common prefix without `evt.`."""
        return aggregate_of(self.goal_id, self.task_id, self.event.type)

    @property
    def subject(self) -> str:
        """Where the event goes."""
        return subject_of(self.goal_id, self.task_id, self.event.type, *self.route)

    @property
    def event_id(self) -> str:
        """The deterministic id: uuid5 of what the event is, never of what caused it."""
        return event_id(self.originator_id, self.event.type, self.ordinal)

    def sealed(self, now: datetime, metadata: Metadata, secrets: KnownSecrets = NO_SECRETS) -> Event:
        """The event as it is stored for ever: without `secrets`, and without anything that looks like one."""
        event = msgspec.structs.replace(self.event, metadata=metadata)
        return msgspec.structs.replace(
            redact(event, secrets) if _needs_redaction(event, secrets) else event,
            originator_id=self.originator_id,
            originator_version=self.version,
            timestamp=now,
            event_id=self.event_id,
        )


def _needs_redaction(event: Event, secrets: KnownSecrets) -> bool:
    try:
        body = msgspec.json.encode(event).decode()
    except UnicodeEncodeError:
        return True
    return may_need_redaction(body, secrets)
