"""Proof that a history is whole: nothing was taken out, put in or changed, down to a bit; or what was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue.goal import GoalReadyForReview, SealRecorded
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.context import digest_of
from agenthub_events.ports import Recorded
from agenthub_events.rules.authors import Authors
from agenthub_events.serialization.codec import Unreadable
from agenthub_replay.history import GoalHistory, StoredMessage
from agenthub_runtime.seal_keys import KEY, SIGNATURE, is_signed_by

_MSG_ID = "Nats-Msg-Id"


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was written. `seq` is that of the event that it is about, 0 for an object."""

    seq: int
    subject: str
    what: str


class WholeHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at. `sealed` counts the events that a seal binds; later ones are bound by their versions.

    `signed_by` are the public keys whose signatures fit, `unsigned` counts the seals without one.
    """

    goal_id: str
    events: int
    sealed: int
    objects: int
    signed_by: tuple[str, ...] = ()
    unsigned: int = 0
    flaws: tuple[Flaw, ...] = ()


class _Line(NamedTuple):
    subject: str
    sha256: str


def verify(history: GoalHistory, keys: Collection[str] = ()) -> WholeHistory:
    """Look at everything that shows a change, and name what was changed.

    `keys` are the public keys that may have signed its seals; without any, those of which the history's source
    says so. Where none is known, an unsigned seal is no flaw.
    """
    known = tuple(keys) or history.seal_keys
    flaws = [
        *_of_messages(history.events),
        *_of_versions(history.events),
        *_of_seals(history),
        *_of_signatures(history, known),
        *_of_objects(history),
    ]
    seals = list(_seals(history))
    bound = max((seal.up_to_seq for seal, _, _ in seals), default=0)
    signed = [key for seal, _, body in seals if is_signed_by(body, key := seal.metadata.get(KEY, ""))]
    return WholeHistory(
        goal_id=history.goal_id,
        events=len(history.messages),
        sealed=sum(message.seq <= bound for message in history.messages),
        objects=len(history.objects),
        signed_by=tuple(dict.fromkeys(signed)),
        unsigned=sum(SIGNATURE not in seal.metadata for seal, _, _ in seals),
        flaws=tuple(dict.fromkeys(flaws)),
    )


def _of_messages(events: Sequence[Recorded]) -> Iterator[Flaw]:
    before = 0
    authors = Authors()
    for recorded in events:
        event, subject = recorded.event, recorded.subject
        if not authors.takes(recorded):
            yield Flaw(
                seq=recorded.seq, subject=subject, what="its writer does no such task: it counts for nothing"
            )
        if recorded.seq <= before:
            yield Flaw(seq=recorded.seq, subject=subject, what=f"it stands behind event {before}")
        before = recorded.seq
        if isinstance(event, Unreadable):
            yield Flaw(seq=recorded.seq, subject=subject, what=f"its body cannot be read: {event.reason}")
            continue
        # The id of a message goes on behind its event's own where that was taken.
        told = recorded.headers.get(_MSG_ID, "").partition("~")[0]
        if told and told != event.event_id:
            yield Flaw(
                seq=recorded.seq, subject=subject, what=f"it says that it is {event.event_id}, its header {told}"
            )
        if not _belongs_there(subject, event):
            yield Flaw(
                seq=recorded.seq,
                subject=subject,
                what=f"it is a {event.type} of {event.originator_id}, which does not belong there",
            )


def _belongs_there(subject: str, event: Event) -> bool:
    _, goal_id, task_id, kind = (*subject.split(".", 3), "", "", "")[:4]
    whole = f"{goal_id}.{task_id}.{event.type.partition('.')[0]}" if task_id == "_" else f"{goal_id}.{task_id}"
    return event.originator_id == whole and (kind == event.type or kind.startswith(f"{event.type}."))


def _of_versions(events: Sequence[Recorded]) -> Iterator[Flaw]:
    """An aggregate counts its events without a gap: one that was taken out is missed."""
    last: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for recorded in events:
        if not isinstance(recorded.event, Event):
            # It counts as one of its aggregate, of which its subject tells.
            _, goal_id, task_id, kind = (*recorded.subject.split(".", 3), "", "", "")[:4]
            name = f"{goal_id}.{task_id}" + (f".{kind.partition('.')[0]}" if task_id == "_" else "")
            last[name] = (last[name][0] + 1, recorded.seq)
            continue
        event = recorded.event
        version, seq = last[event.originator_id]
        for missing in range(version + 1, event.originator_version):
            yield Flaw(
                seq=recorded.seq,
                subject=recorded.subject,
                what=f"event {missing} of {event.originator_id} was removed: it stood between {seq} and"
                f" {recorded.seq}",
            )
        if event.originator_version <= version:
            yield Flaw(
                seq=recorded.seq,
                subject=recorded.subject,
                what=f"it is event {event.originator_version} of {event.originator_id}, which {seq} is already",
            )
        last[event.originator_id] = (event.originator_version, recorded.seq)


def _of_seals(history: GoalHistory) -> Iterator[Flaw]:
    for recorded in history.events:
        seal = recorded.event
        if not isinstance(seal, SealRecorded):
            continue
        bound = [message for message in history.messages if message.seq <= seal.up_to_seq]
        if digest_of(b"".join(map(seal_line, bound))) == seal.sha256:
            continue
        lines = history.objects.get(seal.sha256)
        if lines is None or digest_of(lines) != seal.sha256:
            yield Flaw(
                seq=recorded.seq,
                subject=recorded.subject,
                what=f"the seal does not fit the {len(bound)} events up to {seal.up_to_seq}; its lines are gone,"
                " so it cannot tell which",
            )
        else:
            yield from _against(lines, bound)


def _seals(history: GoalHistory) -> Iterator[tuple[SealRecorded, Recorded, bytes]]:
    for recorded, message in zip(history.events, history.messages, strict=True):
        if isinstance(recorded.event, SealRecorded):
            yield recorded.event, recorded, message.data


def _of_signatures(history: GoalHistory, known: Collection[str]) -> Iterator[Flaw]:
    """Seals that the orchestrator has not signed, and offers for review without a seal."""
    for seal, recorded, body in _seals(history):
        key = seal.metadata.get(KEY, "")
        what = ""
        if SIGNATURE in seal.metadata and not is_signed_by(body, key):
            what = f"its signature does not fit: it was changed, or is not by the key {key or '(none)'}"
        elif SIGNATURE not in seal.metadata and known:
            what = "the seal is not signed: an old release, or whoever can write to the log, may have made it"
        elif known and key not in known:
            what = f"the seal is signed by {key}, which is no key of this hub's orchestrator"
        if what:
            yield Flaw(seq=recorded.seq, subject=recorded.subject, what=what)
    offers = [r for r in history.events if isinstance(r.event, GoalReadyForReview)]
    sealed = max((seal.up_to_seq for seal, _, _ in _seals(history)), default=0)
    if known and history.is_over and offers and offers[-1].seq > sealed:
        yield Flaw(
            seq=offers[-1].seq, subject=offers[-1].subject, what="it was offered for review, and its seal is gone"
        )


def seal_line(message: StoredMessage) -> bytes:
    """The line of a message under a seal."""
    return f"{message.seq} {message.subject} {message.sha256}\n".encode()


def _against(lines: bytes, bound: Sequence[StoredMessage]) -> Iterator[Flaw]:
    there = {message.seq: _Line(message.subject, message.sha256) for message in bound}
    sealed: dict[int, _Line] = {}
    for text in lines.decode().splitlines():
        seq, subject, sha256 = text.split(" ")
        sealed[int(seq)] = _Line(subject, sha256)
    for number, line in sealed.items():
        found = there.get(number)
        if found is None:
            yield Flaw(seq=number, subject=line.subject, what="it was removed after it had been sealed")
        elif found != line:
            yield Flaw(
                seq=number,
                subject=line.subject,
                what=f"it was changed after it had been sealed: it hashes to {found.sha256}, sealed was"
                f" {line.sha256}",
            )
    for number in there.keys() - sealed.keys():
        yield Flaw(seq=number, subject=there[number].subject, what="it was put in after the seal")


def _of_objects(history: GoalHistory) -> Iterator[Flaw]:
    for digest, data in history.objects.items():
        if digest_of(data) != digest:
            yield Flaw(seq=0, subject=digest, what="the object was changed: it does not hash to its name")
    for recorded in history.events:
        order = recorded.event
        if isinstance(order, TaskEnqueued) and order.context_ref and order.context_ref not in history.objects:
            yield Flaw(seq=recorded.seq, subject=recorded.subject, what=f"its context {order.context_ref} is gone")
