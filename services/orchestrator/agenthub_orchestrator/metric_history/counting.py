"""What events say in figures, each in the minute in which it was written. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agenthub_events.base import Event
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.ports import Recorded
from agenthub_orchestrator.metric_history.tally import Tally
from agenthub_orchestrator.outcomes import outcome_of_goal, outcome_of_task
from agenthub_runtime.metric_history import catalogue as metrics

_TOKENS = (
    ("input", "input_tokens"),
    ("output", "output_tokens"),
    ("cache read", "cache_read_tokens"),
    ("cache write", "cache_write_tokens"),
)


def count_batch(tally: Tally, batch: Sequence[Recorded], now: datetime) -> None:
    """Count a batch whose rows are committed."""
    for recorded in batch:
        event = recorded.event
        if isinstance(event, Event):
            tally.add(metrics.EVENTS, 1, event.timestamp, now)
            _count(tally, event, now)


def measure_delay(tally: Tally, batch: Sequence[Recorded], now: datetime) -> None:
    """How long the oldest event of a batch has waited until its rows were committed, which has just been."""
    written = [recorded.event.timestamp for recorded in batch if isinstance(recorded.event, Event)]
    if written:
        tally.add(metrics.PROJECTION_DELAY, max((now - min(written)).total_seconds(), 0.0), now, now)


def _count(tally: Tally, event: Event, now: datetime) -> None:
    at = event.timestamp
    match event:
        case LlmCalled():
            _count_call(tally, event, now)
        case GatePassed() | GateFailed():
            outcome = "passed" if isinstance(event, GatePassed) else "failed"
            tally.add(metrics.GATE_OUTCOMES, 1, at, now, label=outcome)
        case _:
            if outcome := outcome_of_goal(event):
                tally.add(metrics.GOAL_OUTCOMES, 1, at, now, label=outcome)
            elif outcome := outcome_of_task(event):
                tally.add(metrics.TASK_OUTCOMES, 1, at, now, label=outcome)


def _count_call(tally: Tally, call: LlmCalled, now: datetime) -> None:
    tally.add(metrics.MODEL_SECONDS, call.latency_ms / 1000, call.timestamp, now, label=call.model)
    if call.cost_usd is not None:
        tally.add(metrics.MODEL_COST, call.cost_usd, call.timestamp, now, label=call.model)
    for label, field in _TOKENS:
        if tokens := getattr(call, field):
            tally.add(metrics.MODEL_TOKENS, tokens, call.timestamp, now, label=label)
