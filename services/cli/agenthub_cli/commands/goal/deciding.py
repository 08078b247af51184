"""What a person decides about a goal: its plan, its result, its budget, whether it goes on."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Calls, NewLimit, one_of
from agenthub_cli.client.hub_client import HubClient, hub_and_goal
from agenthub_cli.client.names import GoalId, TaskName
from agenthub_cli.commands.goal.options import print_result
from agenthub_cli.errors import CommandFailed
from agenthub_cli.goals.next_step import follow_command
from agenthub_cli.options.common import Json, Key, PriorityWord, Url
from agenthub_cli.terminal.output import confirmed

Reason: TypeAlias = Annotated[str, Parameter(help="Why, in your words; it stands in the log")]


def approve(goal_id: GoalId, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Accept the result of a goal that is ready for review."""
    hub, goal_id = hub_and_goal(url, goal_id)
    goal = hub.get(f"/goals/{goal_id}")
    if not goal["ready_seq"]:
        raise CommandFailed(
            f"Goal {goal_id} is {goal['status']}: there is no result to approve yet",
            hint=f"follow it with {hub.command(f'goal watch {goal_id}')}",
        )
    body = {"ready_seq": goal["ready_seq"]}
    print_result(hub.post(f"/goals/{goal_id}/approve", body, key=key), f"Goal {goal_id} is approved", json=json)


def rework(
    goal_id: GoalId,
    feedback: Annotated[str, Parameter(help="What is to be changed")],
    *,
    priority: Annotated[
        PriorityWord | None, Parameter(converter=one_of, help="From now on; default: as it is")
    ] = None,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Ask for changes; the goal goes on, on the same branch."""
    body = _given(feedback=feedback, priority=priority)
    hub, goal_id = hub_and_goal(url, goal_id)
    answer = hub.post(f"/goals/{goal_id}/rework", body, key=key)
    print_result(
        answer,
        f"Rework {answer['rework_id']} is accepted\nFollow it with: {follow_command(hub, answer)}",
        json=json,
    )


def approve_plan(goal_id: GoalId, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Let the plan of a goal begin that was submitted with `--autonomy approve_plan`."""
    hub, goal_id = hub_and_goal(url, goal_id)
    body = {"action": "approve", "revision": hub.get(f"/goals/{goal_id}")["revision"]}
    print_result(
        hub.post(f"/goals/{goal_id}/plan", body, key=key), f"The plan of {goal_id} is approved", json=json
    )


def budget(
    goal_id: GoalId,
    *,
    max_llm_calls: Annotated[Calls | None, Parameter(help="New limit of model calls")] = None,
    max_cost_usd: Annotated[NewLimit | None, Parameter(help="New limit of money")] = None,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Raise what a goal may spend; a limit is never lowered."""
    body = _given(max_llm_calls=max_llm_calls, max_cost_usd=max_cost_usd)
    if not body:
        raise CommandFailed("Nothing is raised", hint="--max-llm-calls or --max-cost-usd", code=exit_codes.USAGE)
    hub, goal_id = hub_and_goal(url, goal_id)
    answer = hub.post(f"/goals/{goal_id}/budget", body, key=key)
    done = "is raised" if answer["event_id"] else "stands there already: nothing is raised"
    print_result(answer, f"The budget of {goal_id} {done}", json=json)


def note(
    goal_id: GoalId,
    task: TaskName,
    text: Annotated[str, Parameter(help="What the agent should know at its next step")],
    *,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Say a word to a running agent."""
    hub, goal_id = hub_and_goal(url, goal_id)
    task_id = hub.task_id(goal_id, task)
    answer = hub.post(f"/goals/{goal_id}/tasks/{task_id}/note", {"text": text}, key=key)
    print_result(answer, f"{task_id} reads it at its next step", json=json)


def cancel(goal_id: GoalId, *, reason: Reason = "", key: Key = None, url: Url = None, json: Json = False) -> None:
    """Stop a goal for good."""
    hub, goal_id = hub_and_goal(url, goal_id)
    answer = hub.post(f"/goals/{goal_id}/cancel", _given(reason=reason or None), key=key)
    print_result(answer, f"Goal {goal_id} is cancelled", json=json)


def erase(
    goal_id: GoalId,
    *,
    yes: Annotated[bool, Parameter(negative="", help="Do not ask whether this is meant")] = False,
    reason: Reason = "",
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Erase what a finished goal keeps beside the log: runs, logs, reports, code, declared secrets."""
    hub, goal_id = hub_and_goal(url, goal_id)
    if not yes and not confirmed(goal_id):
        raise CommandFailed(
            f"Nothing of {goal_id} was erased", hint="type its id when asked, or add --yes", code=exit_codes.USAGE
        )
    answer = hub.post(f"/goals/{goal_id}/erase", {"confirm": goal_id, "reason": reason}, key=key)
    print_result(answer, f"What {goal_id} kept beside the log is erased; its events stay", json=json)


def pause(goal_id: GoalId, *, reason: Reason = "", key: Key = None, url: Url = None, json: Json = False) -> None:
    """Start nothing new on a goal; running work is put aside and kept."""
    hub, goal_id = hub_and_goal(url, goal_id)
    answer = hub.post(f"/goals/{goal_id}/pause", _given(reason=reason or None), key=key)
    print_result(
        answer, f"Goal {goal_id} is paused; go on with: {hub.command(f'goal resume {goal_id}')}", json=json
    )


def resume(goal_id: GoalId, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Go on with a paused goal."""
    hub, goal_id = hub_and_goal(url, goal_id)
    # With a key it may be the same command again, and what it did is told again.
    if key is None and not _is_paused(hub, goal_id):
        raise CommandFailed(
            f"Goal {goal_id} is not paused: it is {hub.get(f'/goals/{goal_id}')['status']}",
            hint=f"look at it with {hub.command(f'goal show {goal_id}')}",
        )
    answer = hub.post(f"/goals/{goal_id}/resume", {}, key=key)
    print_result(answer, f"Goal {goal_id} goes on", json=json)


def _is_paused(hub: HubClient, goal_id: str) -> bool:
    """By the log: a read model may not have come as far as a pause that somebody has just asked for."""
    last = [event["type"] for event in hub.pages(f"/goals/{goal_id}/events", type=["goal.paused", "goal.resumed"])]
    return last[-1:] == ["goal.paused"]


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
