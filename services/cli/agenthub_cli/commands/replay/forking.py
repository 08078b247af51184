"""Lets a new goal go on from an event of another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agenthub_cli.client.hub_client import hub_and_goal
from agenthub_cli.goals.next_step import follow_command
from agenthub_cli.options.submit_options import task_list
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, say


def run_fork(
    goal: str, wanted: dict[str, Any], plan: Path | None, *, key: str | None, url: str | None, json: bool
) -> None:
    """`agenthub replay fork`. Of what is `wanted`, None is left to the parent."""
    hub, goal_id = hub_and_goal(url, goal)
    body = {name: value for name, value in wanted.items() if value is not None}
    if plan is not None:
        body["plan"] = task_list(plan)
    answer = hub.post(f"/goals/{goal_id}/fork", body, key=key)
    if json:
        print_json(answer)
        return
    ahead = answer["tasks_ahead"]
    what = (
        "the plan is made anew"
        if ahead is None
        else f"{answer['tasks_inherited']} tasks taken over, {ahead} ahead"
    )
    say(f"Goal {answer['goal_id']} goes on from event {answer['at_seq']} of {goal_id}; {what}")
    say(f"Follow it with: {follow_command(hub, answer)}")
    say(f"Compare them with: {program()} replay compare {goal_id} {answer['goal_id']}")
