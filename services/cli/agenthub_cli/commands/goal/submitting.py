"""`agenthub goal submit`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.commands.goal.options import Lines, Verbose
from agenthub_cli.errors import CommandFailed
from agenthub_cli.goals.summary import checked_lines, understood
from agenthub_cli.options.common import Json, Key, Url
from agenthub_cli.options.submit_options import NO_SUBMIT_OPTIONS, SubmitOptions
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, say
from agenthub_events.rules.blank import is_blank
from agenthub_runtime.plain_text import one_line


def submit(
    goal: Annotated[str, Parameter(help="What is to be reached, in plain words")],
    *,
    options: SubmitOptions = NO_SUBMIT_OPTIONS,
    watch: Annotated[
        bool, Parameter(negative="", help="Follow the goal until it needs nobody or somebody")
    ] = False,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Say what it would be understood as, and submit nothing")
    ] = False,
    lines: Lines = False,
    verbose: Verbose = False,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> int:
    """Submit a goal."""
    if is_blank(goal):
        raise CommandFailed(
            "A goal needs a sentence",
            hint=f'say what is to be reached: `{program()} goal submit "Build a parser for dates"`',
            code=exit_codes.USAGE,
        )
    hub = HubClient(url)
    body = {"goal": goal, **options.body()}
    if dry_run:
        return _checked(hub, body, watch=watch, json=json)
    answer = hub.post("/goals", body, key=key)
    if json and not watch:
        print_json(answer)
    elif not json:
        say(f"Goal {answer['goal_id']} is {answer['status']}; {understood(answer['understood'])}")
        for warning in answer.get("warnings", ()):
            say(f"  warning     {one_line(warning)}")
    if watch:
        from agenthub_cli.goals.watch import watch_goal

        return watch_goal(hub, answer["goal_id"], json=json, lines=lines, verbose=verbose)
    if not json:
        follow = hub.command(f"goal watch {answer['goal_id']}")
        say(f"Follow it with: {follow}")
    return exit_codes.OK


def _checked(hub: HubClient, body: dict[str, Any], *, watch: bool, json: bool) -> int:
    """What the goal would be understood as; 2 when it would be refused."""
    if watch:
        raise CommandFailed(
            "--dry-run submits nothing that --watch could follow", hint="give one of them", code=exit_codes.USAGE
        )
    found = hub.post("/goals/check", body)
    if json:
        print_json(found)
    elif found["refusals"]:
        from agenthub_cli.client.wording import told

        raise CommandFailed(told("", found["refusals"]), code=exit_codes.USAGE)
    else:
        say("\n".join(checked_lines(found)))
    return exit_codes.USAGE if found["refusals"] else exit_codes.OK
