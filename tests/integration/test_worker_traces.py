"""An attempt in the trace of the decision that ordered it, and in one of its own when the order has grown old."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agenthub_events.catalogue.task import TaskCompleted
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.telemetry.tracing import Telemetry
from agenthub_worker.rehearsal.scripted import ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import call
from tests.support.workbench import Desk, running_worker

LOOK = call("glob", pattern="*")
DONE = call("report_result", status="done", summary="done")


class LaterClock(SystemClock):
    """A machine on which it is some minutes later."""

    def __init__(self, minutes: int) -> None:
        self._ahead = timedelta(minutes=minutes)

    def now(self) -> datetime:
        return super().now() + self._ahead


async def attempted(bus: Client, folder: Path, minutes: int) -> dict[str, ReadableSpan]:
    """The spans of a decision and of the attempt that a worker makes so many minutes after the order, by name."""
    exporter = InMemorySpanExporter()
    telemetry = Telemetry("test", processors=(SimpleSpanProcessor(exporter),))
    desk = Desk(bus)
    await desk.accept()
    async with (
        ScriptedModelServer([ScriptedReplies({"*": [LOOK, DONE]})]) as model,
        running_worker(bus, model, folder, clock=LaterClock(minutes), telemetry=telemetry),
    ):
        with telemetry.span("decide"):
            await desk.order()
        assert isinstance(await desk.ended(), TaskCompleted)
    return {span.name: span for span in exporter.get_finished_spans()}


@pytest.mark.parametrize("minutes", [59, 61])
async def test_an_attempt_later_than_an_hour_starts_a_trace_that_is_linked_to_its_order(
    bus: Client, tmp_path: Path, minutes: int
) -> None:
    spans = await attempted(bus, tmp_path, minutes)

    decision, attempt, tool = spans["decide"], spans["invoke_agent coding"], spans["execute_tool glob"]
    if minutes < 60:
        assert attempt.parent is not None
        assert attempt.parent.span_id == decision.context.span_id
        assert attempt.links == ()
    else:
        assert attempt.parent is None
        assert [link.context.span_id for link in attempt.links] == [decision.context.span_id]
        assert attempt.context.trace_id != decision.context.trace_id
    assert tool.context.trace_id == attempt.context.trace_id
