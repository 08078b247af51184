from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from agenthub_events.redaction import KnownSecrets
from agenthub_runtime.telemetry.conventions import (
    ATTEMPT,
    ERROR_TYPE,
    GOAL_ID,
    LINKED_BY,
    OUTCOME,
    TASK_ID,
    WORKER,
)
from agenthub_runtime.telemetry.goal_trace import in_words, is_kept, root_of, span_context_of
from agenthub_runtime.telemetry.tracing import NoFailure, Telemetry, mark_failed, recording, step, traceparent

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(exporter: InMemorySpanExporter) -> Telemetry:
    return Telemetry("test", processors=(SimpleSpanProcessor(exporter),))


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def test_work_in_another_process_belongs_to_the_same_trace(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    with telemetry.span("submit"):
        carried = traceparent()
    with telemetry.span("work", parent=carried, since=(NOON, NOON + timedelta(minutes=59))):
        pass

    spans = by_name(exporter)
    assert spans["work"].context.trace_id == spans["submit"].context.trace_id
    assert spans["work"].parent is not None
    assert spans["work"].parent.span_id == spans["submit"].context.span_id


def test_work_that_goes_on_after_an_hour_starts_a_linked_trace(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    with telemetry.span("submit"):
        carried = traceparent()
    with telemetry.span("late", parent=carried, since=(NOON, NOON + timedelta(minutes=61))):
        pass

    spans = by_name(exporter)
    assert spans["late"].context.trace_id != spans["submit"].context.trace_id
    assert [link.context.span_id for link in spans["late"].links] == [spans["submit"].context.span_id]


def test_what_went_wrong_stands_on_a_span_without_credentials(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    with telemetry.span("tool") as span:
        mark_failed(span, "." * 190 + " ghp_" + "a1" * 20, "exit")

    said = by_name(exporter)["tool"].status.description
    assert said is not None
    assert "ghp_" not in said
    assert len(said) <= 200


def test_i9_an_exception_stands_on_its_span_without_credentials(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    secret = "ghp_" + "a1" * 20
    with pytest.raises(ValueError, match="ghp_"), telemetry.span("push"):
        raise ValueError(f"refused for {secret}")

    span = by_name(exporter)["push"]
    assert not span.status.is_ok
    assert str(span.status.description).startswith("ValueError: refused for ")
    assert secret not in span.to_json()


def test_i9_a_known_secret_stands_on_no_span(exporter: InMemorySpanExporter) -> None:
    telemetry = Telemetry(
        "test", processors=(SimpleSpanProcessor(exporter),), secrets=KnownSecrets(["operators-secret-1"])
    )
    with pytest.raises(ValueError, match="operators"), telemetry.span("push"):
        raise ValueError("refused for operators-secret-1")
    assert by_name(exporter)["push"].status.description == "ValueError: refused for [redacted]"


def test_there_is_an_id_to_carry_even_when_nothing_is_exported() -> None:
    with Telemetry("test").span("submit"):
        assert traceparent().startswith("00-")
    assert traceparent() == ""


CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_without_a_recipient_there_are_ids_and_no_spans() -> None:
    telemetry = Telemetry("test")
    with telemetry.span("work", parent=CALLER) as span:
        carried = traceparent()
        assert recording() is None
        with step("part") as part:
            assert not part.is_recording()
            assert traceparent() == carried
    assert not span.is_recording()
    assert carried.split("-")[1] == CALLER.split("-")[1] != carried.split("-")[2]


def test_goal_task_attempt_and_worker_stand_on_all_below_also_on_spans_of_libraries(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    place: dict[str, str | int] = {GOAL_ID: "g-1", TASK_ID: "t-a", ATTEMPT: 2, WORKER: "Worker-1"}
    with telemetry.span("attempt", attributes={**place, OUTCOME: "completed"}):
        with step("git add", {"process.exit.code": 0}):
            pass
        with telemetry.provider.get_tracer("anthropic").start_as_current_span("anthropic.messages.create"):
            pass
    with telemetry.span("other"):
        pass

    spans = by_name(exporter)
    for name in ("git add", "anthropic.messages.create"):
        assert {key: (spans[name].attributes or {}).get(key) for key in place} == place
        assert OUTCOME not in (spans[name].attributes or {})
    assert dict(spans["other"].attributes or {}) == {}


def test_to_leave_work_on_purpose_fails_no_span_and_a_failure_says_its_type(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    class Lost(NoFailure):
        pass

    with pytest.raises(Lost), telemetry.span("cancelled"):
        raise Lost("the goal is cancelled")
    with pytest.raises(TimeoutError), telemetry.span("late"):
        raise TimeoutError

    spans = by_name(exporter)
    assert spans["cancelled"].status.is_unset
    assert ERROR_TYPE not in (spans["cancelled"].attributes or {})
    assert not spans["late"].status.is_ok
    assert (spans["late"].attributes or {})[ERROR_TYPE] == "TimeoutError"


def test_links_say_why_and_what_is_no_trace_is_left_out(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    with telemetry.span("again", links={"retry": CALLER, "redelivery": "", "caller": "00-zz-11-01"}):
        pass

    (link,) = by_name(exporter)["again"].links
    assert f"{link.context.span_id:016x}" == CALLER.split("-")[2]
    assert dict(link.attributes or {}) == {LINKED_BY: "retry"}


@pytest.mark.parametrize("caller", ["", CALLER])
def test_the_root_of_a_goal_is_known_before_it_is_sent(
    telemetry: Telemetry, exporter: InMemorySpanExporter, caller: str
) -> None:
    with telemetry.span("command", parent=in_words(telemetry.root("g-1", caller))):
        pass
    # By another process, days later.
    telemetry.end_root("g-1", NOON, NOON + timedelta(days=3), caller=caller, outcome="completed")

    spans = by_name(exporter)
    root, command = spans["invoke_workflow goal"], spans["command"]
    assert command.parent is not None
    assert (command.parent.span_id, command.context.trace_id) == (root.context.span_id, root.context.trace_id)
    outer = span_context_of(caller)
    assert (root.parent and root.parent.span_id) == (outer and outer.span_id)
    assert (root.end_time or 0) - (root.start_time or 0) == 3 * 86_400 * 10**9
    assert root.status.is_unset
    assert (root.attributes or {})[GOAL_ID] == "g-1"


def test_a_goal_that_failed_says_so_at_its_root(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    telemetry.end_root("g-1", NOON, NOON, outcome="failed", failed="nothing is left to try")
    root = by_name(exporter)["invoke_workflow goal"]
    assert (root.status.description, (root.attributes or {})[ERROR_TYPE]) == ("nothing is left to try", "failed")


def test_a_share_of_the_goals_is_traced_each_of_them_whole(exporter: InMemorySpanExporter) -> None:
    telemetry = Telemetry("test", processors=(SimpleSpanProcessor(exporter),), ratio=0.25)
    goals = [f"g-{number}" for number in range(400)]
    for goal in goals:
        below = in_words(telemetry.root(goal))
        with telemetry.span("command", parent=below, attributes={GOAL_ID: goal}), step("part"):
            pass
        telemetry.end_root(goal, NOON, NOON, outcome="completed")

    kept: dict[str, set[str]] = {}
    for span in exporter.get_finished_spans():
        kept.setdefault(str((span.attributes or {})[GOAL_ID]), set()).add(span.name)
    assert 60 < len(kept) < 140
    assert all(names == {"command", "part", "invoke_workflow goal"} for names in kept.values())


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_the_share_is_that_of_the_sampler(ratio: float) -> None:
    sampler = TraceIdRatioBased(ratio)
    for number in range(200):
        trace_id = root_of(f"g-{number}").trace_id
        decided = sampler.should_sample(None, trace_id, "x").decision is Decision.RECORD_AND_SAMPLE
        assert decided == is_kept(trace_id, ratio) == bool(root_of(f"g-{number}", ratio=ratio).trace_flags)


@pytest.mark.parametrize("caller", ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", CALLER])
def test_who_brings_a_trace_decides_whether_it_is_kept(caller: str) -> None:
    assert root_of("g-1", caller, ratio=0.0).trace_flags == root_of("g-1", caller).trace_flags == int(caller[-2:])
