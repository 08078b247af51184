"""In which states a goal rests, and what a person can do then."""

from __future__ import annotations

from typing import Any

from agenthub_cli import exit_codes
from agenthub_cli.client.hub_client import HubClient

# The states in which a goal rests: the exit code, and the events that bring it there.
RESTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "ready_for_review": (exit_codes.OK, ("goal.ready_for_review",)),
    "completed": (exit_codes.OK, ("goal.completed",)),
    "failed": (exit_codes.FAILED, ("goal.failed",)),
    "cancelled": (exit_codes.FAILED, ("goal.cancelled",)),
    "awaiting_human": (exit_codes.BLOCKED, ("agent.blocked",)),
    "paused": (exit_codes.BLOCKED, ("goal.paused",)),
    "workflow_generated": (exit_codes.BLOCKED, ("goal.planned", "goal.replanned")),
}
STATUSES = (
    *("accepted", "planning", "workflow_generated", "running", "validating", "rework", "awaiting_human", "paused"),
    *("ready_for_review", "completed", "failed", "cancelled"),
)


def waits_for_approval(goal: dict[str, Any]) -> bool:
    """Whether a person has to approve the goal's plan before anything begins."""
    return bool(
        goal["needs_you"] and goal["autonomy"] == "approve_plan" and goal["revision"] and not goal["plan_approved"]
    )


def follow_command(hub: HubClient, answer: dict[str, Any]) -> str:
    """How to follow a goal from a command on, which the hub has answered like this."""
    return hub.command(f"goal watch {answer['goal_id']} --from {answer['sequence'] - 1}")


def next_command(hub: HubClient, goal: dict[str, Any]) -> str:
    """What a person can do with a goal that rests."""
    goal_id, command = goal["goal_id"], hub.command
    rework = f'goal rework {goal_id} "…"'
    words = {
        "ready_for_review": f"Ready for review. Look: {command(f'goal pull {goal_id}')}   "
        f"Accept: {command(f'goal approve {goal_id}')}   "
        f"Ask for changes: {command(rework)}",
        "completed": f"Completed. The result: {command(f'goal pull {goal_id}')}",
        "failed": f"Failed. What happened: {command(f'goal log {goal_id}')}",
        "cancelled": "Cancelled.",
        "awaiting_human": f"Waits for you: {command('inbox')}",
        "paused": f"Paused. Go on: {command(f'goal resume {goal_id}')}",
        "workflow_generated": f"Approve the plan: {command(f'goal plan {goal_id} --approve')}   "
        f"Look at it first: {command(f'goal plan {goal_id}')}   "
        f"Change it: {command(f'goal plan {goal_id} --edit')}",
    }
    return words[goal["status"]]
