"""Tasks that rules add to the graph: diagnoses, repairs, merges, and what agents ask for."""

from __future__ import annotations

from collections.abc import Sequence

from agenthub_events.catalogue.gate import GateFailed
from agenthub_events.catalogue.goal import GoalReplanned
from agenthub_events.catalogue.values import Finding, Origin, PlannedTask
from agenthub_events.errors import InvalidPlan
from agenthub_events.gates import GATES, GateName
from agenthub_events.rules.plan import DEFAULT_TIMEOUT_S, PLANNER_LIMITS, TITLE_MAX, validate_plan
from agenthub_events.task_ids import debug_task_id, fix_task_id, gate_repaired_by, gate_task_id, task_debug_id
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.rules.left_out import left_out_lines
from agenthub_orchestrator.domain.state.goal import GoalState, Proposal
from agenthub_orchestrator.domain.state.goal_fold import PROPOSAL
from agenthub_orchestrator.domain.state.task import TaskState

_SHOWN_FAILURES = 30


def replan(
    decision: Decision,
    added: tuple[PlannedTask, ...],
    *,
    cause: str,
    reason: str,
    origin: Origin = "replanner",
    kept: tuple[str, ...] = (),
) -> bool:
    """Add a change of the graph to the decision; False when the goal takes no event now."""
    revision = decision.state.aggregate.revision + 1
    event = GoalReplanned(
        revision=revision, added=added, kept=kept, origin=origin, cause=cause, reason=reason[:1_000]
    )
    return decision.write_goal(event, str(revision))


def rule_task(
    task_id: str, title: str, agent: str, details: str, *, depends_on: tuple[str, ...] = (), minutes: int = 15
) -> PlannedTask:
    """A task that a rule makes; its key is its id."""
    return PlannedTask(
        task_id=task_id,
        key=task_id,
        title=title[:TITLE_MAX],
        agent=agent,
        agent_type=agent,
        details=details,
        depends_on=depends_on,
        estimate_minutes=minutes,
        timeout_s=DEFAULT_TIMEOUT_S,
        origin="replanner",
    )


def repair(decision: Decision, gate: GateName, verdict: GateFailed) -> None:
    """A gate has failed: a failure that says no cause is diagnosed first, findings are mended at once."""
    details = _described(decision.state, verdict, decision.state.gates[gate].guidance)
    cause, reason = gate_task_id(gate, verdict.round), f"{GATES[gate].words.failure} in round {verdict.round}"
    if title := GATES[gate].diagnosis:
        diagnosis = rule_task(debug_task_id(gate, verdict.round), title, "debug", details)
        replan(decision, (diagnosis,), cause=cause, reason=reason)
    else:
        replan(
            decision,
            _fixes(decision, gate, verdict.round, [f for f in verdict.findings if f.counts], details),
            cause=cause,
            reason=reason,
        )


def repair_diagnosed(decision: Decision) -> None:
    """A diagnosis is there: its findings become repair tasks, at least one."""
    state = decision.state
    for task_id in state.diagnosed:
        repaired = gate_repaired_by(task_id)
        if repaired is None:
            continue
        debug = state.tasks[task_id]
        gate, round_ = repaired
        judged = state.tasks[gate_task_id(gate, round_)].verdict
        described = _described(state, judged, state.gates[gate].guidance) if isinstance(judged, GateFailed) else ""
        findings = debug.result.findings if debug.result else ()
        text = "\n\n".join(part for part in (debug.summary, described) if part)
        fixes = _fixes(decision, gate, round_, findings, text, depends_on=_after(debug))
        replan(decision, fixes, cause=task_id, reason=f"the failure of round {round_} is diagnosed")
        return


def _after(debug: TaskState) -> tuple[str, ...]:
    return () if debug.word == "cancelled" else (debug.task_id,)


