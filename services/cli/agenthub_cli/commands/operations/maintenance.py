"""`agenthub maintenance`, `agenthub log-level` and `agenthub services`: the hub as a whole, and its processes."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.commands.operations.queues import Reason, told
from agenthub_cli.options.common import Json, Key, Url
from agenthub_cli.terminal.output import print_json, print_rows

app = App(name="maintenance", help="Let the hub begin nothing new, and see what is held back.")


@app.default
def show(*, url: Url = None, json: Json = False) -> None:
    """Show whether the hub is in maintenance, and which queues are paused."""
    told(HubClient(url).get("/holds"), json=json)


@app.command
def start(*, reason: Reason = "", key: Key = None, url: Url = None, json: Json = False) -> None:
    """Give out no orders; what is being worked on is finished, goals are still taken and wait."""
    told(HubClient(url).post("/maintenance/start", {"reason": reason} if reason else {}, key=key), json=json)


@app.command
def end(*, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Give orders out again, but of queues that are paused."""
    told(HubClient(url).post("/maintenance/end", {}, key=key), json=json)


def log_level(
    level: Annotated[
        Literal["debug", "info", "warning", "error"], Parameter(help="From which level on lines are written")
    ],
    *,
    service: Annotated[
        str, Parameter(help="Only processes of this service, such as `worker` [default: all]")
    ] = "",
    instance: Annotated[str, Parameter(help="Only this one of them, such as `Worker-3`")] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """Change the log level of processes that run, until they start again."""
    body = {"level": level, "service": service, "instance": instance}
    rows = HubClient(url).post("/log-level", {name: value for name, value in body.items() if value})["items"]
    if json:
        for row in rows:
            print_json(row)
    else:
        print_rows(rows, ("service", "instance", "was", "now"), empty="Nobody was told")


def services(*, url: Url = None, json: Json = False) -> None:
    """List the hub's processes that answer on the bus, and what they say of themselves."""
    rows = HubClient(url).get("/services")["items"]
    if json:
        for row in rows:
            print_json(row)
        return
    shown = [{**row, **row["about"], "load": row["status"].get("load")} for row in rows]
    print_rows(shown, ("service", "instance", "version", "types", "slots", "load"), empty="Nobody answers")
