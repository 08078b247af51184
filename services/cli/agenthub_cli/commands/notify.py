"""`agenthub notify`: try the ways to recipients, and see who was told what."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from cyclopts import App, Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Id
from agenthub_cli.client.environment import environment
from agenthub_cli.client.goal_names import Naming, one_called
from agenthub_cli.client.hub_client import HubClient, hub_and_goal
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.common import DataDirOption, Json, Url
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, print_rows, say

if TYPE_CHECKING:
    from agenthub_events.notifications.recipients import Recipient
    from agenthub_notifier.channels.contract import SendResult
    from agenthub_runtime.settings.records import NotifierSettings

GoalId: TypeAlias = Annotated[str, Parameter(help="Id of the goal, or `hub` for digests of several goals")]

app = App(name="notify", help="Try the ways to recipients, and see who was told what.")


@app.command(name="test")
def try_out(
    to: Annotated[
        list[str] | None,
        Parameter(
            negative="", help="Only to this recipient; repeat it [default: everybody whom the settings name]"
        ),
    ] = None,
    *,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> int:
    """Send a test message with the settings of this shell and of the data folder; no hub has to run.

    The exit code is 1 when it does not arrive everywhere.
    """
    settings, recipients = _recipients(to, data_dir)
    failed = False
    for recipient, result in asyncio.run(_sent(settings, recipients)):
        from agenthub_notifier.channels.contract import Refused

        refused = isinstance(result, Refused)
        words = result.reason if isinstance(result, Refused) else result.answer
        failed = failed or refused
        if json:
            print_json(
                {"recipient": recipient.name, "channel": recipient.channel, "ok": not refused, "answer": words}
            )
        else:
            say(f"{'failed' if refused else 'ok':<8} {recipient.channel:<8} {recipient.name}  {words}")
    return exit_codes.FAILED if failed else exit_codes.OK


@app.command(name="list")
def list_(goal: GoalId, *, url: Url = None, json: Json = False) -> None:
    """List what people were told about a goal, and what could not be sent."""
    hub, goal = hub_and_goal(url, goal)
    rows = hub.get(f"/goals/{goal}/notifications")["items"]
    if json:
        for row in rows:
            print_json(row)
        return
    shown = ({**row, "kinds": ", ".join(row["kinds"])} for row in rows)
    print_rows(shown, ("id", "state", "recipient", "kinds", "reason"), empty="Nobody was told anything")


@app.command
def resend(
    goal: GoalId,
    notification: Annotated[Id, Parameter(help="Id of the notification (`agenthub notify list`)")],
    *,
    url: Url = None,
    json: Json = False,
) -> None:
    """Send a notification again; it leaves with an id of its own."""
    hub, goal = hub_and_goal(url, goal)
    kind = Naming("notification", "notifications", f"notify list {goal}", "")
    known = [str(row["id"]) for row in hub.get(f"/goals/{goal}/notifications")["items"]]
    notification = one_called(notification, reversed(known), kind)
    answer = hub.post(f"/goals/{goal}/notifications/{notification}/resend", {})
    print_json(answer) if json else say(f"{notification} is sent again")


@app.command
def recipients(*, url: Url = None, json: Json = False) -> None:
    """List who is told, and who is told nothing more."""
    rows = HubClient(url).get("/recipients")["items"]
    if json:
        for row in rows:
            print_json(row)
        return
    shown = ({**row, "told": "yes" if row["is_open"] else "no"} for row in rows)
    print_rows(
        shown, ("recipient", "channel", "told", "reason"), empty="The hub tells nobody: set AGENTHUB_NOTIFY"
    )


@app.command
def reopen(
    recipient: Annotated[str, Parameter(help="Name of the recipient (`agenthub notify recipients`)")],
    *,
    url: Url = None,
    json: Json = False,
) -> None:
    """Tell a recipient again that was gone or had unsubscribed."""
    answer = HubClient(url).post("/recipients/reopen", {"recipient": recipient})
    print_json(answer) if json else say(f"{recipient} is told again")


def _recipients(to: list[str] | None, data_dir: Path | None) -> tuple[NotifierSettings, list[Recipient]]:
    from agenthub_events.notifications.recipients import parse_recipient
    from agenthub_runtime.settings.records import read_notifier_settings

    settings = read_notifier_settings({**environment(data_dir), "NATS_URL": "nats://127.0.0.1:4222"})
    named = [*settings.recipients, *settings.escalation]
    recipients = [parse_recipient(text) for text in to] if to else list(dict.fromkeys(named))
    if not recipients:
        raise CommandFailed(
            "The settings name nobody who is to be told",
            hint=f"set AGENTHUB_NOTIFY, or try one recipient: `{program()} notify test ann@example.org`",
            code=exit_codes.USAGE,
        )
    return settings, recipients


async def _sent(settings: NotifierSettings, recipients: list[Recipient]) -> list[tuple[Recipient, SendResult]]:
    from agenthub_notifier.channels.contract import Parcel
    from agenthub_notifier.channels.senders import senders_of
    from agenthub_notifier.content.story import Occurrence, Story
    from agenthub_runtime.clock import SystemClock, SystemIds

    clock = SystemClock()
    senders = senders_of(settings, clock)
    cause = "Whoever reads this is reached. Nothing happened, and nothing is to be done."
    story = Story(kind="test", seq=0, goal_id="", goal="", cause=cause, link=settings.public_url)
    occurrence = Occurrence(stories=(story,), hub_url=settings.public_url)
    parcels = [
        Parcel(recipient=recipient, occurrence=occurrence, message_id=SystemIds().token(), at=clock.now())
        for recipient in recipients
    ]
    results = await asyncio.gather(*(senders[parcel.recipient.channel].send(parcel) for parcel in parcels))
    return list(zip(recipients, results, strict=True))
