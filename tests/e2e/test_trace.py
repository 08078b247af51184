"""One trace tells the whole way of a goal."""

from __future__ import annotations

from typing import Any

from agenthub_runtime.telemetry.goal_trace import root_of
from tests.support.demo_run import Demo
from tests.support.otlp import ReceivedSpan, Traces
from tests.support.running_hub import RunningHub
from tests.support.until import until

SERVICES = {"agenthub-gateway", "agenthub-orchestrator", "agenthub-worker"}
EXPORTED_S = 300.0


async def whole_trace(demo: Demo, demo_hub: RunningHub, traces: Traces) -> list[ReceivedSpan]:
    """Every span of the demo's goal; its root comes when the goal ends, and this one waits for its review."""
    goal_id = demo.goal_id
    calls = demo_hub.get(f"/goals/{goal_id}/usage")["calls"]
    root = f"{root_of(goal_id).span_id:016x}"

    def complete() -> list[ReceivedSpan]:
        spans = traces.of_goal(goal_id)
        asked = [span for span in spans if span.name == "anthropic.messages.create"]
        known = {span.span_id for span in spans} | {root}
        whole = all(span.parent_id in known or span.span_id == root for span in spans)
        return spans if len(asked) >= calls and whole else []

    return await until(complete, EXPORTED_S, "every span has been exported")


async def test_one_trace_runs_from_the_request_to_the_last_tool_call(
    demo: Demo, demo_hub: RunningHub, traces: Traces
) -> None:
    spans = await whole_trace(demo, demo_hub, traces)

    assert {span.trace_id for span in spans} == {f"{root_of(demo.goal_id).trace_id:032x}"}
    assert {span.service for span in spans} == SERVICES
    tool = next(span for span in spans if span.name.startswith("execute_tool"))
    way = [name.split()[0] for name in names_up(tool, spans)]
    assert way[:5] == ["execute_tool", "invoke_agent", "process", "send", "decide"]
    # The root comes last, once somebody has ended the goal.
    assert [name for name in way if name != "invoke_workflow"][-2:] == ["send", "command"]


async def test_every_span_of_a_goal_says_where_in_it_and_what_became_of_it(
    demo: Demo, demo_hub: RunningHub, traces: Traces
) -> None:
    spans = await whole_trace(demo, demo_hub, traces)

    by_name: dict[str, list[ReceivedSpan]] = {}
    for span in spans:
        assert span.attributes["agenthub.goal.id"] == demo.goal_id, span.name
        if span.service == "agenthub-worker":
            assert {"agenthub.task.id", "agenthub.attempt", "agenthub.worker"} <= span.attributes.keys(), span.name
        by_name.setdefault(span.name.split()[0], []).append(span)
    assert {"prepare", "gate", "merge", "git", "sandbox", "invoke_agent"} <= by_name.keys()
    kinds = {name: {span.kind for span in of_name} for name, of_name in by_name.items()}
    assert (kinds["send"], kinds["process"], kinds["decide"]) == ({"producer"}, {"consumer"}, {"consumer"})
    assert (kinds["command"], kinds["anthropic.messages.create"]) == ({"server"}, {"client"})
    by_id = {span.span_id: span for span in spans}
    for attempt in by_name["process"]:
        assert by_id[attempt.parent_id].name == "send task.enqueued"
        assert attempt.attributes["messaging.destination.name"].startswith("work-")
        assert attempt.attributes["agenthub.queue.wait_s"] >= 0
        assert attempt.attributes["agenthub.delivery"] >= 1
        # Of a worker that stood still for long another one takes over; it leaves the work when it goes on.
        assert attempt.attributes["agenthub.outcome"] in {"completed", "gate.passed", "gate.failed", "left"}
        assert attempt.attributes["agenthub.lane"] in {"p0", "p1", "p2", "p3"}
        assert not attempt.failed  # a gate that fails is a result
    calls: dict[tuple[str, int], int] = {}
    for attempt in by_name["process"]:
        # What was given out again counts its calls from the beginning.
        place = attempt.attributes["agenthub.task.id"], attempt.attributes["agenthub.attempt"]
        calls[place] = max(calls.get(place, 0), attempt.attributes["agenthub.calls"])
    assert sum(calls.values()) == demo_hub.get(f"/goals/{demo.goal_id}/usage")["calls"] >= 44
    assert all("error.type" in span.attributes for span in spans if span.failed)


async def test_a_model_call_is_told_once_by_the_sdk_with_its_tokens(
    demo: Demo, demo_hub: RunningHub, traces: Traces
) -> None:
    goal_id = demo.goal_id
    calls = demo_hub.get(f"/goals/{goal_id}/usage")["calls"]

    def told() -> list[ReceivedSpan]:
        asked = [span for span in traces.of_goal(goal_id) if span.name == "anthropic.messages.create"]
        return asked if len(asked) >= calls else []

    asked = await until(told, EXPORTED_S, "every model call has been exported")

    assert len(asked) == calls
    assert all(span.attributes["gen_ai.usage.output_tokens"] > 0 for span in asked)


async def test_the_hub_keeps_the_whole_trace_itself(demo: Demo, demo_hub: RunningHub) -> None:
    path = f"/goals/{demo.goal_id}/trace"
    calls = demo_hub.get(f"/goals/{demo.goal_id}/usage")["calls"]
    root = f"{root_of(demo.goal_id).span_id:016x}"

    def complete() -> list[dict[str, Any]]:
        rows = all_pages(demo_hub, path)
        known = {row["span_id"] for row in rows} | {root, None}
        asked = [row for row in rows if row["name"] == "anthropic.messages.create"]
        whole = all(row["parent_id"] in known or row["span_id"] == root for row in rows)
        return rows if len(asked) >= calls and whole else []

    # The hub that worked on it has been stopped, and has lost nothing by that.
    rows = await until(complete, EXPORTED_S, "every span is in Postgres, without a gap")
    written = {row["service"].split(".")[0] for row in rows}
    assert written == {"gateway", "orchestrator", "worker", "projector"}
    attempts = [row for row in rows if row["name"].startswith("process ")]
    assert all(row["depth"] == 0 and row["duration_ms"] > 0 for row in attempts)
    for attempt in attempts:
        # No worker speaks for a type that it does not serve.
        assert attempt["service"] in {f"worker.{kind}" for kind in served_with(attempt["name"].split()[1])}
    one = demo_hub.get(path, task=attempts[-1]["task_id"])
    assert {row["task_id"] for row in one["items"]} == {attempts[-1]["task_id"]}
    assert attempts[-1]["name"] in {row["name"] for row in one["items"]}


def all_pages(hub: RunningHub, path: str) -> list[dict[str, Any]]:
    """Every item of a listing."""
    page = hub.get(path, limit=2_000)
    items: list[dict[str, Any]] = page["items"]
    while page["next_cursor"]:
        page = hub.get(path, limit=2_000, cursor=page["next_cursor"])
        items += page["items"]
    return items


def served_with(agent_type: str) -> set[str]:
    """The types that one worker may serve: of the demo, or of the hub that goes on with it (`conftest.py`)."""
    together = ({"architect", "planner"}, {"debug", "security", "review"})
    return next((types for types in together if agent_type in types), {agent_type})


def names_up(span: ReceivedSpan, spans: list[ReceivedSpan]) -> list[str]:
    """Names from a span up to the first that was made."""
    by_id = {one.span_id: one for one in spans}
    names = [span.name]
    while span.parent_id in by_id:
        span = by_id[span.parent_id]
        names.append(span.name)
    return names
