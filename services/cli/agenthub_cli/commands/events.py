"""`agenthub events tail|show`: the log as it is."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from agenthub_cli.checked import Count, Id, Position
from agenthub_cli.client.hub_client import HubClient, hub_and_goal
from agenthub_cli.client.names import GoalId
from agenthub_cli.options.common import Json, Url
from agenthub_cli.terminal.output import print_json, say

app = App(name="events", help="Read the event log.")


@app.command
def tail(
    *,
    goal: Annotated[Id | None, Parameter(help="Only this goal")] = None,
    type: Annotated[str | None, Parameter(help="Only this type, e.g. `task.completed`")] = None,
    from_seq: Annotated[
        Position | None, Parameter(name="--from", help="Start behind this sequence; default: now")
    ] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Follow the log live; Ctrl-C ends it."""
    with HubClient(url).stream(goal=goal, kind=type, start=from_seq) as frames:
        for frame in frames:
            # Comments that keep the connection open, and output of runs, are no events of the log.
            if frame.id:
                _print(msgspec.json.decode(frame.data), json=json)


@app.command
def show(
    goal_id: GoalId,
    *,
    type: Annotated[str | None, Parameter(help="Only this type")] = None,
    limit: Annotated[Count | None, Parameter(help="How many at most; default: all")] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Show the history of one goal."""
    hub, goal_id = hub_and_goal(url, goal_id)
    for item in hub.pages(f"/goals/{goal_id}/events", limit=limit, type=type):
        _print(item, json=json)


def _print(item: dict[str, object], *, json: bool) -> None:
    if json:
        print_json(item)
        return
    from agenthub_cli.goals.event_lines import event_line

    say(event_line(item))
