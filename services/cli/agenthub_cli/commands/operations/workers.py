"""`agenthub workers` and `agenthub scale`: who works, drains, more of them or fewer."""

from __future__ import annotations

import time
from typing import Annotated, Any, TypeAlias

from cyclopts import App, Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Id, Seconds
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.common import Json, Url
from agenthub_cli.terminal.output import print_json, print_rows, say

WorkerName: TypeAlias = Annotated[Id, Parameter(help="Name of the worker, such as `Worker-3`")]

_LOOK_S = 0.5

app = App(name="workers", help="Show who works, and let a worker finish and take nothing new.")


@app.default
def list_(*, url: Url = None, json: Json = False) -> None:
    """List the workers that live, with what they serve and hold."""
    rows = HubClient(url).get("/workers")["items"]
    if json:
        for row in rows:
            print_json(row)
        return
    shown = [
        {
            **row,
            "types": ",".join(row["types"]),
            "busy": f"{len(row['holding'])} of {row['slots']}",
            "holding": [f"{task['goal_id']}/{task['task_id']}" for task in row["holding"]],
            "state": "draining" if row.get("draining") else "works",
            "sandbox": row.get("sandbox") or "unknown",
        }
        for row in rows
    ]
    print_rows(shown, ("worker", "types", "state", "sandbox", "busy", "holding"), empty="No worker lives")


@app.command
def drain(
    worker: WorkerName,
    *,
    wait: Annotated[
        Seconds, Parameter(help="Come back once it holds nothing, or fail after so many seconds")
    ] = 0.0,
    url: Url = None,
    json: Json = False,
) -> int:
    """Let a worker finish what it holds and take nothing new; a restart of the worker ends this."""
    hub, until = HubClient(url), time.monotonic() + wait
    answer = hub.post(f"/workers/{worker}/drain", {})
    while answer["holding"] and time.monotonic() < until:
        time.sleep(_LOOK_S)
        answer = hub.post(f"/workers/{worker}/drain", {})
    if wait and answer["holding"]:
        raise CommandFailed(
            f"{worker} still holds {', '.join(answer['holding'])} after {wait:g} s",
            hint="it goes on draining: wait longer, or stop it, and others take over",
        )
    if json:
        print_json(answer)
    else:
        held = len(answer["holding"])
        say(f"{worker} takes nothing new; it holds {held or 'nothing'}{' more' if held else ' any more'}")
    return exit_codes.OK


@app.command
def undrain(worker: WorkerName, *, url: Url = None, json: Json = False) -> None:
    """Let a worker take orders again."""
    answer = HubClient(url).post(f"/workers/{worker}/undrain", {})
    print_json(answer) if json else say(f"{worker} takes orders")


def scale(
    wanted: Annotated[str, Parameter(help="Agent type and number of workers, such as `coding=5`")],
    *,
    url: Url = None,
    json: Json = False,
) -> None:
    """Change how many workers serve an agent type, in a hub that was started with `agenthub up`.

    Workers that are too many finish what they hold. The next start counts by `--workers` again.
    """
    types, separator, number = wanted.partition("=")
    if not separator or not number.isdecimal():
        raise CommandFailed(
            f"`{wanted[:60]}` is no number of workers", hint="write coding=5", code=exit_codes.USAGE
        )
    answer: Any = HubClient(url).post("/scale", {"types": types, "workers": int(number)})
    if json:
        print_json(answer)
        return
    for words, names in (("Started", answer["started"]), ("Will end when idle:", answer["leaving"])):
        if names:
            say(f"{words} {', '.join(names)}")
    if not answer["started"] and not answer["leaving"]:
        say(f"There are {answer['workers']} workers for {answer['types']} already")
