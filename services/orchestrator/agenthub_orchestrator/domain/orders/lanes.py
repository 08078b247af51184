"""Which of the four lanes of its queue an order takes."""

from __future__ import annotations

from agenthub_events.catalogue.values import Lane, Origin, Priority
from agenthub_events.task_ids import TaskKind

UNBLOCKING: frozenset[TaskKind] = frozenset({"debug", "fix", "merge", "gate"})


def lane(
    *,
    kind: TaskKind,
    attempt: int,
    priority: Priority = "normal",
    origin: Origin = "planner",
    answered: bool = False,
    sole: bool = False,
) -> Lane:
    """The lane of an attempt.

    `answered`: a person has answered its question. `sole`: nothing else of the goal can run meanwhile.
    """
    if answered or priority == "urgent" or (sole and kind in UNBLOCKING):
        return "p0"
    if attempt > 1 or origin == "rework" or priority == "high":
        return "p1"
    return "p3" if priority == "low" else "p2"
