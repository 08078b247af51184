"""Who may have written what: the subjects of workers end in the agent type of their writer.

The server lets a worker publish only what ends in a type that it serves. Whether that is the type of the task that
an event is about, only the log knows: it is the type of the task's last order before it. An event of any other
author is *foreign*. It stands in the log and counts in the fence of its aggregate, and says nothing to anybody.

Subjects without an author are those of services, and those that workers wrote before they named their type: no
worker may write such any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agenthub_events.base import Event, type_of
from agenthub_events.catalogue import agent
from agenthub_events.catalogue.gate import GateVerdict
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.errors import InvalidSubject
from agenthub_events.ports import Recorded
from agenthub_events.subjects import GOAL_AS_A_WHOLE, Subject, parse_subject
from agenthub_events.task_ids import gate_of

OF_TASKS = (
    *("task.started", "task.completed", "task.failed", "task.timed_out", "task.parked", "task.proposed"),
    *("llm.called", "knowledge.recorded", "merge.conflicted"),
    *map(type_of, agent.BY_WORKERS),
)
"""What every worker writes about its task."""

OF_GATES = ("gate.passed", "gate.failed")
"""What those alone write about theirs who judge a gate."""

OF_MERGES = ("merge.done",)
OF_MONEY = ("budget.reserved",)
"""What workers write about the goal as a whole, in the name of their task."""

_OF_A_TASK = frozenset((*OF_TASKS, *OF_GATES))
_OF_A_GOAL = frozenset((*OF_MERGES, *OF_MONEY))
_BY_WORKERS = _OF_A_TASK | _OF_A_GOAL


def author_of(subject: Subject) -> str:
    """The agent type whose worker wrote it; empty for a service, and for a worker of an earlier version."""
    return ".".join(subject.route) if subject.type in _BY_WORKERS else ""


def is_foreign(recorded: Recorded, types: Mapping[str, str]) -> bool:
    """Whether it was written by a worker that does not do the task which it is about.

    `types` are the agent types of the goal's tasks, as they were last ordered before it.
    """
    try:
        subject = parse_subject(recorded.subject)
    except InvalidSubject:
        return False
    author, event = author_of(subject), recorded.event
    if not author:
        return False
    whole = subject.task_id == GOAL_AS_A_WHOLE
    if subject.type not in (_OF_A_GOAL if whole else _OF_A_TASK):
        return True
    if whole:
        # Of one that nobody can read nobody knows the task: it stops its family, as any such message does.
        return isinstance(event, Event) and types.get(getattr(event, "task_id", "")) != author
    if types.get(subject.task_id) != author:
        return True
    return isinstance(event, Event) and not _is_about(subject, event)


def _is_about(subject: Subject, event: Event) -> bool:
    """Whether the body names the task, and the gate, of its subject: rows are made of what it says."""
    if event.originator_id != subject.originator_id or getattr(event, "task_id", "") not in ("", subject.task_id):
        return False
    return not isinstance(event, GateVerdict) or gate_of(subject.task_id) == (event.gate, event.round)


@dataclass(slots=True)
class Authors:
    """Follows the orders of one goal, or of one of its tasks, and tells what is foreign.

    It has to see every order before what it is asked about. `types` are the agent types by task.
    """

    types: dict[str, str] = field(default_factory=dict)

    def takes(self, recorded: Recorded) -> bool:
        """Take one more message in, in the order of the log; False for a foreign one."""
        if isinstance(recorded.event, TaskEnqueued):
            self.types[recorded.subject.split(".")[2]] = recorded.event.agent_type
        return not is_foreign(recorded, self.types)


def own(records: Iterable[Recorded], orders: Iterable[Recorded] = ()) -> list[Recorded]:
    """What of a goal, or of one of its tasks, is not foreign. `records` begin with its first message.

    `orders` are those of the goal when `records` hold none: of a family of the goal as a whole.
    """
    authors = Authors()
    told = [*((order, False) for order in orders), *((recorded, True) for recorded in records)]
    told.sort(key=lambda pair: pair[0].seq)
    return [recorded for recorded, is_asked_for in told if authors.takes(recorded) and is_asked_for]
