"""Work orders: the event that puts an attempt into a queue, and everything it says."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import msgspec

from agenthub_events.agent_types import agent_type_of
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.catalogue.values import CallBudget, Complexity, Lane, Origin, TaskEdits
from agenthub_events.context import Answered, digest_of, encode_context
from agenthub_events.errors import InvalidInput
from agenthub_events.gates import GATES
from agenthub_events.rules.plan import DEFAULT_TIMEOUT_S
from agenthub_events.task_ids import gate_of, kind_of, parent_of
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.orders.lanes import UNBLOCKING, lane
from agenthub_orchestrator.domain.orders.work_context import context_of
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.timer_refs import order_ref

PLAN_TIMEOUT_S = 1_800
PREPARE_TIMEOUT_S = 900


class Spec(NamedTuple):
    """What a task asks for, whether planned or made by rule."""

    title: str
    agent: str
    agent_type: str
    timeout_s: int
    details: str = ""
    depends_on: tuple[str, ...] = ()
    complexity: Complexity = "medium"
    origin: Origin = "planner"


def enqueue(
    decision: Decision,
    task_id: str,
    *,
    resumes: int = 0,
    changed: tuple[str, ...] = (),
    answered: Answered | None = None,
    by_person: bool = False,
) -> bool:
    """Add the next attempt of a task to the decision; False when its aggregate takes no draft now."""
    if not decision.is_free(task_id):
        return False
    state = decision.state
    spec = spec_of(state, task_id)
    before = task_commit(state, task_id)
    if resumes and before != state.head:
        # What a gate has read of another commit is no evidence about this one.
        resumes = 0 if kind_of(task_id) == "gate" else resumes
        changed = (*changed, f"the branch has moved from {before or 'its start'} to {state.head}")
    order = _order(decision, task_id, spec, resumes=resumes, by_person=by_person)
    context = None
    if spec.agent_type != "noop":
        told = context_of(state, task_id, title=spec.title, details=spec.details, answered=answered)
        context = encode_context(told)
        order = msgspec.structs.replace(
            order,
            context_ref=digest_of(context),
            changed=changed,
            budget=_budget(state),
            workspace_commit=state.head,
        )
    route = (spec.agent_type, order.lane)
    return decision.write(task_id, order, str(order.attempt), route=route, context=context)


def order_again(decision: Decision) -> None:
    """Order an attempt again that no queue and no living worker has: the same work, and no attempt is counted.

    Also while nothing new may start: a goal that is given up ends only when what was ordered has ended.
    """
    for fired in decision.fired:
        task = decision.state.tasks.get(fired.task_id)
        if fired.kind != "lost" or task is None or task.order is None:
            continue
        if task.is_open and fired.ref == order_ref(task):
            order = msgspec.structs.replace(task.order, instead_of=task.order_seq)
            ordinal = f"{task.attempt}-{task.order_seq}"
            decision.write(task.task_id, order, ordinal, route=(order.agent_type, order.lane))


def task_commit(state: GoalState, task_id: str) -> str:
    """The head from which the task's newest attempt was to start."""
    task = state.tasks.get(task_id)
    return task.order.workspace_commit if task and task.order else state.head


def _order(decision: Decision, task_id: str, spec: Spec, *, resumes: int, by_person: bool) -> TaskEnqueued:
    task = decision.state.tasks.get(task_id)
    hashes = decision.policy.agent_hashes
    attempt = task.attempt + 1 if task else 1
    priority = decision.state.aggregate.priority
    return TaskEnqueued(
        task_id=task_id,
        agent=spec.agent,
        agent_type=spec.agent_type,
        agent_hash=hashes.get(spec.agent) or hashes.get(spec.agent_type, ""),
        attempt=attempt,
        lane=_lane(decision.state, task_id, spec, attempt, by_person),
        title=spec.title,
        timeout_s=spec.timeout_s,
        parent_task_id=parent_of(task_id),
        priority=priority,
        retry_count=task.retry_count if task else 0,
        max_retries=decision.policy.max_retries,
        model=_model(decision.state),
        details=spec.details,
        depends_on=spec.depends_on,
        complexity=spec.complexity,
        resumes=resumes,
    )


def _model(state: GoalState) -> str:
    accepted = state.aggregate.accepted
    return accepted.fork.model if accepted is not None and accepted.fork is not None else ""


def _lane(state: GoalState, task_id: str, spec: Spec, attempt: int, by_person: bool) -> Lane:
    kind = kind_of(task_id)
    return lane(
        kind=kind,
        attempt=attempt,
        priority=state.aggregate.priority,
        origin=spec.origin,
        answered=by_person,
        sole=kind in UNBLOCKING and not _other_work_runs(state),
    )


def _other_work_runs(state: GoalState) -> bool:
    return any(
        state.tasks[task_id].kind not in UNBLOCKING for index in (state.open, state.ready) for task_id in index
    )


def _budget(state: GoalState) -> CallBudget:
    aggregate, ledger = state.aggregate, state.ledger
    return CallBudget(
        max_llm_calls=max(0, aggregate.max_llm_calls - ledger.committed_calls),
        max_cost_usd=max(0.0, aggregate.max_cost_usd - ledger.committed_cost_usd),
    )


def spec_of(state: GoalState, task_id: str) -> Spec:
    """What the task asks for now, with everything that people have edited."""
    task = state.tasks.get(task_id)
    if task is None:
        return _by_rule(state, task_id)
    planned = task.planned
    if planned is None:
        return _edited(_by_rule(state, task_id), task.edits)
    spec = Spec(
        title=planned.title,
        agent=planned.agent,
        agent_type=planned.agent_type,
        timeout_s=planned.timeout_s or DEFAULT_TIMEOUT_S,
        details=planned.details,
        depends_on=planned.depends_on,
        complexity=planned.complexity,
        origin=planned.origin,
    )
    return _edited(spec, task.edits)


def _by_rule(state: GoalState, task_id: str) -> Spec:
    named = gate_of(task_id)
    if named is not None:
        gate = GATES[named[0]]
        return Spec(gate.title, gate.agent_type, gate.agent_type, DEFAULT_TIMEOUT_S)
    if kind_of(task_id) == "prepare":
        return Spec("Fetch the repository", "coding", "coding", PREPARE_TIMEOUT_S)
    if kind_of(task_id) == "deliver":
        # It may have to run the tests of what its target has become.
        return Spec("Deliver the result", "coding", "coding", DEFAULT_TIMEOUT_S)
    title = "Plan the requested changes" if state.aggregate.planned else "Plan the goal"
    origin: Origin = "rework" if state.aggregate.planned else "planner"
    return Spec(title, "planner", "planner", PLAN_TIMEOUT_S, origin=origin)


def _edited(spec: Spec, edits: TaskEdits) -> Spec:
    agent, agent_type = spec.agent, spec.agent_type
    if edits.agent is not None:
        with suppress(InvalidInput):  # an agent that nobody has cannot be given work
            agent, agent_type = edits.agent, agent_type_of(edits.agent)
    return spec._replace(
        title=spec.title if edits.title is None else edits.title,
        details=spec.details if edits.details is None else edits.details,
        timeout_s=edits.timeout_s or spec.timeout_s,
        agent=agent,
        agent_type=agent_type,
    )
