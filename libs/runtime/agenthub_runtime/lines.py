"""The story of a goal in plain lines: `[09:20:45] Worker-3 (testing): 2 tests failed`.

`line_of` tells of one event. A `Narrator` follows a goal and knows what led to what, so that it can say
`Tests passed, enqueuing: gate-security-1` and put tasks that are enqueued together on one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias, TypeVar, cast

import msgspec

from agenthub_events.agent_types import agent_type_of
from agenthub_events.base import Event
from agenthub_events.catalogue import agent as a
from agenthub_events.catalogue import gate as v
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import task as t
from agenthub_events.catalogue.values import TaskResult
from agenthub_events.codec import Unreadable
from agenthub_events.errors import InvalidInput
from agenthub_events.ports import Recorded
from agenthub_events.task_ids import gate_of, kind_of

TEXT_MAX = 240

ORCHESTRATOR = "Orchestrator"
HUMAN = "Human"

Names: TypeAlias = Mapping[str, str]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the story. `seq` is the first event that it tells of, `last_seq` the last.

    A line whose `seq` has been told before replaces the earlier one: more was enqueued in the same moment.
    """

    seq: int
    last_seq: int
    time: datetime
    component: str
    text: str


def format_line(line: Line) -> str:
    """`[HH:MM:SS] Component: text`, in the time zone of the line's time."""
    return f"[{line.time:%H:%M:%S}] {line.component}: {line.text}"


def line_of(recorded: Recorded, names: Names) -> Line | None:
    """What one event says to people; None when it says nothing to them.

    `names` maps task ids to the names that people know; an id without a name stands for itself.
    """
    event = recorded.event
    if isinstance(event, Unreadable):
        return None
    words = _WORDS.get(type(event))
    if words is None:
        return None
    told = words(event, names)
    if told is None:
        return None
    component, text = told
    return _line(recorded, event.timestamp, component, text)


