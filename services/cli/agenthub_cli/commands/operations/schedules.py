"""`agenthub schedule …`: goals that begin by the clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from cyclopts import App, Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Id
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.commands.operations.queues import Reason
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.common import Json, Key, Url
from agenthub_cli.options.submit_options import NO_SUBMIT_OPTIONS, SubmitOptions
from agenthub_cli.terminal.output import print_json, print_rows, say

ScheduleName: TypeAlias = Annotated[Id, Parameter(help="Name of the schedule, such as `nightly`")]

app = App(name="schedule", help="Let goals begin by the clock.")


@app.command
def add(
    schedule: ScheduleName,
    cron: Annotated[str, Parameter(help="When: minute, hour, day, month, weekday, such as `0 3 * * MON-FRI`")],
    goal: Annotated[str, Parameter(help="What is to be reached each time, in plain words")],
    *,
    time_zone: Annotated[str, Parameter(help="By whose clocks, such as `Europe/Berlin`")] = "UTC",
    overlap: Annotated[
        bool, Parameter(negative="", help="Begin also while an earlier run is still being worked on")
    ] = False,
    options: SubmitOptions = NO_SUBMIT_OPTIONS,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Add a schedule; limits of money and calls hold for each run."""
    if options.secrets is not None:
        raise CommandFailed(
            "A schedule keeps no secrets",
            hint="leave --secrets out: they belong to one goal and are erased with it",
            code=exit_codes.USAGE,
        )
    wanted: dict[str, Any] = {
        "name": schedule,
        "cron": cron,
        "time_zone": time_zone,
        "goal": {"goal": goal, **options.body()},
    }
    if overlap:
        wanted["overlap"] = True
    _told(HubClient(url).post("/schedules", wanted, key=key), json=json)


@app.command(name="list")
def list_(*, url: Url = None, json: Json = False) -> None:
    """List the schedules, with their next time and what came of the last one."""
    rows = HubClient(url).get("/schedules")["items"]
    if json:
        for row in rows:
            print_json(row)
        return
    shown = [{**row, "next": _minute(next(iter(row["next"]), None)), "last": _last(row["last"])} for row in rows]
    columns = ("name", "state", "cron", "time_zone", "next", "last", "goal")
    print_rows(shown, columns, empty="No schedules")


@app.command
def show(schedule: ScheduleName, *, url: Url = None, json: Json = False) -> None:
    """Show one schedule."""
    row = HubClient(url).get(f"/schedules/{schedule}")
    if json:
        print_json(row)
        return
    by = f" by {row['paused_by']}" if row["paused_by"] else ""
    because = f": {row['reason']}" if row["reason"] else ""
    say(f"{row['goal']}\n{row['name']} is {row['state']}{by}{because}")
    say(f"At {row['cron']} by the clocks of {row['time_zone']}")
    if row["repository"]:
        say(f"On {row['repository']} {row['ref']}".rstrip())
    if limits := _limits(row):
        say(f"Each run has at most {limits}")
    for moment in row["next"]:
        say(f"Next {_minute(moment)}")
    say(f"Last {_last(row['last']) or 'never'}")


@app.command
def pause(
    schedule: ScheduleName, *, reason: Reason = "", key: Key = None, url: Url = None, json: Json = False
) -> None:
    """Let a schedule begin nothing; goals that it has begun go on."""
    body = {"reason": reason} if reason else {}
    _told(HubClient(url).post(f"/schedules/{schedule}/pause", body, key=key), json=json)


@app.command
def resume(schedule: ScheduleName, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Let a schedule go on from now; what was due in between is not made up for."""
    _told(HubClient(url).post(f"/schedules/{schedule}/resume", {}, key=key), json=json)


@app.command
def remove(schedule: ScheduleName, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Remove a schedule; goals that it has begun go on."""
    _told(HubClient(url).post(f"/schedules/{schedule}/remove", {}, key=key), json=json)


def _told(answer: Mapping[str, Any], *, json: bool) -> None:
    if json:
        print_json(answer)
        return
    soon = f"; next {_minute(answer['next'][0])}" if answer["next"] else ""
    say(f"Schedule {answer['name']} is {answer['state']}{soon}")


def _limits(row: Mapping[str, Any]) -> str:
    money = f"{row['max_cost_usd']:g} USD" if row["max_cost_usd"] else ""
    calls = f"{row['max_llm_calls']} model calls" if row["max_llm_calls"] else ""
    return " and ".join(part for part in (money, calls) if part)


def _last(last: Mapping[str, Any] | None) -> str:
    if last is None:
        return ""
    what = f"began {last['goal_id']}" if last["began"] else f"left out: {last['goal_id']} was not finished"
    missed = f", {last['missed']} missed" if last["missed"] else ""
    return f"{_minute(last['due'])} {what}{missed}"


def _minute(moment: str | None) -> str:
    return f"{moment[:16].replace('T', ' ')}Z" if moment else ""
