"""An attempt in the trace of the decision that ordered it, and in one of its own when the order has grown old."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from agenthub_events.catalogue.goal import GoalCancelled
from agenthub_events.catalogue.task import TaskCompleted, TaskFailed, TaskStarted
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.telemetry.conventions import ERROR_TYPE, LINKED_BY, OUTCOME
from agenthub_runtime.telemetry.tracing import Telemetry
from agenthub_worker.rehearsal.scripted import ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import Turn, call
from tests.support.until import until
from tests.support.workbench import Desk, running_worker

LOOK = call("glob", pattern="*")
DONE = call("report_result", status="done", summary="done")
NOT_DONE = call("report_result", status="failed", summary="it does not work")


class LaterClock(SystemClock):
    """A machine on which it is some minutes later."""

    def __init__(self, minutes: int) -> None:
        self._ahead = timedelta(minutes=minutes)

    def now(self) -> datetime:
        return super().now() + self._ahead


@asynccontextmanager
async def observed_worker(
    bus: Client, folder: Path, *turns: Turn
) -> AsyncIterator[tuple[Desk, InMemorySpanExporter]]:
    """A worker with a desk that gives it orders, and the spans of both."""
    exporter = InMemorySpanExporter()
    telemetry = Telemetry("test", processors=(SimpleSpanProcessor(exporter),))
    async with (
        ScriptedModelServer([ScriptedReplies({"*": list(turns)})]) as model,
        running_worker(bus, model, folder, telemetry=telemetry),
    ):
        yield Desk(bus), exporter


def processed(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans of attempts, in the order of their ends."""
    return [span for span in exporter.get_finished_spans() if span.name == "process coding"]


async def test_a_retry_is_linked_to_the_attempt_before_and_a_failure_says_its_class(
    bus: Client, tmp_path: Path
) -> None:
    async with observed_worker(bus, tmp_path, NOT_DONE) as (desk, exporter):
        await desk.accept()
        await desk.order()
        assert isinstance(await desk.ended(), TaskFailed)
        await desk.order()
        assert isinstance(await desk.ended(attempt=2), TaskFailed)
        failed, again = await until(
            lambda: found if len(found := processed(exporter)) == 2 else [], 60, "both ended"
        )

    assert failed.attributes is not None
    assert (failed.attributes[OUTCOME], failed.attributes[ERROR_TYPE]) == ("failed", "model")
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.links == ()
    (link,) = again.links
    started = [message for message in await desk.messages() if isinstance(message.event, TaskStarted)]
    assert f"{link.context.span_id:016x}" == started[0].headers["traceparent"].split("-")[2]
    assert link.context.span_id in {span.context.span_id for span in exporter.get_finished_spans()}
    assert dict(link.attributes or {}) == {LINKED_BY: "retry"}


async def test_work_that_is_left_for_a_cancelled_goal_is_no_error(bus: Client, tmp_path: Path) -> None:
    async with observed_worker(bus, tmp_path, DONE) as (desk, exporter):
        await desk.accept()
        await desk.say(GoalCancelled(by="ada"), "cancel")
        await desk.order()
        (left,) = await until(lambda: processed(exporter), 300, "the order was left")

    assert left.attributes is not None
    assert (left.attributes[OUTCOME], left.status.is_unset) == ("left", True)
    assert [span.name for span in exporter.get_finished_spans() if ERROR_TYPE in (span.attributes or {})] == []


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

    decision, attempt, tool = spans["decide"], spans["process coding"], spans["execute_tool glob"]
    if minutes < 60:
        assert attempt.parent is not None
        assert attempt.parent.span_id == decision.context.span_id
        assert attempt.links == ()
    else:
        assert attempt.parent is None
        assert [link.context.span_id for link in attempt.links] == [decision.context.span_id]
        assert attempt.context.trace_id != decision.context.trace_id
    assert tool.context.trace_id == attempt.context.trace_id