class Narrator:
    """Tells a goal's story event by event, in the order of the log; a pure function of what it was fed."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._closed = ""
        self._lead = ""
        self._enqueued: list[str] = []
        self._claimed: dict[str, int] = {}
        self._open: Line | None = None
        self._open_lead = ""

    def tell(self, recorded: Recorded) -> Line | None:
        """The line that the event adds or changes, if any."""
        event = recorded.event
        if isinstance(event, g.GoalPlanned):
            self.names.update((task.task_id, task.key) for task in event.tasks)
        elif isinstance(event, g.GoalReplanned):
            self.names.update((task.task_id, task.key) for task in event.added)
        if isinstance(event, t.TaskEnqueued):
            return self._enqueue(recorded, event)
        line = line_of(recorded, self.names)
        if isinstance(event, t.TaskStarted):
            line = self._start(recorded, event) or line
        if line is not None:
            self._open = None
        if isinstance(event, Event):
            self._remember(event)
        return line

    def cut(self) -> None:
        """Let the next enqueued task begin a line of its own: what was told so far has been printed."""
        self._open = None

    def _start(self, recorded: Recorded, event: t.TaskStarted) -> Line | None:
        """A second claim of an attempt is a take-over; a higher delivery alone is none."""
        if self._claimed.get(event.task_id) == event.attempt:
            text = f"Took over task {_name(event.task_id, self.names)}"
            return _line(recorded, event.timestamp, _worker(event.worker, event.agent), text)
        self._claimed[event.task_id] = event.attempt
        return None

    def _enqueue(self, recorded: Recorded, event: t.TaskEnqueued) -> Line:
        lead = self._lead_of(event)
        name = _name(event.task_id, self.names)
        if event.attempt > 1:
            name = f"{name} (attempt {event.attempt})"
        before = self._open
        if before is not None and lead == self._open_lead:
            self._enqueued.append(name)
            line = msgspec.structs.replace(before, last_seq=recorded.seq, text=self._text(lead))
        else:
            self._enqueued = [name]
            line = _line(recorded, event.timestamp, ORCHESTRATOR, self._text(lead))
        self._open, self._open_lead = line, lead
        return line

    def _text(self, lead: str) -> str:
        names = ", ".join(self._enqueued)
        return _clip(f"{lead}, enqueuing: {names}" if lead else f"Enqueued tasks: {names}")

    def _lead_of(self, event: t.TaskEnqueued) -> str:
        led = event.attempt == 1 and (
            self._closed in event.depends_on or kind_of(event.task_id) in ("gate", "debug", "fix", "merge")
        )
        return self._lead if led else ""

    def _remember(self, event: Event) -> None:
        match event:
            case t.TaskCompleted():
                self._closed, self._lead = event.task_id, _lead(event, self.names)
            case v.GatePassed() | v.GateFailed():
                self._closed, self._lead = event.task_id, _VERDICTS[event.gate][isinstance(event, v.GatePassed)]
            case t.MergeConflicted():
                self._closed, self._lead = event.task_id, "Conflict found"
            case g.GoalPlanned() | g.GoalReplanned() | g.GoalReworkRequested():
                self._closed, self._lead = "", ""
            case _:
                pass


def tell_all(narrators: dict[str, Narrator], batch: Iterable[Recorded]) -> list[Line]:
    """The lines of a batch, for a reader that can only print: each line is told once, in order.

    `narrators` holds one narrator a goal and is filled on the way.
    """
    lines: dict[int, Line] = {}
    touched: dict[str, Narrator] = {}
    for recorded in batch:
        goal_id = recorded.subject.split(".", 2)[1]
        narrator = touched[goal_id] = narrators.setdefault(goal_id, Narrator())
        if line := narrator.tell(recorded):
            lines[line.seq] = line
    for narrator in touched.values():
        narrator.cut()
    return list(lines.values())


_VERDICTS: Mapping[str, tuple[str, str]] = {
    "tests": ("Tests failed", "Tests passed"),
    "security": ("Security audit failed", "Security passed"),
    "review": ("Changes requested", "Review approved"),
}
_DONE: Mapping[str, str] = {
    "architect": "Analysis complete",
    "coding": "Implementation complete",
    "testing": "Tests written",
    "security": "Audit complete",
    "review": "Review complete",
}

Told: TypeAlias = "tuple[str, str] | None"
E_ = TypeVar("E_", bound=Event)
_WORDS: dict[type[Event], Callable[[Any, Names], Told]] = {}


def _says(kind: type[E_]) -> Callable[[Callable[[E_, Names], Told]], Callable[[E_, Names], Told]]:
    def register(words: Callable[[E_, Names], Told]) -> Callable[[E_, Names], Told]:
        _WORDS[kind] = cast("Callable[[Any, Names], Told]", words)
        return words

    return register


def _orchestrator(kind: type[E_], words: Callable[[E_, Names], str]) -> None:
    _WORDS[kind] = lambda event, names: (ORCHESTRATOR, words(event, names))


def _person(kind: type[E_], words: Callable[[E_, Names], str]) -> None:
    _WORDS[kind] = lambda event, names: (_human(event.by), words(event, names))


def _line(recorded: Recorded, time: datetime, component: str, text: str) -> Line:
    return Line(seq=recorded.seq, last_seq=recorded.seq, time=time, component=component, text=_clip(text))


def _clip(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= TEXT_MAX else f"{flat[: TEXT_MAX - 1]}…"


def _name(task_id: str, names: Names) -> str:
    return names.get(task_id, task_id)


def _human(by: str) -> str:
    return HUMAN if by in ("", "local") else f"{HUMAN} ({by})"


def _worker(worker: str, agent: str = "") -> str:
    return f"{worker or 'Worker'} ({agent})" if agent else worker or "Worker"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _lead(event: t.TaskCompleted, names: Names) -> str:
    kind = kind_of(event.task_id)
    if kind == "debug":
        return "Bug found"
    if kind == "fix":
        return "Bug fixed"
    try:
        done = _DONE.get(agent_type_of(event.agent))
    except InvalidInput:
        done = None  # an agent of the repository's own
    return done or f"{_name(event.task_id, names)} complete"


# -- the life of a goal


@_says(g.GoalAccepted)
def _accepted(event: g.GoalAccepted, _: Names) -> Told:
    return _human(event.submitted_by), f"Submitted goal: {event.goal}"


_orchestrator(g.GoalPlanned, lambda e, _: f"Generated workflow with {_count(len(e.tasks), 'task')}")
_orchestrator(g.GoalPlanRejected, lambda e, _: f"Refused {e.plan_task}: {'; '.join(e.reasons)}")
_person(g.GoalPlanApproved, lambda e, _: f"Approved the plan (revision {e.revision})")
_orchestrator(g.GoalReadyForReview, lambda _e, _: "All tasks complete! Notifying human...")
_person(g.GoalApproved, lambda _e, _: "Approved the result")
_person(g.GoalTestsRequested, lambda _e, _: "Asked for a run of the tests")
_orchestrator(g.GoalCompleted, lambda e, _: f"Goal completed: {e.completion_summary}")
_orchestrator(g.GoalFailed, lambda e, _: f"Goal failed: {e.reason}")
_person(g.GoalCancelled, lambda e, _: f"Cancelled the goal{_because(e.reason)}")
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
    return _worker(event.worker, event.agent), _starting(event.task_id, _name(event.task_id, names))


def _starting(task_id: str, name: str) -> str:
    gate = gate_of(task_id)
    if gate is not None:
        return {"tests": "Started running tests", "security": "Started security audit"}.get(
            gate[0], "Started final review"
        )
    return {"plan": "Started planning", "debug": "Started debugging"}.get(kind_of(task_id), f"Started task {name}")


@_says(t.TaskCompleted)
def _completed(event: t.TaskCompleted, names: Names) -> Told:
    who = _worker(event.worker, event.agent) if event.worker else ORCHESTRATOR
    return who, _outcome(event.result, _name(event.task_id, names), kind_of(event.task_id))


def _outcome(result: TaskResult, name: str, kind: str) -> str:
    if kind == "plan" and result.plan is not None:
        return f"Planned {_count(len(result.plan.tasks), 'task')}{_because(result.summary)}"
    if kind == "debug" and result.findings:
        first = result.findings[0]
        place = f" ({first.file}:{first.line})" if first.file else ""
        return f"Found {first.message}{place}"
    told = [f for f in result.files if f.path not in result.summary]
    files = ", ".join(f"{f.path}, {_count(f.lines, 'line')}" for f in told[:3])
    more = f" and {len(told) - 3} more" if len(told) > 3 else ""
    return f"Completed {name}{_because(result.summary)}{f' ({files}{more})' if files else ''}"


@_says(t.TaskFailed)
def _failed(event: t.TaskFailed, names: Names) -> Told:
    name = _name(event.task_id, names)
    return _worker(event.worker), f"Failed at {name} ({event.failure_class}): {event.reason}"


@_says(t.TaskTimedOut)
def _timed_out(event: t.TaskTimedOut, names: Names) -> Told:
    return _worker(event.worker), f"Ran out of time at {_name(event.task_id, names)} ({event.limit_s} s)"


@_says(t.TaskParked)
def _parked(event: t.TaskParked, names: Names) -> Told:
    who = _worker(event.worker) if event.worker else ORCHESTRATOR
    return who, f"Put {_name(event.task_id, names)} aside ({event.reason}){_because(event.detail)}"


@_says(t.MergeConflicted)
def _conflicted(event: t.MergeConflicted, names: Names) -> Told:
    return _worker(event.worker), f"Conflict at {_name(event.task_id, names)}: {', '.join(event.files)}"


_orchestrator(
    t.TaskRetryScheduled,
    lambda e, names: f"Trying {_name(e.task_id, names)} again at {e.due:%H:%M:%S}{_because(e.reason)}",
)
_orchestrator(t.TaskCancelled, lambda e, names: f"Cancelled {_name(e.task_id, names)}{_because(e.reason)}")
_person(t.TaskSkipped, lambda e, names: f"Skipped {_name(e.task_id, names)}{_because(e.reason)}")
_orchestrator(t.TaskDeadLettered, lambda e, names: f"Gave up {_name(e.task_id, names)}: {e.reason}")
_person(t.TaskRequeued, lambda e, names: f"Sent {_name(e.task_id, names)} back to work")
_person(t.TaskDiscarded, lambda e, names: f"Discarded {_name(e.task_id, names)}{_because(e.reason)}")
_person(t.TaskNoted, lambda e, names: f"Note to {_name(e.task_id, names)}: {e.text}")


@_says(t.TaskProposed)
def _proposed(event: t.TaskProposed, names: Names) -> Told:
    what = ", ".join(task.key for task in event.tasks)
    return ORCHESTRATOR, f"{_name(event.task_id, names)} asks for more tasks: {what}{_because(event.reason)}"


# -- gates and questions


@_says(v.GatePassed)
def _gate_passed(event: v.GatePassed, _: Names) -> Told:
    return _worker(event.worker, event.agent), _passing(event)


def _passing(event: v.GatePassed) -> str:
    if event.gate == "security":
        found = _count(len(event.findings), "finding") if event.findings else "no vulnerabilities"
        return f"Security audit passed, {found}"
    if event.gate == "review":
        return "Code review approved, ready for deployment"
    facts = [f"{event.counts.passed} passed"] if event.counts is not None else []
    if event.coverage_percent is not None:
        facts.append(f"{event.coverage_percent:g}% coverage")
    shown = f" ({', '.join(facts)})" if facts else ""
    return f"All tests passing!{shown}"


@_says(v.GateFailed)
def _gate_failed(event: v.GateFailed, _: Names) -> Told:
    return _worker(event.worker, event.agent), _failing(event)


def _failing(event: v.GateFailed) -> str:
    if event.gate == "security":
        return f"Security audit failed, {_count(len(event.findings), 'finding')}"
    if event.gate == "review":
        return f"Code review asks for changes{_because(event.summary)}"
    broken = event.counts.failed + event.counts.errors if event.counts is not None else 0
    return f"{_count(broken, 'test')} failed" if broken else f"Tests did not pass{_because(event.summary)}"


@_says(a.AgentBlocked)
def _blocked(event: a.AgentBlocked, names: Names) -> Told:
    who = _worker(event.worker) if event.worker else ORCHESTRATOR
    about = f" at {_name(event.task_id, names)}" if event.task_id else ""
    return who, f"Blocked{about}, needs a person: {event.question}"


_orchestrator(a.AgentEscalated, lambda e, _: f"Still waiting for a person (reminder {e.level})")
_person(a.AgentAnswered, lambda e, _: f"Answered ({e.action}){_because(e.option or e.text)}")
