"""Following a goal from a tool: each line of its story is a progress notification, until the goal rests."""

from __future__ import annotations

import time
from typing import Any

import anyio
from mcp.server.mcpserver import Context

from agenthub_gateway.mcp.hub import Hub

_PAUSE_S = 0.5
_RESTS = frozenset({"ready_for_review", "completed", "failed", "cancelled", "awaiting_human", "paused"})


async def follow(
    hub: Hub, ctx: Context[Any, Any], goal_id: str, *, after: int, timeout_s: float
) -> tuple[dict[str, Any], list[str]]:
    """The goal as it rests, or as it is after `timeout_s`, and the lines told behind sequence `after`."""
    deadline = time.monotonic() + timeout_s
    told: list[str] = []
    cursor: str | None = None
    seen = after
    # A command that was just stored has to be in the read models before their word counts.
    goal = await hub.get(f"/goals/{goal_id}", after=after or None)
    while True:
        page = await hub.get(f"/goals/{goal_id}/timeline", cursor=cursor, after=goal["last_seq"])
        for line in page["items"]:
            if line["seq"] > seen:
                seen = line["seq"]
                told.append(f"{line['component']}: {line['text']}")
                await ctx.report_progress(len(told), message=told[-1])
        if page.get("next_cursor"):
            cursor = page["next_cursor"]
            continue
        if _rests(goal) or time.monotonic() >= deadline:
            return goal, told
        await anyio.sleep(_PAUSE_S)
        goal = await hub.get(f"/goals/{goal_id}")


def _rests(goal: dict[str, Any]) -> bool:
    return goal["status"] in _RESTS or waits_for_approval(goal)


def waits_for_approval(goal: dict[str, Any]) -> bool:
    """Whether a person has to approve the goal's plan before anything begins."""
    return bool(
        goal["needs_you"] and goal["autonomy"] == "approve_plan" and goal["revision"] and not goal["plan_approved"]
    )
