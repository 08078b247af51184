"""What a goal that is forked begins with: the parent folded up to an event, as the first event of a new goal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from agenthub_events.agent_types import agent_type_of
from agenthub_events.base import Event
from agenthub_events.catalogue.fork import Fork, InheritedMerge, InheritedNote, InheritedRework, InheritedTask
from agenthub_events.catalogue.goal import GoalAccepted, GoalErased, GoalPlanned
from agenthub_events.catalogue.task import MergeDone
from agenthub_events.catalogue.values import Constraints, PlanAnalysis, PlannedTask, PlanTask, TaskEdits
from agenthub_events.errors import CommandRefused, InvalidInput, InvalidPlan
from agenthub_events.ports import Recorded
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_events.rules.requirements import DEFAULT_LLM_CALLS
from agenthub_events.task_ids import kind_of
from agenthub_orchestrator.domain.state.fold import apply
from agenthub_orchestrator.domain.state.goal import GoalState, initial
from agenthub_orchestrator.domain.state.task import SATISFIED, TaskState
from agenthub_replay.errors import HistoryMissing
from agenthub_replay.history import GoalHistory

_KEPT_ALWAYS = frozenset({"prepare"})


class Different(msgspec.Struct, frozen=True, kw_only=True):
    """What the fork does differently; what is empty or None stays as it was in the parent.

    `tasks` stand in the place of all that had not ended. `max_cost_usd` and `max_llm_calls` are the whole budget:
    nothing of what the parent has spent counts.
    """

    model: str = ""
    prompt: str = ""
    tasks: tuple[PlanTask, ...] | None = None
    max_cost_usd: float | None = None
    max_llm_calls: int | None = None


def forked(history: GoalHistory, at_seq: int, different: Different) -> GoalAccepted:
    """The first event of a goal that goes on from the event `at_seq` of this one.

    Raises `HistoryMissing` when that is none of its events, `CommandRefused` when nothing can be forked there, and
    `InvalidPlan` for tasks that do not fit what had ended.
    """
    _check(history, at_seq)
    state, analysis = _fold(history, at_seq)
    accepted = state.aggregate.accepted
    if accepted is None:
        raise CommandRefused(
            "fork-refused", f"Goal `{history.goal_id}` does not begin as goals do: submit a new one"
        )
    _has_all(state, accepted, at_seq)
    kept, ended = _plan(state)
    tasks = kept if different.tasks is None else _with_own(state, kept, ended, different.tasks)
    earlier = accepted.fork or Fork(goal_id="", at_seq=0)
    fork = Fork(
        goal_id=history.goal_id,
        at_seq=at_seq,
        tasks=tasks if state.aggregate.planned else (),
        analysis=analysis,
        ended=ended,
        merges=tuple(_merges(state, history.event_at(at_seq))),
        notes=tuple(InheritedNote(task_id=n.task_id, kind=n.kind, text=n.text) for n in state.knowledge),
        reworks=tuple(InheritedRework(rework_id=r.rework_id, feedback=r.feedback, by=r.by) for r in state.reworks),
        reworks_answered=state.reworks_answered,
        plan_approved=state.aggregate.plan_approved and different.tasks is None,
        model=different.model or earlier.model,
        prompt=different.prompt or earlier.prompt,
    )
    return _accepted(state, accepted, fork, different)


def _accepted(state: GoalState, accepted: GoalAccepted, fork: Fork, different: Different) -> GoalAccepted:
    workflow = accepted.workflow if different.tasks is None else different.tasks
    return GoalAccepted(
        goal=accepted.goal,
        requirements=accepted.requirements,
        constraints=_budget(state, accepted.constraints, different),
        priority=state.aggregate.priority,
        repository=accepted.repository,
        test_command=accepted.test_command,
        setup=state.setup or accepted.setup,
        checks=accepted.checks,
        autonomy=accepted.autonomy,
        workflow=None if state.aggregate.planned else workflow,
        notify=accepted.notify,
        ref=accepted.ref,
        base_commit=accepted.base_commit,
        delivery=accepted.delivery,
        # A branch that the parent was given is the parent's.
        delivery_branch="",
        fork=fork,
    )


def _budget(state: GoalState, limits: Constraints, different: Different) -> Constraints:
    aggregate = state.aggregate
    calls = None if aggregate.max_llm_calls == DEFAULT_LLM_CALLS else aggregate.max_llm_calls
    # A limit of money that nobody has set lets calls of an unknown price through: it stays unset.
    money = aggregate.max_cost_usd if aggregate.money_limit_set else None
    return msgspec.structs.replace(
        limits,
        max_llm_calls=calls if different.max_llm_calls is None else different.max_llm_calls,
        max_cost_usd=money if different.max_cost_usd is None else different.max_cost_usd,
    )


def _fold(history: GoalHistory, at_seq: int) -> tuple[GoalState, PlanAnalysis]:
    state, analysis = initial(history.goal_id), PlanAnalysis()
    for recorded in history.until(at_seq):
        apply(state, recorded)
        if isinstance(recorded.event, GoalPlanned):
            analysis = recorded.event.analysis
    return state, analysis


def _check(history: GoalHistory, at_seq: int) -> None:
    if history.event_at(at_seq) is None:
        raise HistoryMissing(_nearest(history, at_seq), field="at_seq")
    goal_id = history.goal_id
    if any(isinstance(recorded.event, GoalErased) for recorded in history.events):
        raise CommandRefused(
            "goal-erased",
            f"What goal `{goal_id}` was made of is erased, and its files with it: submit a new goal instead",
        )
    unreadable = next((r.seq for r in history.until(at_seq) if not isinstance(r.event, Event)), None)
    if unreadable is not None:
        raise CommandRefused(
            "fork-refused",
            f"Event {unreadable} of goal `{goal_id}` cannot be read by this version: fork from an event before it",
        )


def _has_all(state: GoalState, accepted: GoalAccepted, at_seq: int) -> None:
    """A goal that is a fork itself has to have said everything that it has from its parent."""
    fork = accepted.fork
    if fork is None:
        return
    planned = state.aggregate.planned or not fork.tasks
    if not planned or state.heritage or len(state.merges) < len(fork.merges):
        raise CommandRefused(
            "fork-refused",
            f"At event {at_seq} goal `{state.goal_id}` was still taking over what it has from `{fork.goal_id}`:"
            f" fork that goal from its event {fork.at_seq}, or this one from a later event",
        )


def _nearest(history: GoalHistory, at_seq: int) -> str:
    known = [message.seq for message in history.messages]
    before = max((seq for seq in known if seq < at_seq), default=None)
    after = min((seq for seq in known if seq > at_seq), default=None)
    if before is None:
        return f"Event {at_seq} lies before this goal: its first event is {after}"
    if after is None:
        return f"Event {at_seq} lies behind this goal: its last event is {before}"
    return f"Event {at_seq} is none of this goal: the nearest ones are {before} and {after}"


def _plan(state: GoalState) -> tuple[tuple[PlannedTask, ...], tuple[InheritedTask, ...]]:
    """The plan without what was given up and what rules had made, and what of all that had ended."""
    kept: dict[str, PlannedTask] = {}
    for task_id in state.graph:
        task = state.tasks[task_id]
        gone = task.word == "cancelled" or task_id in state.doomed or kind_of(task_id) != "work"
        if task.planned is None or gone or any(needed not in kept for needed in task.planned.depends_on):
            continue
        kept[task_id] = task.planned if task.word in SATISFIED else _edited(task.planned, task.edits)
    over = (task for task_id, task in state.tasks.items() if task_id in kept or task_id in _KEPT_ALWAYS)
    return tuple(kept.values()), tuple(_ended(task) for task in over if task.word in SATISFIED)


def _ended(task: TaskState) -> InheritedTask:
    if task.word == "skipped":
        return InheritedTask(task_id=task.task_id, skipped_by=task.ended_by, reason=task.summary)
    agent = task.planned.agent if task.planned else "coding"
    return InheritedTask(task_id=task.task_id, agent=agent, result=task.result)


def _edited(planned: PlannedTask, edits: TaskEdits) -> PlannedTask:
    given = {name: value for name in edits.__struct_fields__ if (value := getattr(edits, name)) is not None}
    if "agent" in given:
        try:
            given["agent_type"] = agent_type_of(given["agent"])
        except InvalidInput:
            del given["agent"]  # one that nobody has cannot be given work
    return msgspec.structs.replace(planned, **given)


def _merges(state: GoalState, last: Recorded | None) -> Iterator[InheritedMerge]:
    """The steps of the branch; one whose task ends with the next event, of the same write, is made again."""
    event = last.event if last else None
    cut = isinstance(event, MergeDone) and event.origin != "base" and not _has_ended(state, event.task_id)
    for merge in state.merges[:-1] if cut else state.merges:
        yield InheritedMerge(**{name: getattr(merge, name) for name in InheritedMerge.__struct_fields__})


def _has_ended(state: GoalState, task_id: str) -> bool:
    """True also of what somebody skipped while it was being merged."""
    task = state.tasks.get(task_id)
    return task is not None and task.word in SATISFIED


def _with_own(
    state: GoalState,
    kept: Sequence[PlannedTask],
    ended: Sequence[InheritedTask],
    wanted: tuple[PlanTask, ...],
) -> tuple[PlannedTask, ...]:
    """What had ended, and a person's tasks in the place of the rest."""
    over = {task.task_id for task in ended}
    done = tuple(task for task in kept if task.task_id in over)
    accepted = state.aggregate.accepted
    try:
        own = validate_plan(
            wanted,
            limits=MANUAL_LIMITS,
            existing={task.key: task.task_id for task in done},
            requirement_count=len(accepted.requirements) if accepted else 0,
            origin="human",
        )
    except InvalidPlan as error:
        error.field = "plan"
        raise
    return (*done, *own)
