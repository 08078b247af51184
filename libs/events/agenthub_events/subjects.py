"""Names on the bus: ids, subjects, aggregates.

    evt.<goal_id>.<task_id or _>.<family>.<event>[.<route>...]

An aggregate is a subject prefix and is its own fence: a task is `<goal>.<task>`; under `_` every family is one
aggregate, `<goal>._.<family>`. `hub` stands in for a goal where a fact belongs to none.
"""

from __future__ import annotations

import re
import uuid
from typing import NamedTuple

from agenthub_events.errors import InvalidSubject

STREAM = "EVENTS"
PREFIX = "evt"
GOAL_AS_A_WHOLE = "_"
HUB = "hub"

TASK_ID_MAX = 64
# Leaves room for the ids that rules make of it, such as `debug-merge-<id>-1-1`.
PLANNED_ID_MAX = 44
_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_GOAL_ID = re.compile(r"g-[0-9a-z]{26}")
_SLUG_GAP = re.compile(r"[^a-z0-9]+")
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_NAMESPACE = uuid.UUID("7b0d5a0e-5f4b-5d0c-9a8f-3c7e21a9d4e6")


class Subject(NamedTuple):
    """A subject of the log, taken apart."""

    goal_id: str
    task_id: str
    type: str
    route: tuple[str, ...]

    @property
    def originator_id(self) -> str:
        """The aggregate that the subject belongs to."""
        return aggregate_of(self.goal_id, self.task_id, self.type)


def parse_subject(subject: str) -> Subject:
    """Take a subject apart. Raises `InvalidSubject`."""
    prefix, *tokens = subject.split(".")
    if prefix != PREFIX or len(tokens) < 4 or not all(tokens):
        raise InvalidSubject(
            f"`{subject}` is not a subject of the log: expected evt.<goal>.<task>.<family>.<event>"
        )
    goal_id, task_id, family, event, *route = tokens
    return Subject(goal_id, task_id, f"{family}.{event}", tuple(route))


def aggregate_of(goal_id: str, task_id: str, event_type: str) -> str:
    """The aggregate (originator id) of an event of this type."""
    if task_id == GOAL_AS_A_WHOLE:
        return f"{goal_id}.{GOAL_AS_A_WHOLE}.{event_type.partition('.')[0]}"
    return f"{goal_id}.{task_id}"


def subject_of(goal_id: str, task_id: str, event_type: str, *route: str) -> str:
    """The subject of an event of this type."""
    return ".".join((PREFIX, goal_id, task_id, event_type, *route))


def filter_of(originator_id: str) -> str:
    """The subject filter that covers one aggregate, or everything below a prefix such as a goal id."""
    return f"{PREFIX}.{originator_id}.>"


def uuid5(name: str) -> str:
    """RFC 9562 version 5 UUID of `name` in agenthub's namespace."""
    return str(uuid.uuid5(_NAMESPACE, name))


def event_id(originator_id: str, event_type: str, ordinal: str) -> str:
    """The id of an event: what it is, so that a retry or a twin writer makes the same."""
    return uuid5(f"{originator_id}|{event_type}|{ordinal}")


def goal_id_for_key(principal: str, key: str) -> str:
    """The goal id of a submission with an `Idempotency-Key`: the same key always means the same goal."""
    number = int(uuid5(f"{principal}|{key}").replace("-", ""), 16)
    return goal_id_from_token(_base32(number))


def goal_id_from_token(token: str) -> str:
    """`g-` and a 26-character lower-case ULID. Raises `InvalidSubject`."""
    goal_id = f"g-{token}"
    return check_goal_id(goal_id)


def check_goal_id(goal_id: str) -> str:
    """Return `goal_id` when it is one. Raises `InvalidSubject`."""
    if not _GOAL_ID.fullmatch(goal_id):
        raise InvalidSubject(
            f"`{goal_id}` is not a goal id: expected `g-` and 26 letters or digits", field="goal_id"
        )
    return goal_id


def check_task_id(task_id: str) -> str:
    """Return `task_id` when it is one. Raises `InvalidSubject`."""
    if not _ID.fullmatch(task_id) or len(task_id) > TASK_ID_MAX:
        raise InvalidSubject(
            f"`{task_id}` is not a task id: lower-case letters, digits and dashes, at most {TASK_ID_MAX}",
            field="task_id",
        )
    return task_id


def planned_task_id(key: str) -> str:
    """The task id of a plan's task key, `t-<slug>`. Raises `InvalidSubject` for a key without letters."""
    slug = _SLUG_GAP.sub("-", key.lower()).strip("-")[: PLANNED_ID_MAX - 2].rstrip("-")
    return check_task_id(f"t-{slug}" if slug else "")


def _base32(number: int) -> str:
    digits = []
    for _ in range(26):
        digits.append(_CROCKFORD[number & 31])
        number >>= 5
    return "".join(reversed(digits))
