"""`agenthub goal list`, `show` and `watch`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from agenthub_cli.checked import Count, Seconds
from agenthub_cli.client.hub_client import HubClient, hub_and_goal
from agenthub_cli.client.names import GoalId
from agenthub_cli.commands.goal.options import Lines, Verbose
from agenthub_cli.goals.next_step import next_command, waits_for_approval
from agenthub_cli.goals.summary import requirement_lines, summary
from agenthub_cli.options.common import Json, Url
from agenthub_cli.terminal.output import print_json, print_rows, say


def list_(
    *,
    status: Annotated[str | None, Parameter(help="Only goals in this state")] = None,
    limit: Annotated[Count, Parameter(help="How many at most")] = 20,
    url: Url = None,
    json: Json = False,
) -> None:
    """List goals, the newest first."""
    hub = HubClient(url)
    rows = hub.pages("/goals", limit=limit, status=status)
    first = hub.command('goal submit "…"')
    empty = f"No goal is {status}" if status else f"No goals yet: `{first}`"
    if json:
        for row in rows:
            print_json(row)
    else:
        print_rows(rows, ("goal_id", "status", "goal"), empty=empty)


def show(goal_id: GoalId, *, url: Url = None, json: Json = False) -> None:
    """Show one goal with its tasks and gates."""
    hub, goal_id = hub_and_goal(url, goal_id)
    goal = hub.get(f"/goals/{goal_id}")
    tasks = list(hub.pages(f"/goals/{goal_id}/tasks"))
    gates = list(hub.pages(f"/goals/{goal_id}/gates"))
    if json:
        print_json({**goal, "tasks": tasks, "gates": gates})
        return
    say(f"{goal['goal']}\n{goal_id} is {goal['status']}\n{summary(goal, datetime.now(UTC))}\n")
    for line in requirement_lines(goal):
        say(line)
    if hosts := goal["constraints"].get("network"):
        say(f"Its commands may reach {', '.join(hosts)}\n")
    for words in goal.get("left_out", ()):
        say(f"Left out: {words}\n")
    print_rows(tasks, ("task_id", "status", "agent", "attempt", "title"), empty="No tasks yet")
    for task in tasks:
        if task["changes_tests"]:
            wanted = ", ".join(task["requirement_ids"]) or "no requirement is named"
            say(f"{task['task_id']} may change earlier tests ({wanted}): {', '.join(task['changes_tests'])}")
    if gates:
        say()
        print_rows(gates, ("gate", "round", "verdict", "commit_id", "summary"), empty="")
    for words in goal.get("why", ()):
        say(f"\n{words}")
    if waits_for_approval(goal):
        say(f"\n{next_command(hub, goal)}")


def watch(
    goal_id: GoalId,
    *,
    from_: Annotated[
        str | None,
        Parameter(name="--from", help="Start behind this sequence, or `now`; default: the goal's beginning"),
    ] = None,
    timeout: Annotated[Seconds | None, Parameter(help="Give up after so many seconds (exit code 124)")] = None,
    lines: Lines = False,
    verbose: Verbose = False,
    url: Url = None,
    json: Json = False,
) -> int:
    """Follow a goal live until it is finished or waits for a person.

    On a terminal it is a tree that changes in place, and a question can be answered there; elsewhere a line is
    printed for everything that happens. Ctrl-C ends the watching, not the goal.
    """
    from agenthub_cli.goals.watch import beginning, watch_goal

    hub, goal_id = hub_and_goal(url, goal_id)
    start = beginning(hub, goal_id, from_)
    return watch_goal(hub, goal_id, json=json, lines=lines, verbose=verbose, timeout_s=timeout, start=start)
