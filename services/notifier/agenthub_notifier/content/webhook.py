"""What a program receives: `intervention_required` as on the live feeds, else a Standard Webhooks body."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from agenthub_events.notifications.interventions import BlockedTask, InterventionRequired
from agenthub_notifier.content.story import Occurrence, Story
from agenthub_notifier.content.wording import headline

_TYPES = {
    "plan": "goal.planned",
    "review": "goal.ready_for_review",
    "completed": "goal.completed",
    "failed": "goal.failed",
    "stalled": "goal.stalled",
    "budget": "budget.exceeded",
    "progress": "goal.progress",
    "cancelled": "goal.cancelled",
    "test": "notification.test",
}


def webhook_body(occurrence: Occurrence, at: datetime) -> bytes:
    """The body: matters of one goal and one kind. `at` is when the first of them happened."""
    first = occurrence.stories[0]
    if first.kind in ("question", "reminder"):
        return msgspec.json.encode(
            InterventionRequired(
                workflow_id=first.goal_id,
                blocked_tasks=tuple(
                    BlockedTask(story.task_id, story.task_title or story.goal, story.cause)
                    for story in occurrence.stories
                ),
            )
        )
    last = occurrence.stories[-1]
    return msgspec.json.encode({"type": _TYPES[last.kind], "timestamp": at, "data": _data(last, occurrence)})


def _data(story: Story, occurrence: Occurrence) -> dict[str, Any]:
    return {
        "goal_id": story.goal_id,
        "sequence": story.seq,
        "goal": story.goal,
        "message": headline(story),
        "cause": story.cause,
        "detail": story.detail,
        "rehearsal": occurrence.is_rehearsal,
        "url": story.link,
    }
