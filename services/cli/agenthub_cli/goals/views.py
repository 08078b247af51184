"""What a goal has become: its changes, its story and its plan, for people and for programs."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from agenthub_cli.client.hub_client import HubClient, Json, Url
from agenthub_cli.terminal.output import print_json, print_rows, say

GoalName: TypeAlias = Annotated[
    str, Parameter(help="Id of the goal, the beginning of it, or `@last` (`agenthub goal list` shows them)")
]


def diff(
    goal_id: GoalName,
    path: Annotated[str | None, Parameter(help="Only this file or folder")] = None,
    *,
    stat: Annotated[bool, Parameter(negative="", help="Only how many lines of which files")] = False,
    task: Annotated[str | None, Parameter(help="Only what this task has merged")] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Show what the agents have changed, as a patch that `git apply` takes."""
    wanted = {name: value for name, value in (("task", task), ("path", path)) if value is not None}
    found = HubClient(url).get(f"/goals/{goal_id}/diff", **wanted)
    if json:
        print_json(found)
    elif stat:
        columns = ("path", "added", "removed")
        print_rows(found["files"], columns, empty="Nothing has changed")
    elif found["diff"]:
        say(found["diff"].removesuffix("\n"))


def log(goal_id: GoalName, *, url: Url = None, json: Json = False) -> None:
    """Tell the goal's story so far, a line for each event that says something to people."""
    for line in HubClient(url).pages(f"/goals/{goal_id}/timeline"):
        if json:
            print_json(line)
        else:
            say(f"[{line['at'][11:19]}] {line['component']}: {line['text']}")


def plan(goal_id: GoalName, *, url: Url = None, json: Json = False) -> None:
    """Show the goal's tasks in their order, and what each waits for."""
    found = HubClient(url).get(f"/goals/{goal_id}/graph")
    if json:
        print_json(found)
        return
    before: dict[str, list[str]] = {}
    for edge in found["dependencies"]:
        before.setdefault(edge["task_id"], []).append(edge["depends_on"])
    rows = ({**task, "after": ", ".join(before.get(task["task_id"], ()))} for task in found["tasks"])
    print_rows(rows, ("task_id", "status", "agent", "title", "after"), empty="No plan yet")
