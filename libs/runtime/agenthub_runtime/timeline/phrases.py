"""The words of the story: what each event says to people, and who says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar, assert_never, cast

from agenthub_events.agent_types import agent_type_of
from agenthub_events.base import Event
from agenthub_events.catalogue import agent as a
from agenthub_events.catalogue import gate as v
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import log as q
from agenthub_events.catalogue import money as m
from agenthub_events.catalogue import notification as n
from agenthub_events.catalogue import operations as ops
from agenthub_events.catalogue import schedule as s
from agenthub_events.catalogue import task as t
from agenthub_events.catalogue.values import TaskResult
from agenthub_events.errors import InvalidInput
from agenthub_events.gates import GATES
from agenthub_events.task_ids import gate_of, kind_of

ORCHESTRATOR = "Orchestrator"
HUMAN = "Human"
NOTIFIER = "Notifier"

Names: TypeAlias = Mapping[str, str]
"""Task ids to the names that people know; an id without a name stands for itself."""

_DONE: Mapping[str, str] = {
    "architect": "Analysis complete",
    "coding": "Implementation complete",
    "testing": "Tests written",
    "security": "Audit complete",
    "review": "Review complete",
}

Told: TypeAlias = "tuple[str, str] | None"
E_ = TypeVar("E_", bound=Event)
WORDS: dict[type[Event], Callable[[Any, Names], Told]] = {}
"""Event to (component, text)."""

IGNORED: frozenset[type[Event]] = frozenset(
    {
        t.TaskEnqueued,  # the narrator tells of orders, several in one line
        t.KnowledgeRecorded,
        t.MergeDone,
        m.LlmCalled,
        m.BudgetReserved,
        m.BudgetSettled,
        m.BudgetExceeded,
        g.SealRecorded,
        n.NotificationPlanned,
        n.NotificationChannelOpened,
    }
)
"""Events that say nothing to people by themselves."""


def _says(kind: type[E_]) -> Callable[[Callable[[E_, Names], Told]], Callable[[E_, Names], Told]]:
    def register(words: Callable[[E_, Names], Told]) -> Callable[[E_, Names], Told]:
        WORDS[kind] = cast("Callable[[Any, Names], Told]", words)
        return words

    return register


def _orchestrator(kind: type[E_], words: Callable[[E_, Names], str]) -> None:
    WORDS[kind] = lambda event, names: (ORCHESTRATOR, words(event, names))


def _person(kind: type[E_], words: Callable[[E_, Names], str]) -> None:
    WORDS[kind] = lambda event, names: (_human(event.by), words(event, names))


def name_of(task_id: str, names: Names) -> str:
    """The name that people know a task by."""
    return names.get(task_id, task_id)


def _human(by: str) -> str:
    return HUMAN if by in ("", "local") else f"{HUMAN} ({by})"


def worker_name(worker: str, agent: str = "") -> str:
    """`Worker-3 (testing)`."""
    return f"{worker or 'Worker'} ({agent})" if agent else worker or "Worker"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def lead_after_verdict(event: v.GatePassed | v.GateFailed) -> str:
    """What the orchestrator says of a judged round before it names the next task."""
    words = GATES[event.gate].words
    return words.after_success if isinstance(event, v.GatePassed) else words.after_failure


def lead_after(event: t.TaskCompleted, names: Names) -> str:
    """What the orchestrator says of a finished task before it names the next one."""
    kind = kind_of(event.task_id)
    if kind == "debug":
        return "Bug found"
    if kind == "fix":
        return "Bug fixed"
    try:
        done = _DONE.get(agent_type_of(event.agent))
    except InvalidInput:
        done = None  # an agent of the repository's own
    return done or f"{name_of(event.task_id, names)} complete"


# -- the life of a goal


@_says(g.GoalAccepted)
def _accepted(event: g.GoalAccepted, _: Names) -> Told:
    hosts = ", ".join(event.constraints.network)
    reach = f" (its commands may reach {hosts})" if hosts else ""
    if event.fork is not None:
        parent = f"{event.fork.goal_id} at event {event.fork.at_seq}"
        return _human(event.submitted_by), f"Forked {parent}: {event.goal}{reach}"
    return _human(event.submitted_by), f"Submitted goal: {event.goal}{reach}"


_orchestrator(g.GoalPlanned, lambda e, _: f"Generated workflow with {_count(len(e.tasks), 'task')}")
_orchestrator(g.GoalPlanRejected, lambda e, _: f"Refused {e.plan_task}: {'; '.join(e.reasons)}")
_person(g.GoalPlanApproved, lambda e, _: f"Approved the plan (revision {e.revision})")
_orchestrator(g.GoalReadyForReview, lambda _e, _: "All tasks complete! Waiting for a person's review")
_person(g.GoalApproved, lambda _e, _: "Approved the result")
_person(g.GoalTestsRequested, lambda _e, _: "Asked for a run of the tests")
_orchestrator(g.GoalCompleted, lambda e, _: f"Goal completed: {e.completion_summary}")
_orchestrator(g.GoalFailed, lambda e, _: f"Goal failed: {e.reason}")
_person(g.GoalCancelled, lambda e, _: f"Cancelled the goal{_because(e.reason)}")
_person(g.GoalErased, lambda e, _: f"Erased what the goal kept beside the log{_because(e.reason)}")
_person(g.GoalPaused, lambda e, _: f"Paused the goal{_because(e.reason)}")
_person(g.GoalResumed, lambda _e, _: "Resumed the goal")
_orchestrator(g.GoalDeadlinePassed, lambda _e, _: "The goal's time is over")
_orchestrator(g.GoalStalled, lambda e, _: f"Nothing moves: {'; '.join(e.diagnosis)}")
_person(g.GoalBudgetRaised, lambda _e, _: "Raised the budget")
_person(g.GoalReprioritized, lambda e, _: f"Changed the priority to {e.priority}")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


@_says(g.GoalReworkRequested)
def _rework(event: g.GoalReworkRequested, _: Names) -> Told:
    return ORCHESTRATOR, f"Human requested rework, generating new tasks: {event.feedback}"


@_says(g.GoalReplanned)
def _replanned(event: g.GoalReplanned, _: Names) -> Told:
    parts = [f"{len(event.added)} added"] if event.added else []
    if event.dropped:
        parts.append(f"{len(event.dropped)} dropped")
    return ORCHESTRATOR, f"Changed the workflow ({', '.join(parts) or 'nothing new'}){_because(event.reason)}"


# -- the life of a task


@_says(t.TaskStarted)
def _started(event: t.TaskStarted, names: Names) -> Told:
    return worker_name(event.worker, event.agent), _starting(event.task_id, name_of(event.task_id, names))


def _starting(task_id: str, name: str) -> str:
    gate = gate_of(task_id)
    if gate is not None:
        return GATES[gate[0]].words.started
    return {"plan": "Started planning", "debug": "Started debugging", "deliver": "Started the delivery"}.get(
        kind_of(task_id), f"Started task {name}"
    )


@_says(t.TaskCompleted)
def _completed(event: t.TaskCompleted, names: Names) -> Told:
    if event.inherited_from:
        return ORCHESTRATOR, f"Took over {name_of(event.task_id, names)} as it was done in {event.inherited_from}"
    who = worker_name(event.worker, event.agent) if event.worker else ORCHESTRATOR
    return who, _outcome(event.result, name_of(event.task_id, names), kind_of(event.task_id))


def _outcome(result: TaskResult, name: str, kind: str) -> str:
    if kind == "plan" and result.plan is not None:
        return f"Planned {_count(len(result.plan.tasks), 'task')}{_because(result.summary)}"
    if kind == "debug" and result.findings:
        first = result.findings[0]
        place = f" ({first.place})" if first.file else ""
        return f"Found {first.message}{place}"
    told = [f for f in result.files if f.path not in result.summary]
    files = ", ".join(f"{f.path}, {_count(f.lines, 'line')}" for f in told[:3])
    more = f" and {len(told) - 3} more" if len(told) > 3 else ""
    return f"Completed {name}{_because(result.summary)}{f' ({files}{more})' if files else ''}{_left_out(result)}"


def _left_out(result: TaskResult) -> str:
    named = "; ".join(f"{left.path}, {left.reason}" for left in result.left_out[:2])
    more = f"; and {len(result.left_out) - 2} more" if len(result.left_out) > 2 else ""
    return f"; left out: {named}{more}" if named else ""


@_says(t.TaskFailed)
def _failed(event: t.TaskFailed, names: Names) -> Told:
    name = name_of(event.task_id, names)
    return worker_name(event.worker), f"Failed at {name} ({event.failure_class}): {event.reason}"


@_says(t.TaskTimedOut)
def _timed_out(event: t.TaskTimedOut, names: Names) -> Told:
    return worker_name(event.worker), f"Ran out of time at {name_of(event.task_id, names)} ({event.limit_s} s)"


@_says(t.TaskParked)
def _parked(event: t.TaskParked, names: Names) -> Told:
    who = worker_name(event.worker) if event.worker else ORCHESTRATOR
    return who, f"Put {name_of(event.task_id, names)} aside ({event.reason}){_because(event.detail)}"


@_says(t.MergeConflicted)
def _conflicted(event: t.MergeConflicted, names: Names) -> Told:
    what = f"Conflict with {event.target} at" if event.target else "Conflict at"
    return worker_name(event.worker), f"{what} {name_of(event.task_id, names)}: {', '.join(event.files)}"


_orchestrator(
    t.TaskRetryScheduled,
    lambda e, names: f"Trying {name_of(e.task_id, names)} again at {e.due:%H:%M:%S}{_because(e.reason)}",
)
_orchestrator(t.TaskCancelled, lambda e, names: f"Cancelled {name_of(e.task_id, names)}{_because(e.reason)}")
_person(t.TaskSkipped, lambda e, names: f"Skipped {name_of(e.task_id, names)}{_because(e.reason)}")
_orchestrator(t.TaskDeadLettered, lambda e, names: f"Gave up {name_of(e.task_id, names)}: {e.reason}")
_person(t.TaskRequeued, lambda e, names: f"Sent {name_of(e.task_id, names)} back to work")
_person(t.TaskDiscarded, lambda e, names: f"Discarded {name_of(e.task_id, names)}{_because(e.reason)}")
_person(t.TaskNoted, lambda e, names: f"Note to {name_of(e.task_id, names)}: {e.text}")


@_says(t.TaskProposed)
def _proposed(event: t.TaskProposed, names: Names) -> Told:
    what = ", ".join(task.key for task in event.tasks)
    return ORCHESTRATOR, f"{name_of(event.task_id, names)} asks for more tasks: {what}{_because(event.reason)}"


# -- gates and questions


@_says(v.GatePassed)
def _gate_passed(event: v.GatePassed, _: Names) -> Told:
    who = worker_name(event.worker, event.agent)
    return who, event.summary if event.nothing_to_do else f"{GATES[event.gate].words.passing}{_facts(event)}"


def _facts(event: v.GatePassed) -> str:
    gate = GATES[event.gate]
    match gate.rests_on:
        case "test_run":
            facts = [f"{event.counts.passed} passed"] if event.counts is not None else []
            if event.coverage_percent is not None:
                facts.append(f"{event.coverage_percent:g}% coverage")
            return f" ({', '.join(facts)})" if facts else ""
        case "findings":
            return f", {_count(len(event.findings), 'finding') if event.findings else gate.words.nothing_found}"
        case "verdict":
            return ""
        case never:
            assert_never(never)


@_says(v.GateFailed)
def _gate_failed(event: v.GateFailed, _: Names) -> Told:
    return worker_name(event.worker, event.agent), _failing(event)


def _failing(event: v.GateFailed) -> str:
    gate = GATES[event.gate]
    match gate.rests_on:
        case "findings":
            return f"{gate.words.failing}, {_count(len(event.findings), 'finding')}"
        case "test_run" if event.counts is not None and (broken := event.counts.failed + event.counts.errors):
            return f"{_count(broken, 'test')} failed"
        case "test_run" | "verdict":
            return f"{gate.words.failing}{_because(event.summary)}"
        case never:
            assert_never(never)


@_says(a.AgentBlocked)
def _blocked(event: a.AgentBlocked, names: Names) -> Told:
    who = worker_name(event.worker) if event.worker else ORCHESTRATOR
    about = f" at {name_of(event.task_id, names)}" if event.task_id else ""
    return who, f"Blocked{about}, needs a person: {event.question}"


_orchestrator(a.AgentEscalated, lambda e, _: f"Still waiting for a person (reminder {e.level})")
_person(a.AgentAnswered, lambda e, _: f"Answered ({e.action}){_because(e.option or e.text)}")

# -- notifications


@_says(n.NotificationSent)
def _notified(event: n.NotificationSent, _: Names) -> Told:
    return NOTIFIER, f"Told {event.recipient}"


@_says(n.NotificationFailed)
def _not_notified(event: n.NotificationFailed, _: Names) -> Told:
    then = "given up" if event.retry_at is None else f"again at {event.retry_at:%H:%M:%S}"
    return NOTIFIER, f"Could not tell {event.recipient} ({then}){_because(event.reason)}"


@_says(n.NotificationChannelClosed)
def _closed(event: n.NotificationChannelClosed, _: Names) -> Told:
    return NOTIFIER, f"Tells {event.recipient} nothing more{_because(event.reason)}"


# -- the hub itself


@_says(q.LogQuarantined)
def _quarantined(event: q.LogQuarantined, _: Names) -> Told:
    return (
        event.by.title(),
        f"Left out {event.aggregate} from message {event.message_seq} on{_because(event.reason)}",
    )


@_says(q.LogReleased)
def _released(event: q.LogReleased, _: Names) -> Told:
    return event.by.title(), f"Goes on with {event.aggregate}"


@_says(ops.MaintenanceStarted)
def _maintenance(event: ops.MaintenanceStarted, _: Names) -> Told:
    return _human(event.by), f"Put the hub into maintenance{_because(event.reason)}"


@_says(ops.MaintenanceEnded)
def _working_again(event: ops.MaintenanceEnded, _: Names) -> Told:
    return _human(event.by), "Ended the hub's maintenance"


@_says(ops.QueuePaused)
def _queue_paused(event: ops.QueuePaused, _: Names) -> Told:
    return _human(event.by), f"Paused the queue of {event.agent_type}{_because(event.reason)}"


@_says(ops.QueueResumed)
def _queue_resumed(event: ops.QueueResumed, _: Names) -> Told:
    return _human(event.by), f"Resumed the queue of {event.agent_type}"


@_says(s.ScheduleAdded)
def _schedule_added(event: s.ScheduleAdded, _: Names) -> Told:
    return _human(event.by), f"Added the schedule {event.schedule}: {event.cron} ({event.time_zone})"


@_says(s.SchedulePaused)
def _schedule_paused(event: s.SchedulePaused, _: Names) -> Told:
    return _human(event.by), f"Paused the schedule {event.schedule}{_because(event.reason)}"


@_says(s.ScheduleResumed)
def _schedule_resumed(event: s.ScheduleResumed, _: Names) -> Told:
    return _human(event.by), f"Resumed the schedule {event.schedule}"


@_says(s.ScheduleRemoved)
def _schedule_removed(event: s.ScheduleRemoved, _: Names) -> Told:
    return _human(event.by), f"Removed the schedule {event.schedule}"


@_says(s.ScheduleTriggered)
def _schedule_triggered(event: s.ScheduleTriggered, _: Names) -> Told:
    return "Webhook", f"Began {event.goal_id} of the schedule {event.schedule}"


_orchestrator(s.ScheduleRan, lambda event, _: f"Schedule {event.schedule} began {event.goal_id}")
_orchestrator(
    s.ScheduleSkipped,
    lambda event, _: f"Schedule {event.schedule} began nothing: {event.goal_id} is still being worked on",
)
