"""`agenthub metrics`: what the hub's queues, workers and models have done in the last days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from cyclopts import Parameter

from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.goals.summary import duration
from agenthub_cli.options.common import Json, Url
from agenthub_cli.terminal.output import print_json, print_rows, say, terminal_width
from agenthub_cli.terminal.sparkline import sparkline

_LEAST, _MOST = 12, 60
_OTHER_COLUMNS = 82


def metrics(
    name: Annotated[str | None, Parameter(help="Only this metric, such as `agenthub.queue.age`")] = None,
    *,
    since: Annotated[str, Parameter(help="How long ago (90m, 24h, 7d), or an ISO 8601 moment")] = "24h",
    step: Annotated[
        str, Parameter(help="Whole minutes that one value stands for (5m, 1h); default: it fits")
    ] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """Show metrics of the last days, as the hub has kept them: mean or total, the highest, and their course."""
    found = HubClient(url).get("/metrics/history", metric=name, since=since, step=step or None)
    if json:
        for item in found["items"]:
            print_json({**item, "since": found["since"], "until": found["until"], "step_s": found["step_s"]})
        return
    if not found["are_kept"]:
        say("This hub keeps no metrics (AGENTHUB_TRACE_DAYS)")
        return
    width = terminal_width()
    room = 0 if width is None else max(_LEAST, min(_MOST, width - _OTHER_COLUMNS))
    columns = ("metric", "of", "mean", "total", "highest", *(("course",) if room else ()))
    print_rows(metric_rows(found, room), columns, empty="Nothing was measured in this time")
    if name and found["items"]:
        say(f"\n{found['items'][0]['text']}")


def metric_rows(found: Mapping[str, Any], room: int) -> Iterator[dict[str, Any]]:
    """A row a series, its course in `room` columns."""
    for item in found["items"]:
        for series in item["series"]:
            points = series["points"]
            count = sum(point["count"] for point in points)
            total = sum(_together(point, item["kind"]) for point in points)
            is_sum = item["kind"] == "sum"
            highest = max(point["value"] if is_sum else point["max"] for point in points)
            yield {
                "metric": item["metric"],
                "of": series["label"],
                "mean": "" if is_sum else _in_words(total / count, item["unit"]),
                "total": _in_words(total, item["unit"]) if is_sum else "",
                "highest": _in_words(highest, item["unit"]),
                "course": sparkline(_every_step(found, points, 0.0 if is_sum else None), room),
            }


def _together(point: Mapping[str, Any], kind: str) -> float:
    value: float = point["value"]
    return value if kind == "sum" else value * int(point["count"])


def _every_step(
    found: Mapping[str, Any], points: Sequence[Mapping[str, Any]], nothing: float | None
) -> list[float | None]:
    """The values of all steps; `nothing` stands for one in which there was none."""
    values = {datetime.fromisoformat(point["at"]): point["value"] for point in points}
    at, until = datetime.fromisoformat(found["since"]), datetime.fromisoformat(found["until"])
    every: list[float | None] = []
    while at <= until:
        every.append(values.get(at, nothing))
        at += timedelta(seconds=found["step_s"])
    return every


def _in_words(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value:.2f} s" if value < 60 else duration(value)
    if unit == "{USD}":
        return f"${value:.2f}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
