"""What an attempt is told: the part of the goal's history that its work needs."""

from __future__ import annotations

from collections.abc import Iterable

from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.task import MergeConflicted
from agenthub_events.catalogue.values import Finding, TestEvidence
from agenthub_events.context import (
    Answered,
    DeliveryOrder,
    GateOrder,
    Inherited,
    JudgedGate,
    MergeOrder,
    PlanOrder,
    TroubleReport,
    WorkContext,
)
from agenthub_events.gates import GATES, TESTS
from agenthub_events.rules.requirements import gate_parameters
from agenthub_events.task_ids import (
    gate_of,
    gate_repaired_by,
    gate_task_id,
    kind_of,
    merge_task_id,
    task_debug_id,
    task_helped_by,
)
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.task import SATISFIED, TaskState

INHERITED_MAX = 60
KNOWLEDGE_MAX = 100
_NOTHING = GoalAccepted(goal="")


def context_of(
    state: GoalState, task_id: str, *, title: str, details: str, answered: Answered | None
) -> WorkContext:
    """The context object of the task's next attempt, from what the fold knows."""
    accepted = state.aggregate.accepted or _NOTHING
    task = state.tasks.get(task_id)
    planned = task.planned if task else None
    parents = _parents(state, task_id, task)
    return WorkContext(
        goal_id=state.goal_id,
        goal=accepted.goal,
        task_id=task_id,
        kind=kind_of(task_id),
        title=title,
        details=details,
        requirements=accepted.requirements,
        constraints=accepted.constraints,
        acceptance=planned.acceptance if planned else (),
        requirement_ids=planned.requirement_ids if planned else (),
        writes=planned.writes if planned else (),
        repository=accepted.repository,
        ref=accepted.ref,
        base_commit=accepted.base_commit,
        test_command=accepted.test_command,
        setup=state.setup or accepted.setup,
        checks=accepted.checks,
        inherited=tuple(_inherited(parent) for parent in parents),
        knowledge=tuple(state.knowledge[-KNOWLEDGE_MAX:]),
        evidence=_evidence(state, task_id, parents),
        tests_before=state.tests_before,
        gate=_gate_order(state, task_id, accepted),
        trouble=_trouble(state, task_id),
        merge=_merge_order(state, task_id, accepted),
        plan=_plan_order(state, task_id),
        checkpoint=task.checkpoint if task else None,
        answered=answered,
        delivery=_delivery_order(state, task_id, accepted),
        instructions=accepted.fork.prompt if accepted.fork else "",
    )


def _parents(state: GoalState, task_id: str, task: TaskState | None) -> list[TaskState]:
    if gate_of(task_id) is not None:
        return _ended_well(state, state.graph)[-INHERITED_MAX:]
    ids = list(task.planned.depends_on) if task and task.planned else []
    ids.append(task_debug_id(task_id, 1))
    return _ended_well(state, ids)


def _ended_well(state: GoalState, ids: Iterable[str]) -> list[TaskState]:
    tasks = (state.tasks.get(task_id) for task_id in ids)
    return [task for task in tasks if task is not None and task.word in SATISFIED]


def _inherited(task: TaskState) -> Inherited:
    result = task.result
    title = task.planned.title if task.planned else task.task_id
    if result is None:
        said = f"Skipped by {task.ended_by}: {task.summary}" if task.word == "skipped" else task.summary
        return Inherited(task_id=task.task_id, title=title, summary=said)
    return Inherited(
        task_id=task.task_id,
        title=title,
        summary=result.summary,
        insights=result.insights,
        findings=result.findings,
        files=tuple(change.path for change in result.files),
    )


def _evidence(state: GoalState, task_id: str, parents: list[TaskState]) -> TestEvidence | None:
    verdict = state.gates[TESTS].verdict
    if gate_of(task_id) is not None and verdict is not None and verdict.exit_code is not None:
        return TestEvidence(
            command=verdict.command,
            exit_code=verdict.exit_code,
            counts=verdict.counts,
            coverage_percent=verdict.coverage_percent,
            failing=verdict.failing,
            log_ref=verdict.log_ref,
        )
    found = (parent.result.evidence for parent in reversed(parents) if parent.result)
    return next((evidence for evidence in found if evidence is not None), None)


def _gate_order(state: GoalState, task_id: str, accepted: GoalAccepted) -> GateOrder | None:
    named = gate_of(task_id)
    if named is None:
        return None
    gate, round_ = named
    rests_on = GATES[gate].rests_on
    parameters = gate_parameters(accepted.requirements, accepted.constraints)
    return GateOrder(
        gate=gate,
        round=round_,
        commit=state.head,
        base=state.base,
        blocking=gate in parameters.blocking,
        min_coverage=parameters.min_coverage if rests_on == "test_run" else None,
        criteria=_criteria(state, accepted) if rests_on == "verdict" else (),
        dismissed=_dismissed(state) if rests_on == "verdict" else (),
        tests_from=_tests_from(state) if rests_on == "test_run" else "",
        changes_tests=_declared_changes(state) if rests_on == "test_run" else (),
    )


