"""Two goals side by side: how they went, and what they have made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.goal import GoalReworkRequested
from agenthub_events.catalogue.task import TaskCompleted, TaskFailed, TaskTimedOut
from agenthub_replay.history import GoalHistory
from agenthub_replay.positions import GoalAt, goal_at


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both goals; None: it does not apply to that one."""

    what: str
    first: str | None
    second: str | None


def compare(first: GoalHistory, second: GoalHistory) -> tuple[Compared, ...]:
    """State, time, money, attempts, gates round by round, and lines by file, of both as they stand now."""
    one, other = dict(_figures(first)), dict(_figures(second))
    return tuple(Compared(what=what, first=one.get(what), second=other.get(what)) for what in {**one, **other})


def _figures(history: GoalHistory) -> Iterator[tuple[str, str]]:
    seen = goal_at(history, history.last_seq)
    goal = seen.goal
    yield "goal", goal.goal
    if goal.forked_from:
        yield "forked from", f"{goal.forked_from} at event {goal.forked_at_seq}"
    yield "status", goal.status
    yield "time", _time(history)
    yield "tasks", f"{goal.tasks_done} of {goal.tasks_total} done"
    yield "attempts", str(len(seen.attempts))
    yield "failed attempts", str(_count(history, TaskFailed, TaskTimedOut))
    yield "questions", str(_count(history, AgentBlocked))
    yield "reworks", str(_count(history, GoalReworkRequested))
    yield "model calls", str(goal.llm_calls)
    yield "tokens", f"{goal.input_tokens} in, {goal.output_tokens} out"
    yield "cost", f"{goal.cost_usd:.4f} USD" + (f" and {goal.unpriced_calls} calls" if goal.unpriced_calls else "")
    yield from _gates(seen)
    yield from _files(history)


def _time(history: GoalHistory) -> str:
    times = [r.event.timestamp for r in history.events if isinstance(r.event, Event)]
    seconds = round((max(times) - min(times)).total_seconds()) if times else 0
    return f"{seconds // 60} min {seconds % 60} s"


def _count(history: GoalHistory, *kinds: type[Event]) -> int:
    return sum(isinstance(recorded.event, kinds) for recorded in history.own_events)


def _gates(seen: GoalAt) -> Iterator[tuple[str, str]]:
    rounds = Counter(gate.gate for gate in seen.gates)
    for name, count in rounds.items():
        last = [gate for gate in seen.gates if gate.gate == name][-1]
        coverage = "" if last.coverage_percent is None else f", coverage {last.coverage_percent:g} %"
        counts = f", {last.passed} passed, {last.failed} failed" if last.counted else ""
        yield f"gate {name}", f"{last.verdict} in round {count}{counts}{coverage}"


def _files(history: GoalHistory) -> Iterator[tuple[str, str]]:
    """How long each file was when a task left it last."""
    lines: dict[str, str] = {}
    for recorded in history.own_events:
        if isinstance(recorded.event, TaskCompleted):
            for file in recorded.event.result.files:
                lines[file.path] = f"{file.lines} lines"
    for path in sorted(lines):
        yield f"file {path}", lines[path]
