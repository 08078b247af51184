"""A trace on a terminal: bars by time, nothing wider than the terminal, failures marked by more than colour."""

from __future__ import annotations

from typing import Any

import pytest

from agenthub_cli.terminal.cells import room
from agenthub_cli.terminal.waterfall import Timed, in_words, timed_rows, waterfall_lines


def span(name: str, depth: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "depth": depth,
        "service": "worker.coding",
        "task_id": "t-implement-jwt-module",
        "parent_id": "0" * 16,
        "offset_ms": 0.0,
        "duration_ms": 100.0,
        "error": None,
        **fields,
    }


TRACE = [
    span("invoke_workflow goal", service="orchestrator", task_id=None, parent_id=None, duration_ms=20_000.0),
    span("command goal.accepted", service="gateway", task_id="_"),
    span("decide task.enqueued", service="orchestrator"),
    span("send task.enqueued", 1, service="orchestrator"),
    span("process coding", offset_ms=5_000.0, duration_ms=10_000.0),
    span("invoke_agent coding", 1, offset_ms=5_100.0, duration_ms=5_000.0),
    span("execute_tool bash", 2, offset_ms=9_000.0, duration_ms=1_000.0, error="exit code 1"),
    span("project batch", service="projector", task_id=None, parent_id=None),
]


def lines(width: int | None, *, everything: bool) -> list[str]:
    rows = timed_rows(TRACE, everything=everything)
    return list(waterfall_lines(rows, 20_000.0, width=width))


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("everything", [True, False])
def test_no_line_is_wider_than_the_terminal_and_all_bars_begin_in_one_column(width: int, everything: bool) -> None:
    drawn = lines(width, everything=everything)
    assert all(room(line) <= width for line in drawn)
    assert len({room(line) for line in drawn}) == 1


def test_of_a_goal_what_people_and_workers_did_is_shown_with_how_much_is_below() -> None:
    labels = [row.label for row in timed_rows(TRACE, everything=False)]
    assert labels == ["invoke_workflow goal", "command goal.accepted", "process coding t-implement-jwt-module +2"]


def test_everything_is_shown_as_deep_as_it_stands_and_a_failure_has_its_reason() -> None:
    drawn = lines(200, everything=True)
    assert len(drawn) == len(TRACE)
    assert drawn[5].startswith("  invoke_agent coding")
    assert drawn[6].startswith("    ✗ execute_tool bash: exit code 1")


def test_a_bar_stands_where_its_time_is() -> None:
    row = Timed("work", 0, 5_000.0, 10_000.0)
    [line] = waterfall_lines([row], 20_000.0, width=None)
    assert line == f"work {' ' * 10}{'█' * 20}{' ' * 10}   10.0 s"


def test_what_is_too_short_to_be_seen_leaves_a_mark_inside_of_the_bar() -> None:
    rows = [Timed("first", 0, 0.0, 0.0), Timed("last", 0, 20_000.0, 0.0)]
    for line in waterfall_lines(rows, 20_000.0, width=60):
        assert line.count("▏") == 1
        assert room(line) == 60


def test_without_any_time_there_is_no_division_by_it() -> None:
    assert len(list(waterfall_lines([Timed("all", 0, 0.0, 0.0)], 0.0, width=80))) == 1


def test_no_word_of_others_breaks_a_line_or_moves_the_cursor() -> None:
    odd = [span("name\n\x1b[2J", error="a\nb")]
    [line] = waterfall_lines(timed_rows(odd, everything=True), 1.0, width=80)
    assert "\n" not in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0.04, "0.0 ms"),
        (99.94, "99.9 ms"),
        (450, "450 ms"),
        (1_000, "1.0 s"),
        (150_000, "2.5 min"),
        (9e6, "2.5 h"),
    ],
)
def test_a_duration_in_words(milliseconds: float, words: str) -> None:
    assert in_words(milliseconds) == words
