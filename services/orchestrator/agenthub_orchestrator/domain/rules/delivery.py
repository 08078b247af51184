"""After a person's approval: bringing the result to the repository that the goal was made for."""

from __future__ import annotations

from agenthub_events.catalogue.task import TaskCancelled
from agenthub_events.task_ids import deliver_task_id
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.orders.orders import enqueue
from agenthub_orchestrator.domain.state.goal import GoalState


def deliver(decision: Decision) -> None:
    """Order the delivery of what was approved, once for each approval."""
    task_id = deliver_task_id(decision.state.approvals)
    if decision.may_start and task_id not in decision.state.tasks:
        enqueue(decision, task_id)


def recall(decision: Decision) -> None:
    """A goal that is open again delivers nothing: what would go out has not been approved."""
    for task in decision.tasks(decision.state.unended):
        if task.kind == "deliver":
            event = TaskCancelled(task_id=task.task_id, reason="the goal was opened again before it was delivered")
            decision.write(task.task_id, event, "1")


def told_of_delivery(state: GoalState) -> str:
    """In a sentence what became of the delivery; empty when none was wanted."""
    task = state.tasks.get(deliver_task_id(state.approvals))
    if task is None:
        return ""
    if task.word == "done":
        return task.summary
    by = f" by {task.ended_by}" if task.ended_by else ""
    return f"Not delivered: {task.task_id} was {task.word}{by}"
