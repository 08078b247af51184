"""The gates, one after the other, each on the head of the branch as it is."""

from __future__ import annotations

from typing import Literal, TypeAlias

from agenthub_events.catalogue.gate import GateFailed
from agenthub_events.catalogue.task import TaskCancelled
from agenthub_events.catalogue.values import Constraints
from agenthub_events.gates import TESTS, GateName
from agenthub_events.rules import answer_options
from agenthub_events.rules.requirements import GateParameters, gate_parameters
from agenthub_events.task_ids import gate_task_id
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.orders.orders import enqueue
from agenthub_orchestrator.domain.rules.left_out import left_out_lines, left_out_sentence
from agenthub_orchestrator.domain.rules.questions import ask
from agenthub_orchestrator.domain.rules.repairs import repair
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.task import TaskState

SAME_FAILURES = 3

Standing: TypeAlias = Literal["passed", "waived", "reported", "failed", "due"]
GOOD: frozenset[Standing] = frozenset({"passed", "waived", "reported"})


def required_gates(state: GoalState) -> tuple[GateName, ...]:
    """The gates of this goal in their order. A goal of nothing but `noop` tasks measures and has none."""
    return _parameters(state).required if state.real_work else ()


def _parameters(state: GoalState) -> GateParameters:
    accepted = state.aggregate.accepted
    if accepted is None:
        return gate_parameters((), Constraints())
    return gate_parameters(accepted.requirements, accepted.constraints)


def standing(state: GoalState, gate: GateName) -> Standing:
    """Where a gate stands for the head as it is now: a verdict on another commit, or an older plan, is none."""
    rounds = state.gates[gate]
    verdict = rounds.verdict
    if _was_skipped(state, gate):
        return "waived"
    if (
        verdict is None
        or rounds.verdict_ordered_seq < state.rearmed_seq
        or not _is_about_head(state, verdict.commit)
    ):
        return "due"
    if not isinstance(verdict, GateFailed):
        return "passed"
    if not verdict.blocking or gate not in _parameters(state).blocking:
        return "reported"
    if rounds.waived:
        return "waived"
    return "due" if gate_task_id(gate, verdict.round) in state.causes else "failed"


def _is_about_head(state: GoalState, commit: str) -> bool:
    # Before the first merge nobody has named a head; then every verdict is about the empty start.
    return not state.head or commit == state.head


def _was_skipped(state: GoalState, gate: GateName) -> bool:
    """A person has skipped the gate's newest round, on this very head."""
    newest = state.tasks.get(gate_task_id(gate, state.gates[gate].rounds))
    if newest is None or newest.word != "skipped":
        return False
    return _judges_the_present(state, newest)


def _judges_the_present(state: GoalState, task: TaskState) -> bool:
    """Whether the newest order of a gate's round is about the head and the plan as they are now."""
    if task.order is None:
        return False
    return task.order.workspace_commit == state.head and task.order_seq > state.rearmed_seq


def pass_gates(decision: Decision) -> bool:
    """Take the next step at the first gate that is not passed; True when every gate stands well."""
    for gate in required_gates(decision.state):
        now = standing(decision.state, gate)
        if now == "due":
            _run(decision, gate)
            return False
        if now == "failed":
            _after_failure(decision, gate)
            return False
    return True


def _run(decision: Decision, gate: GateName) -> None:
    """Let a new round begin, unless one is under way; one on an older head or plan is called off."""
    state = decision.state
    rounds = state.gates[gate].rounds
    task = state.tasks.get(gate_task_id(gate, rounds))
    if task is None or task.ended:
        if decision.may_start:
            enqueue(decision, gate_task_id(gate, rounds + 1))
        return
    if task.is_open and task.order is not None and not _judges_the_present(state, task):
        event = TaskCancelled(task_id=task.task_id, reason="the goal has moved on: another round judges it")
        decision.write(task.task_id, event, "1")


def _after_failure(decision: Decision, gate: GateName) -> None:
    rounds = decision.state.gates[gate]
    verdict = rounds.verdict
    if not isinstance(verdict, GateFailed):
        return
    if verdict.needs_person and rounds.streak:
        _ask(decision, gate, verdict, "No repair can change that.")
    elif rounds.streak >= SAME_FAILURES:
        _ask(decision, gate, verdict, f"It failed in the same way {rounds.streak} rounds running.")
    elif rounds.repairs + 1 >= decision.policy.max_rounds:
        _ask(decision, gate, verdict, f"It has failed {rounds.repairs + 1} rounds.")
    else:
        repair(decision, gate, verdict)


def _ask(decision: Decision, gate: GateName, verdict: GateFailed, how: str) -> None:
    shown = (*verdict.failing, *(f"{found.file}:{found.line} {found.message}" for found in verdict.findings))
    ask(
        decision,
        "rounds",
        f"The {gate} gate does not pass{_because(verdict)}{left_out_sentence(decision.state)} {how} Say how to"
        " mend it, accept the result as it is, or give the goal up.",
        options=(answer_options.TRY_AGAIN, answer_options.ACCEPT, answer_options.GIVE_UP),
        task_id=gate_task_id(gate, verdict.round),
        evidence="\n".join((verdict.summary, *left_out_lines(decision.state), *shown[:30])).strip(),
    )


def _because(verdict: GateFailed) -> str:
    return f": {verdict.cause.rstrip('.')}." if verdict.cause else "."


def run_requested_tests(decision: Decision) -> None:
    """A person wants the tests to run now: one round on the head, whatever else goes on."""
    state = decision.state
    if state.tests_wanted_seq <= state.tests_ordered_seq or not state.real_work or not decision.may_start:
        return
    rounds = state.gates[TESTS].rounds
    newest = state.tasks.get(gate_task_id(TESTS, rounds))
    if newest is None or newest.ended:
        enqueue(decision, gate_task_id(TESTS, rounds + 1), by_person=True)
