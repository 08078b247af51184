"""What a goal has become: its changes, its story and its plan, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Id
from agenthub_cli.client.hub_client import HubClient, hub_and_goal
from agenthub_cli.client.names import GoalId
from agenthub_cli.errors import CommandFailed
from agenthub_cli.goals.next_step import next_command, waits_for_approval
from agenthub_cli.options.common import Json, Url
from agenthub_cli.terminal.output import print_json, print_rows, say, say_beside, terminal_width


def diff(
    goal_id: GoalId,
    path: Annotated[str | None, Parameter(help="Only this file or folder")] = None,
    *,
    stat: Annotated[bool, Parameter(negative="", help="Only how many lines of which files")] = False,
    task: Annotated[Id | None, Parameter(help="Only what this task has merged")] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Show what the agents have changed, as a patch that `git apply` takes."""
    wanted = {name: value for name, value in (("task", task), ("path", path)) if value is not None}
    hub, goal_id = hub_and_goal(url, goal_id)
    if task is not None:
        wanted["task"] = hub.task_id(goal_id, task)
    found = hub.get(f"/goals/{goal_id}/diff", **wanted)
    unchanged = f"Nothing has changed in {path}" if path else "Nothing has changed"
    if json:
        print_json(found)
    elif stat:
        columns = ("path", "added", "removed")
        print_rows(found["files"], columns, empty=unchanged)
    elif found["diff"]:
        say(found["diff"].removesuffix("\n"))
    else:
        # Beside the output: who applies the patch gets an empty one.
        say(unchanged, aside=True)


def trace(
    goal_id: GoalId,
    task: Annotated[Id | None, Parameter(help="Only this task, with every step of it")] = None,
    *,
    everything: Annotated[
        bool, Parameter(name="--all", negative="", help="Of a goal also every step, decision and read model")
    ] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Show where the time of a goal or a task has gone, as a waterfall.

    The hub keeps it for some days (AGENTHUB_TRACE_DAYS).
    """
    hub, goal_id = hub_and_goal(url, goal_id)
    wanted = None if task is None else hub.task_id(goal_id, task)
    spans = list(hub.pages(f"/goals/{goal_id}/trace", task=wanted))
    if json:
        for span in spans:
            print_json(span)
    elif spans:
        _draw(spans, everything=everything or wanted is not None)
    else:
        say("No trace: it is older than the hub keeps them, or the hub keeps none (AGENTHUB_TRACE_DAYS)")


def _draw(spans: Sequence[Mapping[str, Any]], *, everything: bool) -> None:
    from agenthub_cli.terminal.waterfall import timed_rows, waterfall_lines

    rows = timed_rows(spans, everything=everything)
    total_ms = max(row.offset_ms + row.duration_ms for row in rows) if rows else 0.0
    for row, line in zip(rows, waterfall_lines(rows, total_ms, width=terminal_width()), strict=True):
        say(line, look="red" if row.has_failed else "")


def log(goal_id: GoalId, *, url: Url = None, json: Json = False) -> None:
    """Tell the goal's story so far, a line for each event that says something to people."""
    hub, goal_id = hub_and_goal(url, goal_id)
    for line in hub.pages(f"/goals/{goal_id}/timeline"):
        if json:
            print_json(line)
        else:
            say_beside(f"[{line['at'][11:19]}] ", f"{line['component']}: {line['text']}")


def plan(
    goal_id: GoalId,
    *,
    edit: Annotated[
        bool, Parameter(negative="", help="Change it in $VISUAL or $EDITOR, before it is approved")
    ] = False,
    file: Annotated[Path | None, Parameter(help="JSON file with the task list that takes its place")] = None,
    approve: Annotated[
        bool, Parameter(negative="", help="Let it begin, with --edit or --file as changed")
    ] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Show the goal's tasks in their order and what each waits for; change the plan, and approve it.

    Only a plan that waits for approval can be changed (`goal submit --autonomy approve_plan`).
    """
    if edit and file is not None:
        raise CommandFailed("--edit and --file both give a plan", hint="give one of them", code=exit_codes.USAGE)
    hub, goal_id = hub_and_goal(url, goal_id)
    if edit or file is not None or approve:
        _decide(hub, goal_id, edit=edit, file=file, approve=approve, json=json)
    else:
        _show(hub, goal_id, json=json)


def _decide(hub: HubClient, goal_id: str, *, edit: bool, file: Path | None, approve: bool, json: bool) -> None:
    from agenthub_cli.goals.plan_editing import edited_plan, send_plan
    from agenthub_cli.options.submit_options import task_list

    told = None
    if edit:
        told = edited_plan(hub, goal_id)
        if not json:
            say("Nothing was changed" if told is None else f"The plan of {goal_id} is changed")
    elif file is not None:
        told = send_plan(hub, goal_id, hub.get(f"/goals/{goal_id}")["revision"], task_list(file))
        if not json:
            say(f"The plan of {goal_id} is changed")
    if approve:
        # The edit has to be in the read model before its revision can be seen there.
        goal = hub.get(f"/goals/{goal_id}", after=told["sequence"] if told else None)
        told = hub.post(f"/goals/{goal_id}/plan", {"action": "approve", "revision": goal["revision"]})
        if not json:
            say(f"The plan of {goal_id} is approved\nFollow it with: {hub.command(f'goal watch {goal_id}')}")
    elif told is not None and not json:
        say(f"Let it begin: {hub.command(f'goal plan {goal_id} --approve')}")
    if json:
        print_json(told or {"goal_id": goal_id, "changed": False})


def _show(hub: HubClient, goal_id: str, *, json: bool) -> None:
    found = hub.get(f"/goals/{goal_id}/graph")
    if json:
        print_json(found)
        return
    before: dict[str, list[str]] = {}
    for edge in found["dependencies"]:
        before.setdefault(edge["task_id"], []).append(edge["depends_on"])
    rows = ({**task, "after": ", ".join(before.get(task["task_id"], ()))} for task in found["tasks"])
    print_rows(rows, ("task_id", "status", "agent", "title", "after"), empty="No plan yet")
    goal = hub.get(f"/goals/{goal_id}")
    if waits_for_approval(goal):
        say(f"\n{next_command(hub, goal)}")
