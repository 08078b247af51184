"""The end of a goal: offered for review, delivered, completed, given up, cleaned up and sealed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agenthub_events.catalogue.gate import GatePassed
from agenthub_events.catalogue.goal import (
    GoalCompleted,
    GoalFailed,
    GoalReadyForReview,
    SealRecorded,
)
from agenthub_events.catalogue.task import MergeConflicted, TaskCancelled, TaskParked
from agenthub_events.catalogue.values import RequirementCoverage
from agenthub_events.context import digest_of
from agenthub_events.gates import GATES, GateName
from agenthub_events.rules.requirements import gates_for
from agenthub_events.task_ids import PREPARE, deliver_task_id, gate_task_id, merge_task_id
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.orders.orders import enqueue
from agenthub_orchestrator.domain.rules.gates import required_gates, standing
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.task import SATISFIED, TaskState

_NO_EVIDENCE = "No evidence exists: no gate that speaks to it has passed"
_REOPENED = "the goal was opened again before it was delivered"
_NAMED = 10


def offer_for_review(decision: Decision) -> None:
    """Every task has ended and every gate stands well: a person's verdict is due."""
    state = decision.state
    if state.aggregate.phase == "open" and state.announced != (state.aggregate.revision, state.head):
        _offer(decision)


def _offer(decision: Decision) -> None:
    state = decision.state
    coverage = _coverage(state)
    event = GoalReadyForReview(
        revision=state.aggregate.revision,
        head=state.head,
        summary=_summary(state, coverage),
        requirements=coverage,
    )
    decision.write_goal(event, f"{state.aggregate.revision}-{state.head}")


def _coverage(state: GoalState) -> tuple[RequirementCoverage, ...]:
    accepted = state.aggregate.accepted
    done: dict[str, list[str]] = {}
    for task_id in state.graph:
        task = state.tasks[task_id]
        for requirement in task.planned.requirement_ids if task.planned and task.word == "done" else ():
            done.setdefault(requirement, []).append(task_id)
    passed = {
        gate for gate in required_gates(state) if standing(state, gate) == "passed" and not _idle(state, gate)
    }
    found = []
    for number, text in enumerate(accepted.requirements if accepted else (), start=1):
        tasks = tuple(done.get(f"R{number}", ()))
        gates = tuple(gate_task_id(gate, state.gates[gate].rounds) for gate in gates_for(text) if gate in passed)
        none = "" if gates else _NO_EVIDENCE if tasks else f"{_NO_EVIDENCE}, and no task has served it"
        covered = RequirementCoverage(requirement_id=f"R{number}", text=text, tasks=tasks, gates=gates, none=none)
        found.append(covered)
    return tuple(found)


def _summary(state: GoalState, coverage: Iterable[RequirementCoverage]) -> str:
    unproven = [requirement.requirement_id for requirement in coverage if requirement.none]
    words = [f"no evidence exists for {', '.join(unproven)}"] if unproven else []
    shown = (_tasks_summary(state), *_gate_summaries(state, required_gates(state)), *words)
    return "; ".join((*_since_approval(state), *shown))


def _since_approval(state: GoalState) -> list[str]:
    """Why an approved result is shown again."""
    task = _delivery(state) if state.aggregate.phase == "approved" else None
    conflict = task.closed_by if task else None
    if task is not None and isinstance(conflict, MergeConflicted):
        by, files = merge_task_id(task.task_id, task.conflicts), ", ".join(conflict.files[:_NAMED])
        what = f"{conflict.target}, which has become {conflict.commit[:12]}"
        return [f"Offered again: {by} has merged {what}, and settled conflicts in {files}"]
    if task is not None and isinstance(conflict, TaskParked):
        return [f"Offered again: agents have changed the result since its approval, because {conflict.detail}"]
    return []


def _tasks_summary(state: GoalState) -> str:
    counted = Counter(state.tasks[task_id].word for task_id in state.graph)
    total = len(state.graph)
    if counted["done"] == total:
        return "All tasks completed"
    others = [f"{counted[word]} {word}" for word in ("skipped", "cancelled") if counted[word]]
    return ", ".join((f"{counted['done']} of {total} tasks completed", *others))


def _gate_summaries(state: GoalState, gates: Iterable[GateName]) -> list[str]:
    told = []
    for gate in gates:
        words = {
            "passed": GATES[gate].words.passes_as,
            "waived": "waived by a person",
            "reported": "failed, which this goal allows",
        }
        said = "had nothing to do" if _idle(state, gate) else words.get(standing(state, gate), "not passed")
        told.append(f"{GATES[gate].words.noun} {said}{_mutants(state, gate)}{_dismissals(state, gate)}")
    return told


def _mutants(state: GoalState, gate: GateName) -> str:
    verdict = state.gates[gate].verdict
    said = str(verdict.mutants) if verdict and verdict.mutants else ""
    return f" ({said})" if said else ""


