"""`agenthub dead-letters`: what nobody could carry out, and what to do with it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from cyclopts import App, Parameter

from agenthub_cli.checked import Id
from agenthub_cli.client.hub_client import HubClient, Json, Url
from agenthub_cli.options.edit_options import AS_IT_IS, EditOptions
from agenthub_cli.terminal.output import print_json, print_rows, say

LetterId: TypeAlias = Annotated[Id, Parameter(help="Id of the dead letter (`agenthub dead-letters list`)")]

app = App(name="dead-letters", help="List dead letters, send them back to work, or give them up.")


@app.command(name="list")
@app.default
def list_(*, url: Url = None, json: Json = False) -> None:
    """List dead letters."""
    rows = HubClient(url).pages("/dead-letters")
    if json:
        for row in rows:
            print_json(row)
    else:
        print_rows(rows, ("id", "goal_id", "task_id", "reason"), empty="No dead letters")


@app.command
def requeue(
    letter: LetterId,
    *,
    edits: EditOptions = AS_IT_IS,
    url: Url = None,
    json: Json = False,
) -> None:
    """Send a dead letter back to work, with the changes that you give."""
    answer = HubClient(url).post(f"/dead-letters/{letter}/requeue", edits.body())
    print_json(answer) if json else say(f"{letter} is queued again")


@app.command
def discard(
    letter: LetterId,
    *,
    reason: Annotated[str, Parameter(help="Why, in your words; it stands in the log")] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """Give a dead letter up."""
    answer = HubClient(url).post(f"/dead-letters/{letter}/discard", {"reason": reason} if reason else {})
    print_json(answer) if json else say(f"{letter} is discarded")
