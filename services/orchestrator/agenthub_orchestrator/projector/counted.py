"""What the log says in figures. The projector sees every event once, whoever has written it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from agenthub_events.base import Event
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.ports import Recorded
from agenthub_events.task_ids import kind_of
from agenthub_orchestrator.outcomes import outcome_of_goal, outcome_of_task
from agenthub_runtime.telemetry.instruments import (
    EVENTS,
    GATE_OUTCOMES,
    GOAL_OUTCOMES,
    PROJECTION_DELAY,
    TASK_OUTCOMES,
)

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
        case _:
            if outcome := outcome_of_goal(event):
                GOAL_OUTCOMES.add(1, {"outcome": outcome})
            elif outcome := outcome_of_task(event):
                TASK_OUTCOMES.add(1, {"outcome": outcome, "kind": kind_of(str(getattr(event, "task_id", "")))})