def _dismissals(state: GoalState, gate: GateName) -> str:
    verdict = state.gates[gate].verdict
    found = [item for item in verdict.findings if item.dismissed] if verdict else []
    told = ", ".join(f"{item.place} because {item.dismissed[:200]}" for item in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f" (dismissed by the auditor: {told}{more})" if found else ""


def _idle(state: GoalState, gate: GateName) -> bool:
    verdict = state.gates[gate].verdict
    return standing(state, gate) == "passed" and isinstance(verdict, GatePassed) and verdict.nothing_to_do


def deliver(decision: Decision) -> None:
    """Order the delivery of what was approved, once for each approval."""
    task_id = deliver_task_id(decision.state.approvals)
    if decision.may_start and task_id not in decision.state.tasks:
        enqueue(decision, task_id)


def is_judged_again(state: GoalState) -> bool:
    """Whether the delivery waits until what its target has become meanwhile is merged, and the whole is judged."""
    task = _delivery(state)
    if task is None or task.ended or task.is_open or task.answer is not None:
        return False
    match task.closed_by:
        case TaskParked(reason=reason):
            return reason == "moved"
        case MergeConflicted():
            return True
        case _:
            return False


def deliver_judged(decision: Decision) -> None:
    """Every gate stands well again: what git alone has merged goes out, what agents changed is shown first."""
    state, task = decision.state, _delivery(decision.state)
    if task is None or not _is_brought_in(state, task):
        return
    if state.changed_since_approval:
        _offer(decision)
    elif decision.may_start:
        enqueue(decision, task.task_id, changed=("what its target has become is merged, and judged",))


def _delivery(state: GoalState) -> TaskState | None:
    return state.tasks.get(deliver_task_id(state.approvals))


def _is_brought_in(state: GoalState, task: TaskState) -> bool:
    if isinstance(task.closed_by, TaskParked):
        return True
    merge = state.tasks.get(merge_task_id(task.task_id, task.conflicts))
    return merge is not None and merge.word in SATISFIED


def recall(decision: Decision) -> None:
    """A goal that is open again, or shown again, delivers nothing: what would go out has not been approved."""
    shown = decision.state.aggregate.phase == "ready"
    reason = "the result has changed since, and is delivered once it is approved" if shown else _REOPENED
    for task in decision.tasks(decision.state.unended):
        if task.kind == "deliver":
            decision.write(task.task_id, TaskCancelled(task_id=task.task_id, reason=reason), "1")


def _told_of_delivery(state: GoalState) -> str:
    """In a sentence what became of the delivery; empty when none was wanted."""
    task = _delivery(state)
    if task is None:
        return ""
    if task.word == "done":
        return task.summary
    by = f" by {task.ended_by}" if task.ended_by else ""
    return f"Not delivered: {task.task_id} was {task.word}{by}"


def complete(decision: Decision) -> None:
    """A person has approved the result."""
    state = decision.state
    # An agent's approval stands behind the person's.
    shown = [gate for gate in required_gates(state) if GATES[gate].rests_on != "verdict"]
    said = ", ".join((_tasks_summary(state), *_gate_summaries(state, shown)))
    summary = ". ".join(part for part in (said, _told_of_delivery(state)) if part)
    event = GoalCompleted(completion_summary=summary, head=state.head)
    decision.write_goal(event, str(state.aggregate.closing_seq))


def give_up(decision: Decision) -> bool:
    """Close a goal that a person gave up, or that cannot even begin; False when there is no reason to."""
    state = decision.state
    reason = state.abandoned
    prepare = state.tasks.get(PREPARE)
    if not reason and prepare is not None and prepare.word == "cancelled":
        reason = "the repository could not be prepared, and its preparation was cancelled"
    if not reason:
        return False
    return decision.write_goal(GoalFailed(reason=reason), str(state.aggregate.rework_round))


def cancel_open(decision: Decision) -> None:
    """A goal that is over has no open tasks: whatever has not ended is cancelled."""
    phase = decision.state.aggregate.phase
    for task in decision.tasks(decision.state.unended):
        decision.write(task.task_id, TaskCancelled(task_id=task.task_id, reason=f"the goal is {phase}"), "1")


def cancel_doomed(decision: Decision) -> None:
    """Cancel what was dropped from the plan, and what waits for a task that will never be done.

    A plan that nobody has approved yet may be edited again: what it drops may come back.
    """
    if decision.state.aggregate.planned and not decision.state.plan_stands:
        return
    for task_id, causes in list(decision.state.doomed.items()):
        reason = f"depends on {causes[0]}, which was cancelled" if causes else "dropped from the plan"
        decision.write(task_id, TaskCancelled(task_id=task_id, reason=reason, causes=causes), "1")


def seal(decision: Decision) -> None:
    """Bind everything up to the last offer for review by its hash; the lines under it are kept as an object."""
    due = decision.state.unsealed
    if due is not None:
        event = SealRecorded(up_to_seq=due.up_to_seq, messages=due.messages, sha256=digest_of(due.lines))
        decision.write_family("seal", event, str(due.up_to_seq), context=due.lines)
