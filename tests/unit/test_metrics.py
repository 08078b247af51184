"""Figures: what is counted, who takes it, and that nobody pays for what nobody takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families

from agenthub_events.base import Event
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import GoalCompleted
from agenthub_events.catalogue.task import TaskFailed
from agenthub_events.ports import Recorded
from agenthub_orchestrator.projector.counted import count_events
from agenthub_runtime.settings.records import LogSettings
from agenthub_runtime.telemetry.instruments import (
    ALL,
    APPEND_SECONDS,
    EVENTS,
    GATE_OUTCOMES,
    MODEL_TOKENS,
    QUESTIONS_OPEN,
    prometheus_names,
)
from agenthub_runtime.telemetry.metrics import Metrics, configure_metrics

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
DONE = GoalCompleted(completion_summary="done", timestamp=AT)
SILENT = LogSettings(format="json", level="warning", otlp_endpoint="")


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    told = configure_metrics(SILENT, service="test", always=True)
    yield told
    told.shutdown()


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.exposed().decode())
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_nothing_is_counted_that_nobody_takes() -> None:
    metrics = configure_metrics(SILENT, service="test")
    EVENTS.add(1, {"type": "goal.accepted"})
    assert (metrics.is_on, metrics.exposed(), [item.name for item in ALL if item.is_on]) == (False, b"", [])


def test_what_is_counted_is_told_under_the_names_that_dashboards_use(metrics: Metrics) -> None:
    EVENTS.add(2, {"type": "goal.accepted"})
    APPEND_SECONDS.add(0.003, {"result": "stored"})
    MODEL_TOKENS.add(5, {"gen_ai.token.type": "input"})
    QUESTIONS_OPEN.tell(lambda: [(3, {})])

    told = samples(metrics)
    assert told["agenthub_events_total", "type=goal.accepted"] == 2
    assert told["agenthub_append_duration_seconds_bucket", "le=0.005", "result=stored"] == 1
    assert told["agenthub_append_duration_seconds_bucket", "le=0.002", "result=stored"] == 0
    assert told["gen_ai_client_token_usage_count", "gen_ai_token_type=input"] == 1
    assert told["agenthub_questions_open",] == 3
    assert any(name[0] == "agenthub_build_info" and "service=test" in name for name in told)


def test_every_name_is_the_one_that_the_exporter_makes(metrics: Metrics) -> None:
    for item in ALL:
        if item.kind == "gauge":
            item.tell(lambda: [(1, {})])
        else:
            item.add(1, {})
    told = {name[0] for name in samples(metrics)}
    assert [name for item in ALL for name in prometheus_names(item) if name not in told] == []
    assert len({item.name for item in ALL}) == len(ALL)


def test_after_the_end_nothing_is_counted_any_more(metrics: Metrics) -> None:
    metrics.shutdown()
    assert not EVENTS.is_on


def test_a_service_says_where_it_is_scraped_until_it_ends(tmp_path: Path) -> None:
    settings = LogSettings(
        format="json", level="warning", otlp_endpoint="", metrics="127.0.0.1:0", metrics_targets=tmp_path
    )
    metrics = configure_metrics(settings, service="worker", name="../Worker 1")
    try:
        EVENTS.add(1, {"type": "x"})
        (file,) = (tmp_path / "metrics").iterdir()
        (group,) = json.loads(file.read_text())
        assert group["labels"] == {"job": "agenthub-worker", "process": "../Worker 1"}
        answer = httpx2.get(f"http://{group['targets'][0]}/metrics", trust_env=False)
        assert 'agenthub_events_total{type="x"} 1.0' in answer.text
    finally:
        metrics.shutdown()
    assert list((tmp_path / "metrics").iterdir()) == []


def counted(events: list[Event]) -> dict[tuple[str, ...], float]:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    for item in ALL:
        item.bind(meter)
    try:
        batch = [Recorded(seq=seq, subject="evt.g._.x.y", event=event) for seq, event in enumerate(events, 1)]
        count_events(batch)
        data = reader.get_metrics_data()
        assert data is not None
        points = [
            (metric.name, point)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]
        return {
            (name, *(f"{key}={value!s}" for key, value in sorted((point.attributes or {}).items()))): getattr(
                point, "value", 0
            )
            for name, point in points
        }
    finally:
        for item in ALL:
            item.release()


def gate(kind: type[GatePassed] | type[GateFailed], round_: int) -> Event:
    return kind(gate="tests", round=round_, attempt=1, commit="c", task_id=f"gate-tests-{round_}", timestamp=AT)


def test_the_log_is_counted_by_what_it_says() -> None:
    found = counted(
        [
            gate(GateFailed, 1),
            gate(GatePassed, 2),
            *(gate(GateFailed, round_) for round_ in (6, 7, 60)),
            TaskFailed(task_id="t-a", attempt=1, failure_class="model", reason="r", timestamp=AT),
            DONE,
        ]
    )
    outcomes = GATE_OUTCOMES.name
    assert found[outcomes, "gate=tests", "outcome=failed", "round=1"] == 1
    assert found[outcomes, "gate=tests", "outcome=passed", "round=2"] == 1
    assert found[outcomes, "gate=tests", "outcome=failed", "round=6+"] == 3
    assert found["agenthub.task.outcomes", "kind=work", "outcome=failed"] == 1
    assert found["agenthub.goal.outcomes", "outcome=completed"] == 1
    assert found["agenthub.events", "type=gate.failed"] == 4


def test_events_are_not_looked_at_when_nobody_counts() -> None:
    count_events([Recorded(seq=1, subject="evt.g._.x.y", event=DONE)])
