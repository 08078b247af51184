"""The fold: one more message of a goal's log, and what the goal is after it."""

from __future__ import annotations

from agenthub_events.ports import Recorded
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.goal_fold import fold_family
from agenthub_orchestrator.domain.state.task_fold import fold_task

NOTIFICATION = "n-"


def apply(state: GoalState, recorded: Recorded) -> GoalState:
    """Take one more message of the goal into `state`, which is changed in place and returned.

    Messages come in the order of the log, none left out, from the goal's first one on; one that is folded
    already changes nothing. A fact is never refused: what does not fit any more is counted and otherwise ignored,
    and so is what is foreign.
    """
    if recorded.seq <= state.last_seq:
        return state
    event = recorded.event
    _count(state, recorded)
    _, _, task_id, family, _ = recorded.subject.split(".", 4)
    if not state.authors.takes(recorded):
        _pass_over(state, task_id, family, recorded.seq)
    elif task_id == GOAL_AS_A_WHOLE:
        fold_family(state, family, recorded.seq, event)
    elif not task_id.startswith(NOTIFICATION):
        fold_task(state, task_id, recorded.seq, event)
    return state


def _pass_over(state: GoalState, task_id: str, family: str, seq: int) -> None:
    task = state.tasks.get(task_id)
    if task is not None:
        task.fence = task.fence.moved(seq)
    elif task_id == GOAL_AS_A_WHOLE:
        state.families[family] = state.fence(family).moved(seq)
    else:
        state.unknown[task_id] = state.task_fence(task_id).moved(seq)


def _count(state: GoalState, recorded: Recorded) -> None:
    state.last_seq = recorded.seq
    state.messages += 1
    if not isinstance(recorded.event, Unreadable):
        state.last_at = recorded.event.timestamp
    state.to_seal.append(f"{recorded.seq} {recorded.subject} {recorded.sha256}\n".encode())