def _tests_from(state: GoalState) -> str:
    """The branch as the newest planned testing task left it; empty when none has delivered."""
    for merge in reversed(state.merges):
        task = state.tasks.get(merge.task_id)
        if task and task.planned and task.planned.agent_type == "testing" and kind_of(merge.task_id) == "work":
            return merge.head
    return ""


def _declared_changes(state: GoalState) -> tuple[str, ...]:
    planned = (state.tasks[task_id].planned for task_id in state.graph)
    return tuple(dict.fromkeys(name for task in planned if task for name in task.changes_tests))


def _dismissed(state: GoalState) -> tuple[Finding, ...]:
    verdicts = (rounds.verdict for rounds in state.gates.values())
    return tuple(found for verdict in verdicts if verdict for found in verdict.findings if found.dismissed)


def _criteria(state: GoalState, accepted: GoalAccepted) -> tuple[str, ...]:
    done = (state.tasks[task_id] for task_id in state.graph if state.tasks[task_id].word == "done")
    acceptance = [text for task in done if task.planned for text in task.planned.acceptance]
    changes = [rework.feedback for rework in state.reworks]
    return tuple(dict.fromkeys((*accepted.requirements, *acceptance, *changes)))


def _trouble(state: GoalState, task_id: str) -> TroubleReport | None:
    repaired = gate_repaired_by(task_id)
    judged = state.tasks.get(gate_task_id(*repaired)) if repaired else None
    if judged is None or not isinstance(judged.verdict, GateFailed):
        return None
    verdict = judged.verdict
    return TroubleReport(
        gate=verdict.gate,
        round=verdict.round,
        commit=verdict.commit,
        command=verdict.command,
        exit_code=verdict.exit_code,
        failing=verdict.failing,
        findings=verdict.findings,
        log_ref=verdict.log_ref,
        summary=verdict.summary,
    )


def _merge_order(state: GoalState, task_id: str, accepted: GoalAccepted) -> MergeOrder | None:
    helped = state.tasks.get(task_helped_by(task_id)) if kind_of(task_id) == "merge" else None
    if helped is None or not isinstance(helped.closed_by, MergeConflicted):
        return None
    conflict = helped.closed_by
    planned = helped.planned
    intent = [planned.title, planned.details] if planned else [accepted.goal]
    return MergeOrder(
        task_id=helped.task_id,
        attempt=conflict.attempt,
        base=conflict.base,
        head=conflict.head,
        commit=conflict.commit,
        bundle_ref=conflict.bundle_ref,
        files=conflict.files,
        intent="\n".join(text for text in (*intent, conflict.summary) if text),
        others=_merged_since(state, conflict.base),
        target=conflict.target,
    )


def _merged_since(state: GoalState, base: str) -> tuple[str, ...]:
    told: list[str] = []
    for merge in reversed(state.merges):
        if merge.head == base:
            break
        task = state.tasks.get(merge.task_id)
        title = task.planned.title if task and task.planned else merge.task_id
        told.append(f"{title}: {task.summary}" if task and task.summary else title)
    return tuple(reversed(told))


def _delivery_order(state: GoalState, task_id: str, accepted: GoalAccepted) -> DeliveryOrder | None:
    if kind_of(task_id) != "deliver":
        return None
    shown, task = state.offered, state.tasks.get(task_id)
    merge = state.tasks.get(merge_task_id(task_id, task.conflicts)) if task else None
    return DeliveryOrder(
        commit=(state.aggregate.head if state.changed_since_approval else state.head) or state.head,
        base=state.base,
        branch=accepted.delivery_branch or f"goal/{state.goal_id}",
        request=accepted.delivery == "pull_request",
        summary=shown.summary if shown else "",
        requirements=shown.requirements if shown else (),
        gates=_judged(state),
        moves=task.moves if task else 0,
        as_it_is=merge is not None and merge.word == "skipped",
    )


def _judged(state: GoalState) -> tuple[JudgedGate, ...]:
    verdicts = ((name, rounds.verdict) for name, rounds in state.gates.items())
    return tuple(
        JudgedGate(
            gate=name,
            passed=isinstance(verdict, GatePassed),
            summary=verdict.summary,
            command=verdict.command,
            counts=verdict.counts,
            coverage_percent=verdict.coverage_percent,
            log_ref=verdict.log_ref,
        )
        for name, verdict in verdicts
        if verdict is not None
    )


def _plan_order(state: GoalState, task_id: str) -> PlanOrder | None:
    if kind_of(task_id) != "plan":
        return None
    rework = state.rework
    said = [rework.feedback if rework else "", state.guidance]
    graph = [state.tasks[known] for known in state.graph]
    return PlanOrder(
        number=int(task_id.removeprefix("plan-")),
        feedback="\n\n".join(text for text in said if text),
        graph=tuple(task.planned for task in graph if task.planned and task.word != "cancelled"),
        done=tuple(task.task_id for task in graph if task.word in SATISFIED),
        rejected=tuple(state.rejections),
    )
