"""Why something is so: from an event, a task or a line of code back to the words of the goal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue import CLOSES_ATTEMPT
from agenthub_events.catalogue import agent as a
from agenthub_events.catalogue import gate as v
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import task as t
from agenthub_events.catalogue.values import PlannedTask
from agenthub_events.ports import Recorded
from agenthub_events.task_ids import gate_of, kind_of
from agenthub_orchestrator.domain.state.fold import NOTIFICATION
from agenthub_replay.errors import HistoryMissing
from agenthub_replay.history import GoalHistory
from agenthub_runtime.timeline.renderer import line_of

_TEXT_MAX = 500


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """An event, and the sequences of the events that it follows from (none for the one that began the goal)."""

    seq: int
    type: str
    task_id: str
    text: str
    because: tuple[int, ...] = ()


class Causation(msgspec.Struct, frozen=True, kw_only=True):
    """Why the event `of` happened: it and everything that led to it, the newest first.

    `words` are the person's: the sentence of the goal, and the requirements that the tasks on the way are to meet.
    """

    of: int
    words: tuple[str, ...]
    causes: tuple[Cause, ...]


def why_event(history: GoalHistory, seq: int) -> Causation:
    """The causes of the event `seq`. Raises `HistoryMissing` when it is none of this goal."""
    recorded = history.event_at(seq)
    if recorded is None:
        first, last = history.messages[0].seq, history.last_seq
        raise HistoryMissing(
            f"Event {seq} is none of this goal: its events lie between {first} and {last}", field="of"
        )
    return _Causes(history).of(recorded)


def why_task(history: GoalHistory, task_id: str) -> Causation:
    """The causes of the newest event of a task, by its id or its name in the plan. Raises `HistoryMissing`."""
    for known in (task_id, f"t-{task_id}"):
        found = [r for r in history.own_events if _task_of(history, r) == known]
        if found:
            return _Causes(history).of(found[-1])
    own = {_task_of(history, recorded) for recorded in history.own_events}
    tasks = sorted(task for task in own - {"_", ""} if not task.startswith(NOTIFICATION))
    raise HistoryMissing(f"This goal has no task `{task_id[:60]}`; it has {', '.join(tasks)}", field="of")


def _task_of(history: GoalHistory, recorded: Recorded) -> str:
    subject = history.subjects.get(recorded.seq)
    return subject.task_id if subject else ""


class _Causes:
    def __init__(self, history: GoalHistory) -> None:
        self._history = history
        self._events = [(r.seq, r.event, r) for r in history.own_events if isinstance(r.event, Event)]
        self._by_id = {event.event_id: recorded for _, event, recorded in self._events}

    def of(self, recorded: Recorded) -> Causation:
        """Everything that led to an event."""
        found: dict[int, Cause] = {}
        waiting = [recorded]
        while waiting:
            one = waiting.pop()
            if one.seq in found:
                continue
            causes = [] if isinstance(one.event, g.GoalAccepted) else self._causes(one)
            waiting.extend(causes)
            found[one.seq] = Cause(
                seq=one.seq,
                type=one.event.type,
                task_id=_task_of(self._history, one),
                text=_text(one),
                because=tuple(cause.seq for cause in causes),
            )
        ordered = tuple(found[seq] for seq in sorted(found, reverse=True))
        return Causation(of=recorded.seq, words=self._words(ordered), causes=ordered)

    def _words(self, causes: Sequence[Cause]) -> tuple[str, ...]:
        accepted = self._history.accepted
        if accepted is None:
            return ()
        named = {f"R{number}": text for number, text in enumerate(accepted.requirements, start=1)}
        on_the_way = {cause.task_id for cause in causes}
        plans = [e for _, e, _ in self._events if isinstance(e, g.GoalPlanned | g.GoalReplanned)]
        wanted: dict[str, None] = {}
        for plan in plans:
            for task in plan.tasks if isinstance(plan, g.GoalPlanned) else plan.added:
                if task.task_id in on_the_way:
                    wanted.update(dict.fromkeys(task.requirement_ids))
        return (accepted.goal, *(f"{name}: {named[name]}" for name in sorted(wanted) if name in named))

    def _causes(self, recorded: Recorded) -> list[Recorded]:
        rule = _RULES.get(recorded.event.__class__)
        found = list(rule(self, recorded)) if rule else list(self._of_attempt(recorded))
        if not found:
            found = [cause] if (cause := self._named(recorded)) is not None else []
        unique = {cause.seq: cause for cause in found if cause.seq < recorded.seq}
        return [unique[seq] for seq in sorted(unique)]

    def _named(self, recorded: Recorded) -> Recorded | None:
        """The event that its writer names as the cause, else the one that began the goal."""
        assert isinstance(recorded.event, Event)
        named = self._by_id.get(recorded.event.metadata.get("causation_id", ""))
        if named is not None and named.seq < recorded.seq:
            return named
        return next((r for _, event, r in self._events if isinstance(event, g.GoalAccepted)), None)

    def last(self, before: int, wanted: Callable[[Any], bool]) -> Iterator[Recorded]:
        """The last event before a sequence of which `wanted` is true, if there is one."""
        found = next((r for seq, event, r in reversed(self._events) if seq < before and wanted(event)), None)
        if found is not None:
            yield found

    def _of_attempt(self, recorded: Recorded) -> Iterator[Recorded]:
        """What a worker says in an attempt follows from its claim of it."""
        event: Any = recorded.event
        task_id = getattr(event, "task_id", "")
        if "attempt" in type(event).__struct_fields__ and event.attempt:
            attempt = event.attempt
            yield from self.last(
                recorded.seq,
                lambda e: isinstance(e, t.TaskStarted) and (e.task_id, e.attempt) == (task_id, attempt),
            )

    def of_order(self, recorded: Recorded) -> Iterator[Recorded]:
        """An order follows from the plan and what it waited for, or from how the attempt before has ended."""
        event = recorded.event
        assert isinstance(event, t.TaskEnqueued)
        if event.attempt > 1:
            yield from self.last(recorded.seq, lambda e: _says_again(e, event.task_id))
            return
        yield from self.last(recorded.seq, lambda e: _plans(e, event.task_id) is not None)
        for dependency in event.depends_on:
            yield from self.last(recorded.seq, lambda e, d=dependency: _ends(e, d))  # type: ignore[misc]
        if kind_of(event.task_id) == "gate":
            yield from self._of_gate(recorded, event.task_id)
        if kind_of(event.task_id) == "plan":
            yield from self.last(recorded.seq, lambda e: isinstance(e, _ASKS_FOR_A_PLAN))

    def _of_gate(self, recorded: Recorded, task_id: str) -> Iterator[Recorded]:
        """A gate judges the branch: the last merge, once the gate before it has passed or its repair is in."""
        yield from self.last(recorded.seq, lambda e: isinstance(e, t.MergeDone))
        named = gate_of(task_id)
        before = None if named is None else (named[0], named[1] - 1)
        yield from self.last(
            recorded.seq,
            lambda e: isinstance(e, v.GatePassed) or (isinstance(e, v.GateFailed) and (e.gate, e.round) == before),
        )

    def of_start(self, recorded: Recorded) -> Iterator[Recorded]:
        """A claim follows from its order."""
        event = recorded.event
        assert isinstance(event, t.TaskStarted)
        yield from self.last(
            recorded.seq,
            lambda e: isinstance(e, t.TaskEnqueued) and (e.task_id, e.attempt) == (event.task_id, event.attempt),
        )

    def of_plan(self, recorded: Recorded) -> Iterator[Recorded]:
        """A plan follows from the planner's proposal, or from the person who wrote it into the goal."""
        event = recorded.event
        assert isinstance(event, g.GoalPlanned)
        yield from self.last(recorded.seq, lambda e: bool(event.plan_task) and _ends(e, event.plan_task))

    def of_replan(self, recorded: Recorded) -> Iterator[Recorded]:
        """A change of the graph follows from the task that it names."""
        event = recorded.event
        assert isinstance(event, g.GoalReplanned)
        yield from self.last(recorded.seq, lambda e: bool(event.cause) and _ends(e, event.cause))
        yield from self.last(recorded.seq, lambda e: isinstance(e, g.GoalReworkRequested))

    def of_ready(self, recorded: Recorded) -> Iterator[Recorded]:
        """The offer follows from the last verdict of each gate."""
        gates = {e.gate for _, e, _ in self._events if isinstance(e, v.GateVerdict)}
        for gate in sorted(gates):
            yield from self.last(
                recorded.seq,
                lambda e, gate=gate: isinstance(e, v.GateVerdict) and e.gate == gate,  # type: ignore[misc]
            )

    def of_answer(self, recorded: Recorded) -> Iterator[Recorded]:
        """An answer follows from its question."""
        task_id = _task_of(self._history, recorded)
        yield from self.last(
            recorded.seq, lambda e: isinstance(e, a.AgentBlocked) and e.originator_id.split(".")[1] == task_id
        )

    def of_approval(self, recorded: Recorded) -> Iterator[Recorded]:
        """A verdict of a person follows from what was offered."""
        yield from self.last(recorded.seq, lambda e: isinstance(e, g.GoalReadyForReview))

    def of_end(self, recorded: Recorded) -> Iterator[Recorded]:
        """The end follows from the approval."""
        yield from self.last(recorded.seq, lambda e: isinstance(e, g.GoalApproved))


