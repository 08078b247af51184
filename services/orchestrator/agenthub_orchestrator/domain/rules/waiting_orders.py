"""Questions about orders that nobody takes: no running worker serves them, or they have waited for long."""

from __future__ import annotations

from agenthub_events.rules import answer_options
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.due import Fired
from agenthub_orchestrator.domain.rules.questions import ask
from agenthub_orchestrator.domain.state.task import WAITS, TaskState


def ask_about_waits(decision: Decision) -> None:
    """Tell people about such an order, one for each agent type at a time."""
    for fired in decision.fired:
        task = decision.state.tasks.get(fired.task_id)
        if fired.kind not in ("unserved", "queued") or task is None or task.order is None:
            continue
        if task.word != "enqueued" or fired.ref != str(task.order_seq) or task.wait_asked_seq > task.order_seq:
            continue
        if not _is_asked_about(decision, task.order.agent_type):
            _ask(decision, task, fired)


def _ask(decision: Decision, task: TaskState, fired: Fired) -> None:
    order = task.order
    assert order is not None
    since = f"{order.timestamp:%Y-%m-%d %H:%M:%S} UTC"
    if fired.kind == "unserved":
        remedy = f"Start one with `agenthub worker {order.agent_type}`."
        words = (
            f"No running worker serves `{order.agent_type}`, so {task.task_id} has waited since {since}."
            f" {fired.detail or remedy}"
        )
    else:
        words = (
            f"{task.task_id} has waited in the queue of `{order.agent_type}` since {since}: its workers are busy"
            " with other work. Start more of them, or raise the goal's priority."
        )
    options = (answer_options.TRY_AGAIN, answer_options.GIVE_UP)
    ask(decision, fired.kind, words, options=options, task_id=task.task_id)


def _is_asked_about(decision: Decision, agent_type: str) -> bool:
    """Whether a question of the same kind is open about another task of the type."""
    tasks = decision.state.tasks
    open_waits = [q for q in decision.state.questions.values() if q.asked.reason in WAITS]
    orders = [tasks[q.asked.task_id].order for q in open_waits if q.asked.task_id in tasks]
    return any(order is not None and order.agent_type == agent_type for order in orders)
