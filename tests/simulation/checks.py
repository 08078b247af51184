"""What must be true of a world, whatever went wrong in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from agenthub_events.base import Event
from agenthub_events.catalogue import CLOSES_ATTEMPT
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import GoalAccepted, GoalBudgetRaised, SealRecorded
from agenthub_events.catalogue.money import BudgetReserved, BudgetSettled, LlmCalled
from agenthub_events.catalogue.task import (
    KnowledgeRecorded,
    MergeConflicted,
    MergeDone,
    TaskCancelled,
    TaskCompleted,
    TaskEnqueued,
    TaskFailed,
    TaskParked,
    TaskProposed,
    TaskSkipped,
    TaskStarted,
    TaskTimedOut,
)
from agenthub_events.ports import Recorded
from agenthub_events.rules.budget import Ledger, fold
from agenthub_events.rules.requirements import DEFAULT_LLM_CALLS
from agenthub_events.serialization.codec import Unreadable, encode
from agenthub_events.subjects import parse_subject
from agenthub_orchestrator.domain import GoalState, Policy, apply, decide, initial
from agenthub_orchestrator.domain.state.status import is_moving
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_runtime.seal_keys import is_signed_by, public_seal_key
from tests.simulation.people import Acknowledged

_OF_ATTEMPTS = (
    LlmCalled,
    TaskStarted,
    TaskFailed,
    TaskTimedOut,
    TaskParked,
    MergeConflicted,
    GatePassed,
    GateFailed,
    KnowledgeRecorded,
    TaskProposed,
)
SEAL_KEY = "5e" * 32

_ENDS = (TaskCompleted, TaskCancelled, TaskSkipped, GatePassed, GateFailed)


class Violated(NamedTuple):
    """A promise that was not kept."""

    check: str
    why: str


def of_log(log: Sequence[Recorded]) -> Iterator[Violated]:
    """Everything that a finished log shows by itself."""
    yield from _fences(log)
    yield from _one_end(log)
    yield from _fenced(log)
    yield from _one_branch(log)
    yield from _within_budget(log)


def _fences(log: Sequence[Recorded]) -> Iterator[Violated]:
    """Versions of an aggregate are counted without a gap, and no event is there twice (I12)."""
    versions: Counter[str] = Counter()
    seen: dict[str, int] = {}
    for workspace, recorded in enumerate(log, start=1):
        event = recorded.event
        if recorded.seq != workspace:
            yield Violated("I10 order", f"message {workspace} has sequence {recorded.seq}")
        if not isinstance(event, Event):
            yield Violated("readable", f"message {recorded.seq} cannot be read: {event.reason}")
            continue
        aggregate = parse_subject(recorded.subject).originator_id
        versions[aggregate] += 1
        if (event.originator_id, event.originator_version) != (aggregate, versions[aggregate]):
            yield Violated(
                "fence",
                f"message {recorded.seq} on {recorded.subject} is version {event.originator_version}"
                f" of {event.originator_id}, it should be {versions[aggregate]}",
            )
        if event.event_id in seen:
            yield Violated("I12 one effect", f"{event.type} stands at {seen[event.event_id]} and {recorded.seq}")
        seen[event.event_id] = recorded.seq


def _one_end(log: Sequence[Recorded]) -> Iterator[Violated]:
    """I2: a task ends once, and nothing happens to it afterwards."""
    ended: dict[str, int] = {}
    for recorded in log:
        task = _task_of(recorded)
        if task in ended:
            yield Violated(
                "I2 one end", f"{task} ended at {ended[task]}, then {recorded.event.type} {recorded.seq}"
            )
        if isinstance(recorded.event, _ENDS):
            ended[task] = recorded.seq


def _fenced(log: Sequence[Recorded]) -> Iterator[Violated]:
    """I2: nothing is heard of an attempt after it was closed; what can happen once in it happens once."""
    closed: dict[str, int] = {}
    attempts: dict[str, int] = {}
    counted: Counter[str] = Counter()
    for recorded in log:
        event, task = recorded.event, _task_of(recorded)
        if isinstance(event, TaskEnqueued):
            # An order that stands in for a lost one names it: the attempt is the same.
            counted[f"order {event.attempt}, instead of {event.instead_of}, of {task}"] += 1
            attempts[task] = event.attempt
            closed.pop(task, None)
        elif task in closed and _belongs_to_an_attempt(event):
            yield Violated("I2 fenced", f"{task} was closed at {closed[task]}, then {event.type} {recorded.seq}")
        elif event.type in CLOSES_ATTEMPT and not task.endswith("._"):
            closed.setdefault(task, recorded.seq)
        if isinstance(event, LlmCalled):
            counted[f"turn {event.turn} in attempt {event.attempt} of {task}"] += 1
        elif isinstance(event, (KnowledgeRecorded, TaskProposed)):
            counted[f"{event.type} in attempt {attempts[task]} of {task}"] += 1
    for what, count in counted.items():
        if count > 1:
            yield Violated("I2 once", f"{what} is in the log {count} times")


def _belongs_to_an_attempt(event: Event | Unreadable) -> bool:
    """Whether only the holder of an open attempt, or who ends it in its place, may say this."""
    if isinstance(event, TaskCompleted):
        return not event.merged_by
    return isinstance(event, _OF_ATTEMPTS)


def _task_of(recorded: Recorded) -> str:
    return ".".join(recorded.subject.split(".")[1:3])


def _one_branch(log: Sequence[Recorded]) -> Iterator[Violated]:
    """I5: every merge starts where the last one ended, and every completion names a commit of that chain."""
    heads: defaultdict[str, list[str]] = defaultdict(lambda: [ROOT_COMMIT])
    merged: dict[str, int] = {}
    for recorded in log:
        event, goal_id = recorded.event, recorded.subject.split(".")[1]
        if isinstance(event, MergeDone):
            if event.base != heads[goal_id][-1]:
                yield Violated("I5 chain", f"merge at {recorded.seq} starts from {event.base}")
            # A delivery may have to merge its target more than once, each time in another attempt.
            once = f"{event.task_id} {event.attempt if event.origin == 'base' else ''}".strip()
            if f"{goal_id}.{once}" in merged:
                yield Violated("I2 one merge", f"{event.task_id} is merged again at {recorded.seq}")
            merged[f"{goal_id}.{once}"] = recorded.seq
            heads[goal_id].append(event.head)
        elif isinstance(event, TaskCompleted):
            commit = event.result.commit
            if commit and commit not in heads[goal_id]:
                yield Violated("I5 commit", f"{event.task_id} completed at {recorded.seq} with unknown {commit}")
    inherited = {
        f"{recorded.subject.split('.')[1]}.{step.task_id}"
        for recorded in log
        if isinstance(recorded.event, GoalAccepted) and recorded.event.fork is not None
        for step in recorded.event.fork.merges
    }
    for task, seq in merged.items():
        # The steps of a parent's branch come before its tasks.
        if task in inherited:
            continue
        follower = log[seq] if seq < len(log) else None
        ending = follower.event if follower else None
        if not (
            isinstance(ending, TaskCompleted) or (isinstance(ending, TaskParked) and ending.reason == "moved")
        ):
            yield Violated("I5 together", f"the merge of {task} at {seq} stands without its completion")


def _within_budget(log: Sequence[Recorded]) -> Iterator[Violated]:
    """I7: what is used and what is set aside never exceed the limit, at no moment."""
    ledgers: defaultdict[str, Ledger] = defaultdict(Ledger)
    limits: dict[str, int] = {}
    for recorded in log:
        event, goal_id = recorded.event, recorded.subject.split(".")[1]
        match event:
            case GoalAccepted(constraints=bounds):
                limits[goal_id] = bounds.max_llm_calls or DEFAULT_LLM_CALLS
            case GoalBudgetRaised(max_llm_calls=int(calls)):
                limits[goal_id] = max(limits[goal_id], calls)
            case BudgetReserved() | BudgetSettled():
                ledger = fold(ledgers[goal_id], recorded.seq, recorded.event)
                if ledger.committed_calls > limits[goal_id]:
                    yield Violated(
                        "I7 budget",
                        f"{ledger.committed_calls} of {limits[goal_id]} calls are held at {recorded.seq}",
                    )


def of_calls(log: Sequence[Recorded], made: Counter[str]) -> Iterator[Violated]:
    """I7: the provider has never charged more calls than the goal was allowed, nor more than its ledger counts."""
    limits: dict[str, int] = {}
    ledgers: defaultdict[str, Ledger] = defaultdict(Ledger)
    for recorded in log:
        event, goal_id = recorded.event, recorded.subject.split(".")[1]
        fold(ledgers[goal_id], recorded.seq, recorded.event)
        if isinstance(event, GoalAccepted):
            limits[goal_id] = event.constraints.max_llm_calls or DEFAULT_LLM_CALLS
        elif isinstance(event, GoalBudgetRaised) and event.max_llm_calls is not None:
            limits[goal_id] = max(limits[goal_id], event.max_llm_calls)
    for goal_id, count in made.items():
        if count > limits[goal_id]:
            yield Violated("I7 calls", f"{count} calls were charged to {goal_id}, {limits[goal_id]} are allowed")
        if count > ledgers[goal_id].committed_calls:
            counted = ledgers[goal_id].committed_calls
            yield Violated("I7 counted", f"{count} calls were charged to {goal_id}, its ledger counts {counted}")


def of_acknowledgements(log: Sequence[Recorded], acknowledged: Sequence[Acknowledged]) -> Iterator[Violated]:
    """I1: what somebody was told is in the log, there."""
    for told in acknowledged:
        found = log[told.sequence - 1].event if 0 < told.sequence <= len(log) else None
        if not isinstance(found, Event) or found.event_id != told.event_id:
            yield Violated("I1 acknowledged", f"{told.what} at {told.sequence} is not in the log")


def of_rest(state: GoalState, now: datetime, policy: Policy) -> Iterator[Violated]:
    """I11 and the law of deciding, of a goal on which nothing happens any more."""
    dues = decide(state, now=now, policy=policy)
    if dues:
        yield Violated("law", f"due and not written: {[due.draft.subject for due in dues]}")
    aggregate = state.aggregate
    waits = (
        aggregate.paused or state.questions or aggregate.phase not in ("open", "approved") or not state.plan_stands
    )
    if not waits or is_moving(state):
        open_ = {task_id: state.tasks[task_id].word for task_id in state.unended}
        yield Violated(
            "I11 no silent stall", f"{state.goal_id} is {aggregate.phase} and stands still with {open_}"
        )


def of_fold(log: Sequence[Recorded], known: GoalState) -> Iterator[Violated]:
    """Folding the log again leads to the same decisions, and from them to rest."""
    again = initial(known.goal_id)
    for recorded in log:
        if recorded.subject.split(".")[1] == known.goal_id:
            apply(again, recorded)
    if again.to_seal != known.to_seal:
        yield Violated("I10 unchanged", f"the log of {known.goal_id} is not what was read before")


def of_seals(log: Sequence[Recorded]) -> Iterator[Violated]:
    """Every seal is signed by the orchestrators' key, whoever of them was first."""
    key = public_seal_key(SEAL_KEY)
    for recorded in log:
        if isinstance(recorded.event, SealRecorded) and not is_signed_by(encode(recorded.event), key):
            yield Violated("I10 sealed", f"the seal {recorded.seq} is not signed as it stands")


class Effect(NamedTuple):
    """What a goal has brought about, free of time, order and repetition."""

    phase: str
    ends: frozenset[tuple[str, str]]
    changes: frozenset[str]


def effect_of(log: Sequence[Recorded], state: GoalState) -> Effect:
    """The effect of a goal."""
    mine = [recorded.event for recorded in log if recorded.subject.split(".")[1] == state.goal_id]
    ends = {(event.task_id, event.type) for event in mine if isinstance(event, _ENDS)}
    changes = {file.path for event in mine if isinstance(event, TaskCompleted) for file in event.result.files}
    return Effect(state.aggregate.phase, frozenset(ends), frozenset(changes))
