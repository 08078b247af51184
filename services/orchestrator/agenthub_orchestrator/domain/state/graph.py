"""The goal's graph of tasks: growing, shrinking, and what the end of a task means for those that wait for it."""

from __future__ import annotations

from collections.abc import Iterable

from agenthub_events.catalogue.values import PlannedTask
from agenthub_events.task_ids import gate_repaired_by, kind_of
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.task import SATISFIED, TaskState, TaskWord


def add_task(state: GoalState, task_id: str) -> TaskState:
    """A task that is met for the first time."""
    task = TaskState(
        task_id=task_id, kind=kind_of(task_id), index=len(state.tasks), fence=state.task_fence(task_id)
    )
    state.tasks[task_id] = task
    state.unended[task_id] = None
    return task


def grow(state: GoalState, added: Iterable[PlannedTask]) -> None:
    """Put planned tasks into the graph; one that was planned and never ordered is replaced."""
    fresh = [task for planned in added if (task := _place(state, planned)) is not None]
    for task in fresh:
        _wire(state, task)


def _place(state: GoalState, planned: PlannedTask) -> TaskState | None:
    task = state.tasks.get(planned.task_id)
    if task is None:
        task = add_task(state, planned.task_id)
        state.graph.append(planned.task_id)
        state.unfinished += 1
        state.real_work += planned.agent_type != "noop"
    elif task.planned is None or task.attempt or task.ended:
        return None
    else:
        _unwire(state, task, task.planned)
        state.real_work += (planned.agent_type != "noop") - (task.planned.agent_type != "noop")
    task.planned = planned
    state.keys[planned.key] = planned.task_id
    return task


def _unwire(state: GoalState, task: TaskState, planned: PlannedTask) -> None:
    for dependency in planned.depends_on:
        known = state.tasks.get(dependency)
        if known is not None and task.task_id in known.dependents:
            known.dependents.remove(task.task_id)
    task.unmet = 0
    state.ready.pop(task.task_id, None)
    state.doomed.pop(task.task_id, None)


def _wire(state: GoalState, task: TaskState) -> None:
    """Count what a task waits for. A dependency that nobody knows is never met."""
    planned = task.planned
    for dependency in planned.depends_on if planned else ():
        known = state.tasks.get(dependency)
        if known is not None and known.word in SATISFIED:
            continue
        task.unmet += 1
        if known is None:
            continue
        known.dependents.append(task.task_id)
        if known.word == "cancelled":
            doom(state, task.task_id, (dependency, *known.causes))
    if not task.unmet:
        state.ready[task.task_id] = None


def drop(state: GoalState, dropped: Iterable[str]) -> None:
    """Take tasks out of the plan: they will be cancelled."""
    for task_id in dropped:
        doom(state, task_id, ())


def doom(state: GoalState, task_id: str, causes: tuple[str, ...]) -> None:
    """Let the decider cancel a task that has not ended."""
    task = state.tasks.get(task_id)
    if task is not None and not task.ended:
        state.doomed.setdefault(task_id, causes)
        state.ready.pop(task_id, None)


def end_task(state: GoalState, task: TaskState, word: TaskWord) -> None:
    """Nothing more will happen to the task; those that wait for it may go on, or are doomed."""
    task.word = word
    for index in (state.ready, state.open, state.closed, state.unended, state.frozen):
        index.pop(task.task_id, None)
    state.doomed.pop(task.task_id, None)
    state.heritage.pop(task.task_id, None)
    if task.question is not None:
        state.questions.pop(task.question.seq, None)
    if task.planned is not None:
        state.unfinished -= 1
    if task.kind == "debug" and gate_repaired_by(task.task_id):
        state.diagnosed[task.task_id] = None
    for task_id in task.dependents:
        if word in SATISFIED:
            _release(state, state.tasks[task_id])
        else:
            doom(state, task_id, (task.task_id, *task.causes))


def _release(state: GoalState, task: TaskState) -> None:
    task.unmet -= 1
    waits = task.word == "pending" and not task.unreadable_seq and task.task_id not in state.doomed
    if task.unmet == 0 and waits:
        state.ready[task.task_id] = None