_Rule = Callable[[_Causes, Recorded], Iterator[Recorded]]
_RULES: dict[type, _Rule] = {
    t.TaskEnqueued: _Causes.of_order,
    t.TaskStarted: _Causes.of_start,
    g.GoalPlanned: _Causes.of_plan,
    g.GoalReplanned: _Causes.of_replan,
    g.GoalReadyForReview: _Causes.of_ready,
    g.GoalApproved: _Causes.of_approval,
    g.GoalReworkRequested: _Causes.of_approval,
    g.GoalCompleted: _Causes.of_end,
    a.AgentAnswered: _Causes.of_answer,
}
_ASKS_FOR_A_PLAN = (g.GoalAccepted, g.GoalReworkRequested, g.GoalPlanRejected)
_SENDS_AGAIN = (t.TaskRetryScheduled, t.TaskRequeued, a.AgentAnswered)


def _text(recorded: Recorded) -> str:
    line = line_of(recorded, {})
    if line is not None:
        return line.text[:_TEXT_MAX]
    match recorded.event:
        case t.TaskEnqueued(attempt=attempt, title=title):
            return title if attempt == 1 else f"{title} (attempt {attempt})"
        case t.MergeDone(task_id=task_id, head=head):
            return f"{task_id} is on the branch, whose head is {head[:12]}"
        case _:
            return ""


def _plans(event: Event, task_id: str) -> PlannedTask | None:
    match event:
        case g.GoalPlanned(tasks=tasks) | g.GoalReplanned(added=tasks):
            return _named(tasks, task_id)
        case _:
            return None


def _named(tasks: Sequence[PlannedTask], task_id: str) -> PlannedTask | None:
    return next((task for task in tasks if task.task_id == task_id), None)


def _ends(event: Event, task_id: str) -> bool:
    ends = event.type in CLOSES_ATTEMPT
    return ends and event.originator_id.split(".")[1:] == [task_id]


def _says_again(event: Event, task_id: str) -> bool:
    of_task = event.originator_id.split(".")[1:] == [task_id]
    return of_task and (isinstance(event, _SENDS_AGAIN) or event.type in CLOSES_ATTEMPT)
