"""`agenthub analytics`: what is made of the figures of a hub."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from agenthub_cli.commands.analytics import analytics
from agenthub_cli.errors import CommandFailed
from tests.support.answering import answering


def a_goal(**more: Any) -> dict[str, Any]:
    figures = {
        "goal_id": "g-1",
        "goal": "Build a thing",
        "status": "completed",
        "accepted_at": "2026-11-28T10:00:00Z",
        "ended_at": "2026-11-28T11:00:00Z",
        "lead_s": 3_600.0,
        "working_s": 600.0,
        "waiting_s": 60.0,
        "estimated_s": 1_800.0,
        "tasks": 4,
        "rounds": 2,
        "questions": 1,
        "llm_calls": 9,
        "input_tokens": 1_000,
        "output_tokens": 100,
        "cost_usd": 1.5,
        "unpriced_calls": 0,
    }
    return {**figures, **more}


def figures(*goals: dict[str, Any], **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"since": "2026-10-29T00:00:00Z", "gates": [], "agents": [], "models": []}
    return {**empty, "goals": list(goals), **more}


def test_figures_are_shown_for_people(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    agent = {"agent": "coding", "attempts": 3, "failed": 1, "working_s": 65.0, "cost_usd": 1.5}
    model = {
        **{"provider": "anthropic", "model": "m", "calls": 9, "input_tokens": 100, "output_tokens": 10},
        **{
            "cache_read_tokens": 300,
            "cache_write_tokens": 0,
            "cost_usd": 1.5,
            "unpriced_calls": 2,
            "latency_s": 1.0,
            "latency_p95_s": 4.25,
        },
    }
    found = figures(
        a_goal(),
        a_goal(goal_id="g-2", status="running", lead_s=None, ended_at=None, unpriced_calls=1),
        gates=[{"gate": "tests", "goals": 4, "passed_first": 3, "rounds": 6}],
        agents=[agent],
        models=[model],
    )
    with answering(found) as (url, asked):
        analytics(days=7, url=url)
    shown = capsysbinary.readouterr().out.decode()
    assert asked == ["/api/v1/analytics?days=7"]
    for line in (
        "  goals                    2, 1 completed",
        "  lead time, median        1 h 00 m",
        "  agents worked            20 m 00 s",
        "  waited for people        2 m 00 s",
        "  gates passed at first    75 %",
        "  test rounds, median      2",
        "  of the plan's estimate   × 2.00",
        "  spent                    $3.00, and 1 call without a known price",
    ):
        assert line in shown.splitlines()
    assert "75 %        $1.50 and more" in shown
    assert "1.0 s  4.2 s" in shown
    assert "coding  3         1       1 m 05 s  $1.50" in shown


@pytest.mark.parametrize(
    "goal",
    [
        a_goal(status="cancelled", lead_s=None, estimated_s=0.0, rounds=0),
        a_goal(lead_s=0.0, estimated_s=0.0),
        a_goal(estimated_s=0.0, rounds=0),
    ],
)
def test_what_is_not_known_is_no_number(goal: dict[str, Any], capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with answering(figures(goal)) as (url, _):
        analytics(url=url)
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert "  of the plan's estimate   –" in lines
    assert "  gates passed at first    –" in lines


def test_no_goal_is_a_sentence(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with answering(figures()) as (url, _):
        analytics(days=1, url=url)
    assert capsysbinary.readouterr().out == b"No goal was accepted within 1 day\n"


@pytest.mark.parametrize(
    ("words", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ('a "b", c', 'a "b", c'),
        ("two\nlines", "two\nlines"),
        ("שלום", "שלום"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_words_stay_words_in_a_spreadsheet(
    words: str, cell: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with answering(figures(a_goal(goal=words, lead_s=None, cost_usd=-0.5))) as (url, _):
        analytics(csv=True, url=url)
    head, row = csv.reader(io.StringIO(capsysbinary.readouterr().out.decode(), newline=""))
    told = dict(zip(head, row, strict=True))
    assert told["goal"] == cell
    assert (told["lead_s"], told["cost_usd"]) == ("", "-0.5"), "numbers stay numbers"


def test_json_is_what_the_hub_says(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with answering(figures(a_goal())) as (url, _):
        analytics(json=True, url=url)
    assert json.loads(capsysbinary.readouterr().out) == figures(a_goal())


def test_one_kind_of_output_is_chosen() -> None:
    with pytest.raises(CommandFailed, match="either --csv or --json"):
        analytics(csv=True, json=True, url="http://127.0.0.1:1")
