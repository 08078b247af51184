"""What the log says in figures. The projector sees every event once, whoever has written it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import GoalCancelled, GoalCompleted, GoalFailed
from agenthub_events.catalogue.task import (
    MergeConflicted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskParked,
    TaskSkipped,
    TaskTimedOut,
)
from agenthub_events.ports import Recorded
from agenthub_events.task_ids import kind_of
from agenthub_runtime.telemetry.instruments import (
    EVENTS,
    GATE_OUTCOMES,
    GOAL_OUTCOMES,
    PROJECTION_DELAY,
    TASK_OUTCOMES,
)

_OF_TASKS: dict[type[Event], str] = {
    TaskCompleted: "completed",
    TaskFailed: "failed",
    TaskTimedOut: "timed_out",
    TaskParked: "parked",
    TaskCancelled: "cancelled",
    TaskSkipped: "skipped",
    MergeConflicted: "conflicted",
    AgentBlocked: "blocked",
}
_OF_GOALS: dict[type[Event], str] = {
    GoalCompleted: "completed",
    GoalFailed: "failed",
    GoalCancelled: "cancelled",
}
_ROUNDS_APART = 6


def count_events(batch: Sequence[Recorded]) -> None:
    """Count a batch whose rows have just been committed."""
    if not EVENTS.is_on:
        return
    events = [recorded.event for recorded in batch if isinstance(recorded.event, Event)]
    if events:
        waited = datetime.now(UTC) - min(event.timestamp for event in events)
        PROJECTION_DELAY.add(max(waited.total_seconds(), 0.0), {})
    for event in events:
        EVENTS.add(1, {"type": event.type})
        _count_outcome(event)


def _count_outcome(event: Event) -> None:
    match event:
        case GatePassed() | GateFailed():
            outcome = "passed" if isinstance(event, GatePassed) else "failed"
            # A limit may be raised again and again: no series for each further round.
            shown = str(event.round) if event.round < _ROUNDS_APART else f"{_ROUNDS_APART}+"
            GATE_OUTCOMES.add(1, {"gate": event.gate, "outcome": outcome, "round": shown})
        case _ if type(event) in _OF_GOALS:
            GOAL_OUTCOMES.add(1, {"outcome": _OF_GOALS[type(event)]})
        case _ if type(event) in _OF_TASKS:
            task_id = str(getattr(event, "task_id", ""))
            if task_id:
                TASK_OUTCOMES.add(1, {"outcome": _OF_TASKS[type(event)], "kind": kind_of(task_id)})
