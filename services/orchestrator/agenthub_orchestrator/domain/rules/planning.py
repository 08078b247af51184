"""From a goal to its graph: what a fork inherits, planning tasks, and the verdict on what they propose."""

from __future__ import annotations

import msgspec

from agenthub_events.catalogue.fork import Fork, InheritedTask
from agenthub_events.catalogue.goal import GoalAccepted, GoalFailed, GoalPlanned, GoalPlanRejected
from agenthub_events.catalogue.task import MergeDone, TaskCompleted, TaskSkipped
from agenthub_events.catalogue.values import Plan, PlannedTask
from agenthub_events.errors import InvalidPlan
from agenthub_events.rules import answer_options
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan, validate_proposal
from agenthub_events.task_ids import PREPARE, plan_task_id
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.orders.estimates import estimates
from agenthub_orchestrator.domain.orders.orders import enqueue
from agenthub_orchestrator.domain.rules.questions import ask
from agenthub_orchestrator.domain.rules.repairs import replan
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.task import TaskState

WORKFLOW = "workflow"


def inherit(decision: Decision) -> bool:
    """Say what a forked goal has from its parent; True while something is still to be said, and nothing may start.

    First the plan, then the branch step by step, then the tasks that had ended: whatever names a commit comes
    after the merge that brought it.
    """
    state = decision.state
    accepted = state.aggregate.accepted
    fork = accepted.fork if accepted else None
    if fork is None:
        return False
    if fork.tasks and not state.aggregate.planned:
        _take_plan(decision, fork)
        return True
    if len(state.merges) < len(fork.merges):
        number = len(state.merges)
        step = MergeDone(**msgspec.structs.asdict(fork.merges[number]))
        decision.write_family("merge", step, f"fork-{number + 1}")
        return True
    for ended in state.heritage.values():
        decision.write(ended.task_id, _ended(fork, ended), "fork")
    return bool(state.heritage)


def _take_plan(decision: Decision, fork: Fork) -> None:
    over = {ended.task_id for ended in fork.ended}
    to_do = tuple(task for task in fork.tasks if task.task_id not in over)
    event = GoalPlanned(
        revision=1,
        tasks=fork.tasks,
        estimates=estimates(to_do, decision.policy.durations),
        analysis=fork.analysis,
    )
    decision.write_goal(event, "1")


def _ended(fork: Fork, ended: InheritedTask) -> TaskCompleted | TaskSkipped:
    if ended.result is None:
        return TaskSkipped(task_id=ended.task_id, by=ended.skipped_by, reason=ended.reason)
    return TaskCompleted(
        task_id=ended.task_id, agent=ended.agent, attempt=0, result=ended.result, inherited_from=fork.goal_id
    )


def prepare(decision: Decision) -> None:
    """A goal with a repository fetches it before anything else."""
    if decision.may_start and not decision.state.prepared and PREPARE not in decision.state.tasks:
        enqueue(decision, PREPARE)


def plan(decision: Decision) -> None:
    """Bring the goal a plan, or the requested change of its plan, one planning task at a time."""
    state = decision.state
    accepted = state.aggregate.accepted
    if accepted is None:
        return
    if accepted.workflow is not None and not state.aggregate.planned and not _planner_takes_over(state):
        _take_workflow(decision, accepted)
        return
    current = state.current_plan
    if current is not None:
        if current.ended:
            _judge(decision, accepted, current)
    elif not state.aggregate.planned or state.rework is not None:
        _next_plan(decision)


def _planner_takes_over(state: GoalState) -> bool:
    """The workflow was refused, and a person has asked to try again."""
    return bool(state.plans) or (WORKFLOW in state.judged and not state.rejected)


def _take_workflow(decision: Decision, accepted: GoalAccepted) -> None:
    """A submission that brings its own tasks needs no planner."""
    if decision.state.rejected:
        _ask_about_plan(decision)
        return
    try:
        tasks = validate_plan(
            accepted.workflow or (),
            limits=MANUAL_LIMITS,
            requirement_count=len(accepted.requirements),
            origin="human",
        )
    except InvalidPlan as invalid:
        _reject(decision, WORKFLOW, invalid.reasons)
        return
    event = GoalPlanned(
        revision=1, tasks=tasks, estimates=estimates(tasks, decision.policy.durations), origin="human"
    )
    decision.write_goal(event, "1")


