"""The spans of decisions: each below what it answers to, and the root of a goal when the goal ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind

from agenthub_events.base import Draft
from agenthub_events.catalogue.goal import GoalCompleted, GoalFailed
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.ports import Clock
from agenthub_orchestrator.held_goals import HeldGoal
from agenthub_runtime.telemetry.conventions import (
    AGENT_TYPE,
    ATTEMPT,
    EVENT_TYPE,
    GOAL_ID,
    LANE,
    MESSAGING_DESTINATION,
    MESSAGING_OPERATION,
    MESSAGING_OPERATION_TYPE,
    MESSAGING_SYSTEM,
    TASK_ID,
)
from agenthub_runtime.telemetry.tracing import Attributes, Telemetry, sending, traceparent


class DecisionTraces:
    """Tells what the orchestrator does; without `telemetry` nothing, and the trace goes on all the same."""

    def __init__(self, telemetry: Telemetry | None, clock: Clock) -> None:
        self._telemetry = telemetry
        self._clock = clock

    @contextmanager
    def span(self, goal: HeldGoal, draft: Draft) -> Iterator[str]:
        """The `traceparent` of what is appended in the body: below what it answers to."""
        if self._telemetry is None:
            yield goal.traceparent
            return
        event = draft.event
        lane = f"work-{event.agent_type}-{event.lane}" if isinstance(event, TaskEnqueued) else ""
        with (
            self._telemetry.span(
                f"decide {event.type}",
                parent=goal.traceparent,
                since=(goal.state.last_at, self._clock.now()),
                attributes=_attributes(draft),
                kind=SpanKind.CONSUMER,
            ),
            sending(event.type, lane),
        ):
            yield traceparent()

    def stored(self, goal: HeldGoal, draft: Draft) -> None:
        """The event is in the log: when the goal ends with it, so does its root."""
        if self._telemetry is None or goal.began is None:
            return
        match draft.event:
            case GoalCompleted():
                outcome, reason = "completed", ""
            case GoalFailed(reason=reason):
                outcome = "failed"
            case _:
                return
        self._telemetry.end_root(
            draft.goal_id, goal.began, self._clock.now(), caller=goal.caller, outcome=outcome, failed=reason
        )


def _attributes(draft: Draft) -> Attributes:
    found: dict[str, str | int | float | bool] = {
        MESSAGING_SYSTEM: "nats",
        MESSAGING_DESTINATION: "EVENTS",
        MESSAGING_OPERATION: "process",
        MESSAGING_OPERATION_TYPE: "process",
        EVENT_TYPE: draft.event.type,
        GOAL_ID: draft.goal_id,
        TASK_ID: draft.task_id,
    }
    if isinstance(draft.event, TaskEnqueued):
        order = draft.event
        found |= {ATTEMPT: order.attempt, AGENT_TYPE: order.agent_type, LANE: order.lane}
    return found
