"""One trace tells the whole way of a goal."""

from __future__ import annotations

from tests.support.demo_run import Demo
from tests.support.otlp import ReceivedSpan, Traces
from tests.support.running_hub import RunningHub
from tests.support.until import until

SERVICES = {"agenthub-gateway", "agenthub-orchestrator", "agenthub-worker"}
EXPORTED_S = 20.0


async def test_one_trace_runs_from_the_request_to_the_last_tool_call(
    demo: Demo, demo_hub: RunningHub, traces: Traces
) -> None:
    goal_id = demo.goal_id
    calls = demo_hub.get(f"/goals/{goal_id}/usage")["calls"]

    def complete() -> list[ReceivedSpan]:
        spans = traces.of_goal(goal_id)
        asked = [span for span in spans if span.name == "anthropic.messages.create"]
        known = {span.span_id for span in spans}
        whole = all(not span.parent_id or span.parent_id in known for span in spans)
        return spans if len(asked) >= calls and whole else []

    spans = await until(complete, EXPORTED_S, "every span has been exported")

    assert {span.trace_id for span in spans} == {spans[0].trace_id}
    assert {span.service for span in spans} == SERVICES
    root = [span for span in spans if not span.parent_id]
    assert [(span.service, span.name) for span in root] == [("agenthub-gateway", "command goal.accepted")]
    tool = next(span for span in spans if span.name.startswith("execute_tool"))
    way = names_up(tool, spans)
    assert [name.split()[0] for name in way[:3]] == ["execute_tool", "invoke_agent", "decide"]
    assert way[-1] == "command goal.accepted"


async def test_a_model_call_is_told_once_by_the_sdk_with_its_tokens(
    demo: Demo, demo_hub: RunningHub, traces: Traces
) -> None:
    goal_id = demo.goal_id
    calls = demo_hub.get(f"/goals/{goal_id}/usage")["calls"]

    def told() -> list[ReceivedSpan]:
        asked = [span for span in traces.of_goal(goal_id) if "gen_ai.request.model" in span.attributes]
        return asked if len(asked) >= calls else []

    asked = await until(told, EXPORTED_S, "every model call has been exported")

    assert len(asked) == calls
    assert all(span.attributes["gen_ai.usage.output_tokens"] > 0 for span in asked)


def names_up(span: ReceivedSpan, spans: list[ReceivedSpan]) -> list[str]:
    """Names from a span up to the root."""
    by_id = {one.span_id: one for one in spans}
    names = [span.name]
    while span.parent_id:
        span = by_id[span.parent_id]
        names.append(span.name)
    return names
