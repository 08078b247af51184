"""What people call a goal and its tasks, read out of the log."""

from __future__ import annotations

from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.ports import EventLog
from agenthub_events.subjects import GOAL_AS_A_WHOLE


async def title_of(log: EventLog, goal_id: str, task_id: str) -> str:
    """The goal's words for `_`, the title of an ordered task, or else its id. Raises `StoreUnavailable`."""
    if task_id == GOAL_AS_A_WHOLE:
        accepted = await log.read(f"{goal_id}.{GOAL_AS_A_WHOLE}.goal", limit=1)
        return str(getattr(accepted[0].event, "goal", "")) if accepted else ""
    for recorded in await log.read(f"{goal_id}.{task_id}", limit=1):
        if isinstance(recorded.event, TaskEnqueued):
            return recorded.event.title
    return task_id