def _next_plan(decision: Decision) -> None:
    state = decision.state
    if state.dropped_rework:
        cause = state.plans[-1] if state.plans else ""
        replan(decision, (), cause=cause, reason=state.dropped_rework, origin="rework")
    elif state.rejected >= decision.policy.max_plan_rejections:
        _ask_about_plan(decision)
    elif decision.may_start and state.prepared:
        enqueue(decision, plan_task_id(len(state.plans) + 1), by_person=bool(state.guidance))


def _ask_about_plan(decision: Decision) -> None:
    state = decision.state
    leave = () if state.rework is None else (answer_options.LEAVE_IT,)
    ask(
        decision,
        "plan",
        f"No usable plan after {state.rejected} proposals. Say what the plan should look like, and the planner"
        " tries again.",
        options=(answer_options.TRY_AGAIN, *leave, answer_options.GIVE_UP),
        evidence="\n".join(state.rejections),
    )


def _judge(decision: Decision, accepted: GoalAccepted, task: TaskState) -> None:
    if task.word != "done":
        _without_plan(decision, task)
        return
    proposal = task.result.plan if task.result else None
    if proposal is None:
        _reject(decision, task.task_id, ("the planner returned no plan",))
        return
    try:
        _accept(decision, accepted, task, proposal)
    except InvalidPlan as invalid:
        _reject(decision, task.task_id, invalid.reasons)


def _without_plan(decision: Decision, task: TaskState) -> None:
    """A person ended the planning. A goal cannot do without its first plan; a change of it may be left out."""
    by = f" by {task.ended_by}" if task.ended_by else ""
    reason = f"{task.task_id} was {task.word}{by}"
    if decision.state.aggregate.planned:
        replan(decision, (), cause=task.task_id, reason=reason, origin="rework")
    elif task.word == "cancelled":
        event = GoalFailed(reason=f"{reason}, and without a plan there is nothing to do")
        decision.write_goal(event, str(decision.state.aggregate.rework_round))
    else:
        _reject(decision, task.task_id, (reason,))


def _accept(decision: Decision, accepted: GoalAccepted, task: TaskState, proposal: Plan) -> None:
    state = decision.state
    if not state.aggregate.planned:
        tasks = validate_proposal(proposal, requirements=accepted.requirements)
        event = GoalPlanned(
            revision=1,
            tasks=tasks,
            estimates=estimates(tasks, decision.policy.durations),
            analysis=proposal.analysis,
            plan_task=task.task_id,
        )
        decision.write_goal(event, "1")
        return
    tasks = validate_plan(
        proposal.tasks,
        existing=state.keys,
        requirement_count=len(accepted.requirements),
        origin="rework",
    )
    _refuse_lost_ground(state, tasks)
    kept = tuple(task_id for task_id in state.graph if state.tasks[task_id].word != "cancelled")
    feedback = state.rework.feedback if state.rework else ""
    replan(decision, tasks, cause=task.task_id, reason=f"requested: {feedback}", origin="rework", kept=kept)


def _refuse_lost_ground(state: GoalState, tasks: tuple[PlannedTask, ...]) -> None:
    """Nothing can be built on a task that will never be done."""
    reasons = tuple(
        f"task `{task.key}` depends on `{known.planned.key}`, which was cancelled"
        for task in tasks
        for dependency in task.depends_on
        if (known := state.tasks.get(dependency)) is not None and known.planned and known.word == "cancelled"
    )
    if reasons:
        raise InvalidPlan(reasons)


def _reject(decision: Decision, plan_task: str, reasons: tuple[str, ...]) -> None:
    decision.write_goal(GoalPlanRejected(plan_task=plan_task, reasons=reasons), plan_task)
