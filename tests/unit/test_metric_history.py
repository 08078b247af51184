"""Metrics by the minute: what is counted, what is bounded, and over which time it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agenthub_events.base import Event
from agenthub_events.catalogue.gate import GatePassed
from agenthub_events.catalogue.goal import GoalCompleted
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.errors import InvalidInput
from agenthub_events.ports import Recorded
from agenthub_orchestrator.metric_history.counting import count_batch, measure_delay
from agenthub_orchestrator.metric_history.tally import LABELS_MAX, MINUTES_KEPT, OTHER, Tally
from agenthub_runtime.metric_history import METRICS, period_of
from agenthub_runtime.metric_history import catalogue as metrics
from agenthub_runtime.telemetry.instruments import ALL
from tests.support.event_samples import failed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


CALL = LlmCalled(
    task_id="t-a",
    attempt=1,
    turn=1,
    model="large",
    provider="local",
    stop_reason="end_turn",
    request_hash="a" * 64,
)


def at(moment: datetime, event: Event, **fields: object) -> Recorded:
    written = msgspec.structs.replace(event, timestamp=moment, **fields)
    return Recorded(seq=1, subject="evt.g.t.x.y", event=written)


def counted(tally: Tally) -> dict[tuple[str, str], tuple[int, float]]:
    return {(minute.metric, minute.label): (minute.number, minute.sum) for minute in tally.take()}


def test_a_batch_is_counted_in_the_minutes_of_its_events() -> None:
    tally = Tally(days=7)
    early = NOON - timedelta(minutes=3)
    call: dict[str, object] = {"latency_ms": 1500, "cost_usd": 0.25, "input_tokens": 10, "output_tokens": 3}
    count_batch(
        tally,
        [
            at(early, CALL, **call),
            at(NOON, CALL, **call, cache_read_tokens=4),
            at(NOON, GatePassed(gate="tests", round=1, attempt=1, task_id="t-tests", commit="a" * 40)),
            at(NOON, failed()),
            at(NOON, GoalCompleted(completion_summary="done")),
        ],
        NOON,
    )
    found = {(minute.metric, minute.label, minute.at): minute for minute in tally.take()}
    assert found["agenthub.events", "", NOON].number == 4
    assert found["agenthub.events", "", early].number == 1
    assert found["gen_ai.client.operation.duration", "large", NOON][3:] == (1, 1.5, 1.5)
    assert found["agenthub.model.cost", "large", NOON].sum == 0.25
    assert found["gen_ai.client.token.usage", "cache read", NOON].sum == 4
    assert found["agenthub.gate.outcomes", "passed", NOON].sum == 1
    assert found["agenthub.task.outcomes", "failed", NOON].sum == 1
    assert found["agenthub.goal.outcomes", "completed", NOON].sum == 1
    assert ("gen_ai.client.token.usage", "cache write", NOON) not in found


def test_the_delay_of_a_batch_is_that_of_its_oldest_event() -> None:
    tally = Tally(days=7)
    measure_delay(tally, [at(NOON - timedelta(minutes=3), CALL), at(NOON, failed())], NOON)
    assert [(minute.metric, minute.max) for minute in tally.take()] == [("agenthub.projection.delay", 180)]


def test_a_call_whose_price_is_not_known_costs_nothing_that_is_shown() -> None:
    tally = Tally(days=7)
    count_batch(tally, [at(NOON, CALL)], NOON)
    assert not any(name == "agenthub.model.cost" for name, _ in counted(tally))


def test_what_writers_say_of_time_names_and_amounts_is_bounded() -> None:
    tally = Tally(days=7)
    tally.add(metrics.EVENTS, 1, NOON - timedelta(days=8), NOON)
    tally.add(metrics.EVENTS, float("nan"), NOON, NOON)
    assert tally.take() == []
    tally.add(metrics.EVENTS, 1, NOON + timedelta(days=900), NOON)
    assert [minute.at for minute in tally.take()] == [NOON]
    for number in range(LABELS_MAX + 5):
        tally.add(metrics.MODEL_COST, 1, NOON, NOON, label=f"model\x00 {number}" + "x" * 500)
    labels = {minute.label: minute.sum for minute in tally.take()}
    assert len(labels) == LABELS_MAX + 1
    assert labels[OTHER] == 5
    assert all(len(label) <= 80 and "\x00" not in label for label in labels)
    for number in range(MINUTES_KEPT + 5):
        tally.add(metrics.EVENTS, 1, NOON - timedelta(minutes=number), NOON)
    assert len(tally.take()) <= MINUTES_KEPT


def test_what_could_not_be_written_is_added_to_what_came_meanwhile() -> None:
    tally = Tally(days=7)
    tally.add(metrics.QUEUE_AGE, 5, NOON, NOON)
    waiting = tally.take()
    tally.add(metrics.QUEUE_AGE, 2, NOON, NOON)
    tally.put_back(waiting)
    [minute] = tally.take()
    assert (minute.number, minute.sum, minute.max) == (2, 7, 5)


def test_every_metric_of_the_history_is_one_that_services_tell() -> None:
    told = {instrument.name: instrument for instrument in ALL}
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.unit == told[metric.name].unit
        assert not metric.label or metric.label in told[metric.name].labels


@pytest.mark.parametrize(
    ("since", "step", "first", "length"),
    [
        ("24h", "", NOON - timedelta(days=1), timedelta(minutes=10)),
        ("90m", "", NOON - timedelta(minutes=90), timedelta(minutes=1)),
        ("7d", "6h", NOON - timedelta(days=7), timedelta(hours=6)),
        ("2026-03-01T11:07:30Z", "5m", datetime(2026, 3, 1, 11, 5, tzinfo=UTC), timedelta(minutes=5)),
        ("2026-03-01T11:00:00", "120s", NOON - timedelta(hours=1), timedelta(minutes=2)),
    ],
)
def test_a_period_begins_at_a_whole_step(since: str, step: str, first: datetime, length: timedelta) -> None:
    period = period_of(since, step, NOON)
    assert (period.since, period.until, period.step) == (first, NOON, length)


@pytest.mark.parametrize(
    ("since", "step", "field", "words"),
    [
        ("yesterday", "", "since", "say how long ago"),
        ("0s", "", "since", "not within"),
        ("92d", "", "since", "not within"),
        ("999999d", "", "since", "not within"),
        ("0001-01-01T00:00:00+23:59", "", "since", "not within"),
        ("2027-01-01T00:00:00Z", "", "since", "not within"),
        ("24h", "30s", "step", "whole minutes"),
        ("24h", "90s", "step", "whole minutes"),
        ("24h", "0m", "step", "whole minutes"),
        ("24h", "often", "step", "no length"),
        ("7d", "1m", "step", "longer step"),
    ],
)
def test_a_wrong_time_says_what_to_give(since: str, step: str, field: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        period_of(since, step, NOON)
    assert refused.value.field == field
