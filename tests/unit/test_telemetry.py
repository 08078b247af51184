from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agenthub_events.redaction import KnownSecrets
from agenthub_runtime.telemetry.tracing import Telemetry, mark_failed, traceparent

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
        mark_failed(span, "." * 190 + " ghp_" + "a1" * 20)

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
