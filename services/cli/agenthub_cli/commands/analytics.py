"""`agenthub analytics`: figures over many goals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Annotated, Any

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import whole, within
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed
from agenthub_cli.goals.summary import duration
from agenthub_cli.options.common import Json, Url
from agenthub_cli.terminal.output import print_csv, print_json, print_rows, say

_UNKNOWN = "–"


def analytics(
    *,
    days: Annotated[
        int,
        Parameter(help="Goals that were accepted in so many days", converter=whole, validator=within(1, 3_650)),
    ] = 30,
    csv: Annotated[bool, Parameter(negative="", help="One line of comma-separated values a goal")] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Show how long goals take, what they cost, and how often their gates pass at once."""
    if csv and json:
        raise CommandFailed(
            "The figures are either --csv or --json", hint="give one of them", code=exit_codes.USAGE
        )
    found = HubClient(url).get("/analytics", days=days)
    if json:
        print_json(found)
    elif csv:
        print_csv(found["goals"], _COLUMNS)
    elif not found["goals"]:
        say(f"No goal was accepted within {days} {'day' if days == 1 else 'days'}")
    else:
        _show(found)


_COLUMNS = (
    *("goal_id", "goal", "status", "accepted_at", "ended_at", "lead_s", "working_s", "waiting_s", "estimated_s"),
    *("tasks", "rounds", "questions", "llm_calls", "input_tokens", "output_tokens", "cost_usd", "unpriced_calls"),
)


def _show(found: Mapping[str, Any]) -> None:
    for name, words in _figures(found):
        say(f"  {name:25}{words}")
    say()
    gates = [{**row, "at first": _share(row["passed_first"], row["goals"])} for row in found["gates"]]
    print_rows(gates, ("gate", "goals", "at first", "rounds"), empty="No gate has judged anything yet")
    say()
    agents = [{**row, "working": duration(row["working_s"]), "cost": _money(row)} for row in found["agents"]]
    print_rows(agents, ("agent", "attempts", "failed", "working", "cost"), empty="No attempt has ended yet")
    say()
    models = [
        {
            **row,
            "from cache": _cached(row),
            "mean": _seconds(row["latency_s"]),
            "p95": _seconds(row["latency_p95_s"]),
            "cost": _money(row),
        }
        for row in found["models"]
    ]
    columns = ("provider", "model", "calls", "mean", "p95", "input_tokens", "output_tokens", "from cache", "cost")
    print_rows(models, columns, empty="No model was called yet")


def _figures(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    goals = found["goals"]
    done = [goal for goal in goals if goal["lead_s"] is not None]
    completed = [goal for goal in goals if goal["status"] == "completed"]
    yield "goals", f"{len(goals)}, {len(completed)} completed"
    yield "lead time, median", duration(median(goal["lead_s"] for goal in done)) if done else _UNKNOWN
    yield "agents worked", duration(sum(goal["working_s"] for goal in goals))
    yield "waited for people", duration(sum(goal["waiting_s"] for goal in goals))
    judged = sum(gate["goals"] for gate in found["gates"])
    yield "gates passed at first", _share(sum(gate["passed_first"] for gate in found["gates"]), judged)
    rounds = [goal["rounds"] for goal in done if goal["rounds"]]
    yield "test rounds, median", f"{median(rounds):g}" if rounds else _UNKNOWN
    errors = [goal["lead_s"] / goal["estimated_s"] for goal in completed if goal["lead_s"] and goal["estimated_s"]]
    yield "of the plan's estimate", f"× {median(errors):.2f}" if errors else _UNKNOWN
    unpriced = sum(goal["unpriced_calls"] for goal in goals)
    spent = f"${sum(goal['cost_usd'] for goal in goals):.2f}"
    yield "spent", f"{spent}, and {unpriced} {_calls(unpriced)} without a known price" if unpriced else spent


def _calls(count: int) -> str:
    return "call" if count == 1 else "calls"


def _share(part: int, whole: int) -> str:
    return f"{round(100 * part / whole)} %" if whole else _UNKNOWN


def _cached(model: Mapping[str, Any]) -> str:
    read = model["cache_read_tokens"]
    return _share(read, read + model["cache_write_tokens"] + model["input_tokens"])


def _seconds(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.1f} s"


def _money(row: Mapping[str, Any]) -> str:
    return f"${row['cost_usd']:.2f}" + (" and more" if row.get("unpriced_calls") else "")
