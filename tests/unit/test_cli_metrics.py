"""`agenthub metrics`: metrics of the last days in rows, and their course in a line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agenthub_cli.commands.operations.metrics import metric_rows, metrics
from agenthub_cli.terminal.sparkline import sparkline
from tests.support.answering import answering


def point(minute: int, value: float, most: float, count: int) -> dict[str, Any]:
    return {"at": f"2026-03-01T12:{minute:02}:00Z", "value": value, "max": most, "count": count}


def item(metric: str, kind: str, unit: str, *series: dict[str, Any]) -> dict[str, Any]:
    return {
        "metric": metric,
        "kind": kind,
        "unit": unit,
        "text": "What it is.",
        "label": "",
        "series": list(series),
    }


FOUND: dict[str, Any] = {
    "since": "2026-03-01T12:00:00Z",
    "until": "2026-03-01T12:03:30Z",
    "step_s": 60,
    "are_kept": True,
    "items": [
        item(
            "agenthub.queue.age", "gauge", "s", {"label": "", "points": [point(0, 2, 4, 1), point(2, 5, 200, 3)]}
        ),
        item("agenthub.model.cost", "sum", "{USD}", {"label": "large", "points": [point(1, 1.5, 1, 2)]}),
        item("agenthub.events", "sum", ""),
    ],
}


def test_a_mean_is_that_of_all_that_was_measured_and_a_sum_is_a_total() -> None:
    age, cost = metric_rows(FOUND, 4)
    assert (age["mean"], age["total"], age["highest"], age["course"]) == ("4.25 s", "", "3 m 20 s", "▄·█·")
    assert (cost["of"], cost["mean"], cost["total"], cost["highest"]) == ("large", "", "$1.50", "$1.50")
    assert cost["course"] == "▁█▁▁"


def test_where_no_terminal_shows_it_there_is_no_course(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with answering(FOUND) as (url, asked):
        metrics("agenthub.queue.age", since="7d", step="1h", url=url)
    assert asked == ["/api/v1/metrics/history?metric=agenthub.queue.age&since=7d&step=1h"]
    head, *lines = capsysbinary.readouterr().out.decode().splitlines()
    assert head.split() == ["metric", "of", "mean", "total", "highest"]
    assert lines[-1] == "What it is."
    assert not set("".join(lines)) & set("▁▂▃▄▅▆▇█")


def test_json_is_a_metric_a_line_with_its_time(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with answering(FOUND) as (url, asked):
        metrics(url=url, json=True)
    assert asked == ["/api/v1/metrics/history?since=24h"]
    lines = [json.loads(line) for line in capsysbinary.readouterr().out.decode().splitlines()]
    assert [line["metric"] for line in lines] == ["agenthub.queue.age", "agenthub.model.cost", "agenthub.events"]
    assert {line["step_s"] for line in lines} == {60}


def test_a_hub_that_keeps_none_is_said_to(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with answering({**FOUND, "are_kept": False, "items": []}) as (url, _):
        metrics(url=url)
    assert "AGENTHUB_TRACE_DAYS" in capsysbinary.readouterr().out.decode()


@pytest.mark.parametrize(
    ("values", "columns", "line"),
    [
        ([], 10, ""),
        ([1.0], 0, ""),
        ([0.0, 0.0], 5, "▁▁"),
        ([0.0, 4.0, 8.0], 5, "▁▅█"),
        ([None, 8.0, None], 3, "·█·"),
        ([1.0, 8.0, None, None, 4.0, 2.0], 3, "█·▅"),
    ],
)
def test_a_line_shows_the_highest_of_what_does_not_fit(
    values: list[float | None], columns: int, line: str
) -> None:
    assert sparkline(values, columns) == line
