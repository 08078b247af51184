"""Work orders of a goal that no living worker would take."""

from __future__ import annotations

from collections import Counter

from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed
from agenthub_cli.terminal.output import program


def unserved_types(hub: HubClient, goal_id: str) -> list[str]:
    """The agent types that the goal's orders wait for and that nobody serves; none while that cannot be told."""
    try:
        return _unserved(hub, goal_id)
    except CommandFailed:
        return []


def _unserved(hub: HubClient, goal_id: str) -> list[str]:
    waiting: Counter[str] = Counter()
    served: Counter[str] = Counter()
    for lane in hub.get("/queues")["items"]:
        waiting[lane["agent_type"]] += lane["waiting"]
        # A worker that has just come is not yet counted among the living, but asks for work already.
        served[lane["agent_type"]] += lane["workers"] + lane["pulls"] + lane["held"]
    alone = {agent_type for agent_type, count in waiting.items() if count and not served[agent_type]}
    if not alone:
        return []
    tasks = hub.pages(f"/goals/{goal_id}/tasks")
    return sorted({task["agent_type"] for task in tasks if task["status"] == "enqueued"} & alone)


def sentence(agent_type: str) -> str:
    """What to do about it."""
    return f'No worker serves "{agent_type}": start one with {program()} worker {agent_type}'