def _fixes(
    decision: Decision,
    gate: GateName,
    round_: int,
    findings: Sequence[Finding],
    details: str,
    *,
    depends_on: tuple[str, ...] = (),
) -> tuple[PlannedTask, ...]:
    groups = _by_file(findings, decision.policy.max_fixes)
    if not groups:
        title = GATES[gate].words.repair
        return (rule_task(fix_task_id(gate, round_, 1), title, "coding", details, depends_on=depends_on),)
    return tuple(
        rule_task(
            fix_task_id(gate, round_, index),
            f"Fix: {group[0].message.splitlines()[0] if group[0].message else group[0].file}",
            "coding",
            "\n".join([*(_line(found) for found in group), "", details]),
            depends_on=depends_on,
        )
        for index, group in enumerate(groups, start=1)
    )


def _by_file(findings: Sequence[Finding], most: int) -> list[list[Finding]]:
    """Findings of one file are mended together, so that repairs do not collide; the rest shares the last group."""
    files: dict[str, list[Finding]] = {}
    for found in findings:
        files.setdefault(found.file, []).append(found)
    groups = list(files.values())
    head, tail = groups[: most - 1], groups[most - 1 :]
    rest = [found for group in tail for found in group]
    return [*head, rest] if rest else head


def _line(found: Finding) -> str:
    place = f"{found.file}:{found.line}" if found.line else found.file
    return f"- {place} [{found.severity}] {found.message}" if place else f"- [{found.severity}] {found.message}"


def _described(state: GoalState, verdict: GateFailed, guidance: str) -> str:
    parts = [verdict.summary]
    if verdict.command:
        parts.append(f"`{verdict.command}` ended with exit code {verdict.exit_code}.")
    if verdict.failing:
        names = "\n".join(f"- {name}" for name in verdict.failing[:_SHOWN_FAILURES])
        parts.append(f"Failing ({len(verdict.failing)}):\n{names}")
    if left_out := left_out_lines(state):
        parts.append("\n".join(("Made by earlier tasks, but not in the branch:", *left_out)))
    if guidance:
        parts.append(f"A person says: {guidance}")
    return "\n\n".join(part for part in parts if part)


def diagnose_task(decision: Decision, task: TaskState, cause: str) -> None:
    """A task keeps failing: a debugger finds out why before a person is asked."""
    title = task.planned.title if task.planned else task.task_id
    tried = [f"- attempt {t.attempt} ended as {t.outcome}: {t.reason[:500]}" for t in task.attempts[-5:]]
    details = "\n".join(
        [f"The task “{title}” ({task.task_id}) has failed {task.retry_count} times:", *tried, ""]
        + ([task.planned.details] if task.planned and task.planned.details else [])
    )
    debug_id = task_debug_id(task.task_id, 1)
    added = rule_task(debug_id, f"Find out why “{title}” fails", "debug", details)
    replan(decision, (added,), cause=cause, reason=f"{task.task_id} has used up its retries")


def add_proposed(decision: Decision) -> bool:
    """Take the oldest acceptable request of an agent into the graph; False when there is none.

    What breaks the rules of plans, exceeds the goal's bound, or comes from a task that an agent has asked for is
    left alone.
    """
    for proposal in decision.state.proposals.values():
        added = _acceptable(decision.state, proposal, decision.policy.max_proposed_tasks)
        if added:
            event = proposal.event
            replan(
                decision,
                added,
                cause=f"{PROPOSAL}{proposal.seq}",
                reason=f"{event.task_id} asks for more: {event.reason}",
                origin="agent",
            )
            return True
    return False


def _acceptable(state: GoalState, proposal: Proposal, most: int) -> tuple[PlannedTask, ...]:
    asker = state.tasks.get(proposal.event.task_id)
    accepted = state.aggregate.accepted
    if asker is None or asker.planned is None or asker.planned.origin == "agent" or accepted is None:
        return ()
    if state.proposed + len(proposal.event.tasks) > most:
        return ()
    try:
        return validate_plan(
            proposal.event.tasks,
            limits=PLANNER_LIMITS,
            existing=state.keys,
            requirement_count=len(accepted.requirements),
            origin="agent",
        )
    except InvalidPlan:
        return ()
