"""A transcript as `agenthub goal transcript` tells it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agenthub_cli.goals.transcript import told

AT = "2026-11-28T18:00:01+00:00"


def item(kind: str, **more: Any) -> dict[str, Any]:
    """A line of a transcript as the API gives it."""
    plain = {"kind": kind, "at": AT, "ended_at": AT, "text": "", "tool": "", "input": {}, "is_error": False}
    return {**plain, "worker": "Worker-2", **more}


def lines(*items: dict[str, Any], folded: int | None = None) -> list[str]:
    """What is told, without the clock."""
    return [re.sub(r"^\[\d\d:\d\d:01\] ", "", line) for line in told(items, folded=folded)]


def test_what_is_said_stands_as_it_was_said() -> None:
    assert lines(item("held"), item("said", text="First.\n\n  Then."), item("said", text=" \n")) == [
        "(Worker-2 works on it)",
        "First.",
        "           ",
        "             Then.",
    ]


def test_a_tool_shows_its_arguments_its_time_and_what_came_back() -> None:
    called = item(
        "tool",
        tool="edit",
        input={"command": "create", "path": "a.py", "text": "x = 1\ny = 2\n"},
        text="done",
        ended_at="2026-11-28T18:00:02.500000+00:00",
    )
    assert "\n".join(lines(called)).splitlines() == [
        "edit (1.5 s) create a.py",
        "           | x = 1",
        "           | y = 2",
        "           done",
    ]
    assert lines(item("tool", tool="run", ended_at=None)) == ["run (runs)"]
    assert lines(item("tool", tool="run", text="no such file", is_error=True))[1] == "           ! no such file"


@pytest.mark.parametrize(("count", "shown"), [(8, 8), (9, 9), (10, 9), (400, 9)])
def test_long_results_are_folded_on_a_terminal_alone(count: int, shown: int) -> None:
    called = item("tool", tool="run", text="\n".join(f"line {number}" for number in range(count)))
    assert len(lines(called, folded=8)) == 1 + shown
    assert len(lines(called)) == 1 + count
    if count > shown:
        assert lines(called, folded=8)[-1].strip() == f"… {count - 8} more lines: --full"


def test_a_kind_of_step_that_a_newer_hub_records_is_still_told() -> None:
    assert lines(item("dreamt", text="of sheep")) == ["dreamt", "           of sheep"]
