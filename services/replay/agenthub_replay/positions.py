"""Time travel: everything that readers saw of a goal when the log ended at a given event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from agenthub_events.base import Event
from agenthub_events.ports import Recorded
from agenthub_orchestrator.projector.view import GoalProjection
from agenthub_replay.errors import HistoryMissing
from agenthub_replay.history import GoalHistory
from agenthub_runtime.readmodels.rows import (
    AttemptRow,
    DeadLetterRow,
    GateRow,
    GoalRow,
    InterventionRow,
    KnowledgeRow,
    MergeRow,
    Row,
    TaskRow,
    TimelineRow,
    UsageRow,
)
from agenthub_runtime.timeline.renderer import Line, TimelineRenderer

R = TypeVar("R", bound=Row)


class GoalAt(msgspec.Struct, frozen=True, kw_only=True):
    """A goal as of the event `seq`: the rows of the read models, each list in the order of its readers."""

    seq: int
    at: datetime | None
    goal: GoalRow
    tasks: tuple[TaskRow, ...]
    attempts: tuple[AttemptRow, ...]
    gates: tuple[GateRow, ...]
    interventions: tuple[InterventionRow, ...]
    usage: tuple[UsageRow, ...]
    knowledge: tuple[KnowledgeRow, ...]
    merges: tuple[MergeRow, ...]
    timeline: tuple[TimelineRow, ...]
    dead_letters: tuple[DeadLetterRow, ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """What the hub could not take further of the goal, in words."""
        return tuple(
            f"{letter.aggregate or letter.subject} is {letter.kind}: {letter.reason}"
            for letter in self.dead_letters
            if letter.kind != "task" and letter.state == "open"
        )


class Traveller:
    """Goes through a history event by event; `at` gives the goal as it stood at the last one."""

    def __init__(self, history: GoalHistory) -> None:
        self._goal_id = history.goal_id
        self._projection = GoalProjection(history.goal_id)
        self._rows: dict[tuple[type[Row], tuple[Any, ...]], Row] = {}
        self._seq = 0
        self._time: datetime | None = None

    def take(self, recorded: Recorded) -> None:
        """One more event."""
        self._projection.apply(recorded)
        self._seq = recorded.seq
        if isinstance(recorded.event, Event):
            self._time = recorded.event.timestamp

    def at(self) -> GoalAt:
        """The goal as it stands now."""
        for row in self._projection.drain():
            key = tuple(getattr(row, name) for name in row.key)
            # A copy: the projection goes on with its own.
            self._rows[type(row), key] = msgspec.structs.replace(row)
        goals = self._of(GoalRow)
        return GoalAt(
            seq=self._seq,
            at=self._time,
            goal=goals[0] if goals else GoalRow(goal_id=self._goal_id),
            tasks=_sorted(self._of(TaskRow), "ordinal"),
            attempts=_sorted(self._of(AttemptRow), "enqueued_seq", "task_id", "attempt"),
            gates=tuple(sorted(self._of(GateRow), key=lambda row: (row.seq == 0, row.seq, row.round, row.gate))),
            interventions=_sorted(self._of(InterventionRow), "blocked_seq"),
            usage=_sorted(self._of(UsageRow), "task_id", "provider", "model"),
            knowledge=_sorted(self._of(KnowledgeRow), "seq"),
            merges=_sorted(self._of(MergeRow), "seq"),
            timeline=_sorted(self._of(TimelineRow), "seq"),
            dead_letters=_sorted(self._of(DeadLetterRow), "seq"),
        )

    def _of(self, kind: type[R]) -> list[R]:
        return [row for row in self._rows.values() if isinstance(row, kind)]


def _sorted(rows: Iterable[R], *names: str) -> tuple[R, ...]:
    return tuple(sorted(rows, key=lambda row: tuple(getattr(row, name) for name in names)))


def goal_at(history: GoalHistory, seq: int) -> GoalAt:
    """The goal as of the event `seq` of the log. Raises `HistoryMissing` before its first event."""
    traveller = Traveller(history)
    messages = history.until(seq)
    if not messages:
        first = history.messages[0].seq
        raise HistoryMissing(
            f"At event {seq} this goal did not exist yet: its first event is {first}", field="at_seq"
        )
    for recorded in messages:
        traveller.take(recorded)
    return traveller.at()


def every_position(history: GoalHistory) -> Iterator[GoalAt]:
    """The goal at each of its events."""
    traveller = Traveller(history)
    for recorded in history.events:
        traveller.take(recorded)
        yield traveller.at()


def seq_at(history: GoalHistory, time: datetime) -> int:
    """The sequence of the last event that was written until `time`. Raises `HistoryMissing` when none was."""
    found = [r.seq for r in history.events if isinstance(r.event, Event) and r.event.timestamp <= time]
    if not found:
        first = next((r.event.timestamp for r in history.events if isinstance(r.event, Event)), None)
        raise HistoryMissing(f"At {time} this goal did not exist yet: it began at {first}", field="at_time")
    return max(found)


class StateChange(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is another one at two positions; None: the row was not there yet."""

    table: str
    key: str
    field: str
    before: Any
    after: Any


class PositionsDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened between two positions: the story in between, and every value that changed."""

    from_seq: int
    to_seq: int
    story: tuple[str, ...]
    changes: tuple[StateChange, ...]


_SHOWN = ("goal", "tasks", "gates", "interventions", "usage", "knowledge", "merges", "dead_letters")
_ALWAYS_CHANGES = frozenset({"last_seq", "events", "updated_at"})


def diff(history: GoalHistory, from_seq: int, to_seq: int) -> PositionsDiff:
    """Compare a goal at two events of the log. Raises `HistoryMissing`."""
    before, after = goal_at(history, from_seq), goal_at(history, to_seq)
    return PositionsDiff(
        from_seq=from_seq,
        to_seq=to_seq,
        story=tuple(story(history, after=from_seq, until=to_seq)),
        changes=tuple(_changes(before, after)),
    )


def _changes(before: GoalAt, after: GoalAt) -> Iterator[StateChange]:
    for name in _SHOWN:
        old, new = _keyed(getattr(before, name)), _keyed(getattr(after, name))
        for key in {**old, **new}:
            yield from _changed_fields(name, key, old.get(key, {}), new.get(key, {}))


def _changed_fields(table: str, key: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[StateChange]:
    for field in {**before, **after}:
        if field not in _ALWAYS_CHANGES and before.get(field) != after.get(field):
            yield StateChange(table=table, key=key, field=field, before=before.get(field), after=after.get(field))


def _keyed(rows: Any) -> dict[str, dict[str, Any]]:
    listed = rows if isinstance(rows, tuple) else (rows,)
    return {
        "/".join(str(getattr(row, name)) for name in row.key if name != "goal_id" or row.key == ("goal_id",)): (
            msgspec.to_builtins(row)
        )
        for row in listed
    }


def story(history: GoalHistory, *, after: int = 0, until: int | None = None) -> Iterator[str]:
    """The goal's history line by line: sequence, time, who, what."""
    narrator = TimelineRenderer()
    lines: dict[int, Line] = {}
    for recorded in history.own_events:
        if until is not None and recorded.seq > until:
            break
        line = narrator.tell(recorded)
        if line is not None and recorded.seq > after:
            # A line that was told before is replaced: more was enqueued in the same moment.
            lines[line.seq] = line
    for line in lines.values():
        yield f"{line.seq:>6} {line.time:%H:%M:%S} {line.component}: {line.text}"
