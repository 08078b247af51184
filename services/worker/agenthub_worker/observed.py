"""What is told of an attempt while it runs: its span, and its figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import Span, SpanKind

from agenthub_events.catalogue.task import TaskEnqueued, TaskStarted
from agenthub_events.ports import Delivery
from agenthub_runtime.telemetry.conventions import (
    AGENT_TYPE,
    ATTEMPT,
    CALLS,
    COST,
    DELIVERY,
    GOAL_ID,
    INPUT_TOKENS,
    LANE,
    MESSAGING_DESTINATION,
    MESSAGING_OPERATION,
    MESSAGING_OPERATION_TYPE,
    MESSAGING_SYSTEM,
    OUTCOME,
    OUTPUT_TOKENS,
    QUEUE_WAIT,
    TASK_ID,
    WORKER,
)
from agenthub_runtime.telemetry.instruments import ATTEMPT_SECONDS, REDELIVERIES
from agenthub_runtime.telemetry.instruments import QUEUE_WAIT as QUEUE_WAIT_SECONDS
from agenthub_runtime.telemetry.tracing import links_to, mark_failed
from agenthub_worker.attempt import AttemptEnd
from agenthub_worker.domain.outcomes import Failed, TimedOut, outcome_word
from agenthub_worker.lease.lease import Lease

LEFT = "left"
"""Handed back, closed by others, or lost: this worker ends nothing of it."""


class AttemptTold:
    """How an attempt goes, as far as spans and figures tell it."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.outcome = LEFT

    async def link_earlier(self, lease: Lease, delivery: Delivery) -> None:
        """Link what the task was worked on before, if it was: an earlier attempt, or an earlier claim of this."""
        if not self._span.is_recording() or (lease.order.attempt == 1 and delivery.num_delivered == 1):
            return
        before = await lease.ports.patiently(lambda: lease.ports.events.read(lease.prefix))
        own = (lease.order.attempt, delivery.num_delivered, lease.ports.instance)
        for reason, wanted in (("retry", lease.order.attempt - 1), ("redelivery", lease.order.attempt)):
            claims = [
                r
                for r in before
                if isinstance(r.event, TaskStarted)
                and r.event.attempt == wanted
                and (r.event.attempt, r.event.delivery, r.event.instance) != own
            ]
            if claims:
                for link in links_to({reason: claims[-1].headers.get("traceparent", "")}):
                    self._span.add_link(link.context, link.attributes)

    def ended(self, end: AttemptEnd | None) -> None:
        """The closing event is in the log."""
        if end is None:
            return
        outcome, usage = end
        self.outcome = outcome_word(outcome)
        self._span.set_attributes(
            {
                CALLS: usage.calls,
                INPUT_TOKENS: usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
                OUTPUT_TOKENS: usage.output_tokens,
                **({} if usage.cost_usd is None else {COST: usage.cost_usd}),
            }
        )
        match outcome:
            case Failed(failure_class=kind, reason=reason):
                mark_failed(self._span, reason, kind)
            case TimedOut():
                mark_failed(self._span, "the attempt used up its time", "timed_out")


@contextmanager
def told(lease: Lease, delivery: Delivery) -> Iterator[AttemptTold]:
    """Tell of the attempt that the body works on: below its order, or linked to it when that has grown old."""
    order, ports = lease.order, lease.ports
    now, began = ports.clock.now(), ports.clock.monotonic()
    waited = max((now - order.timestamp).total_seconds(), 0.0)
    lane: dict[str, str] = {"agent_type": order.agent_type, "lane": order.lane}
    QUEUE_WAIT_SECONDS.add(waited, lane)
    if delivery.num_delivered > 1:
        REDELIVERIES.add(1, lane)
    with ports.telemetry.span(
        f"process {order.agent_type}",
        parent=lease.traceparent,
        since=(order.timestamp, now),
        attributes={
            **_place(order, lease.goal_id, ports.worker),
            DELIVERY: delivery.num_delivered,
            QUEUE_WAIT: waited,
        },
        kind=SpanKind.CONSUMER,
    ) as span:
        attempt = AttemptTold(span)
        try:
            yield attempt
        finally:
            span.set_attribute(OUTCOME, attempt.outcome)
            ATTEMPT_SECONDS.add(
                ports.clock.monotonic() - began, {"agent_type": order.agent_type, "outcome": attempt.outcome}
            )


def _place(order: TaskEnqueued, goal_id: str, worker: str) -> dict[str, str | int | float | bool]:
    return {
        MESSAGING_SYSTEM: "nats",
        MESSAGING_OPERATION: "process",
        MESSAGING_OPERATION_TYPE: "process",
        MESSAGING_DESTINATION: f"work-{order.agent_type}-{order.lane}",
        GOAL_ID: goal_id,
        TASK_ID: order.task_id,
        ATTEMPT: order.attempt,
        WORKER: worker,
        AGENT_TYPE: order.agent_type,
        LANE: order.lane,
    }
