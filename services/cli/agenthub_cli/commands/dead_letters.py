"""`agenthub dead-letters`: what nobody could carry out, and what to do with it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.client.names import LetterId
from agenthub_cli.options.common import Json, Url
from agenthub_cli.options.edit_options import AS_IT_IS, EditOptions
from agenthub_cli.terminal.output import print_json, print_rows, say

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
    hub = HubClient(url)
    letter = hub.letter_id(letter)
    answer = hub.post(f"/dead-letters/{letter}/requeue", edits.body())
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
    hub = HubClient(url)
    letter = hub.letter_id(letter)
    answer = hub.post(f"/dead-letters/{letter}/discard", {"reason": reason} if reason else {})
    print_json(answer) if json else say(f"{letter} is discarded")
