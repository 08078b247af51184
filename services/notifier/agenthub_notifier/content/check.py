"""What the check of a commit says, and the comment at the end of an issue: the hub's own words, few of others."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from agenthub_notifier.content.story import Occurrence, Story, short
from agenthub_notifier.domain.standing import Standing

CheckState: TypeAlias = Literal["pending", "success", "failure", "cancelled"]

# What GitHub takes.
_DESCRIPTION_MAX = 140
_STATES: dict[str, CheckState] = {"completed": "success", "failed": "failure", "cancelled": "cancelled"}
_WAITING = {
    "question": "An agent waits for an answer",
    "reminder": "An agent waits for an answer",
    "plan": "The plan waits for approval",
    "review": "The result waits for review",
    "stalled": "It stands still until a person acts",
    "budget": "It has reached its limit",
}


class CheckStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One status of a commit. `url` may be empty."""

    context: str
    state: CheckState
    description: str
    url: str


def status_of(occurrence: Occurrence, standing: Standing, issue: str) -> CheckStatus:
    """The status that tells the last story; `issue` is the number of the goal's issue, empty without one."""
    story = occurrence.stories[-1]
    played = "Rehearsal: " if occurrence.is_rehearsal else ""
    return CheckStatus(
        context=f"agenthub/issue-{issue}" if issue else f"agenthub/{story.goal_id}",
        state=_STATES.get(story.kind, "pending"),
        description=f"{played}{_description(story, standing)}"[:_DESCRIPTION_MAX],
        url=_page(occurrence, story) or (standing.delivered.url if standing.delivered else ""),
    )


def comment_of(occurrence: Occurrence, standing: Standing, marker: str) -> str:
    """What is written at the issue when its goal has ended; empty before. `marker` stands at its end."""
    story = occurrence.stories[-1]
    if story.kind not in _STATES:
        return ""
    page = _page(occurrence, story)
    goal = f"[goal]({page})" if page else f"goal `{story.goal_id}`"
    lines = [f"agenthub: the {goal} of this issue {_ended(story)}."]
    if story.kind == "completed" and standing.delivered is not None:
        lines.append(f"Result: {standing.delivered.url or f'branch `{standing.delivered.branch}`'}")
    if story.kind == "failed" and story.cause:
        lines.append(f"Reason: `{short(story.cause, 300).replace('`', '')}`")
    if occurrence.is_rehearsal:
        lines.append("A scripted model played the agents (rehearsal); tools and tests were real.")
    return "\n\n".join([*lines, marker])


def _description(story: Story, standing: Standing) -> str:
    match story.kind:
        case "completed":
            return "The goal is reached and accepted"
        case "failed":
            return "The goal has failed"
        case "cancelled":
            return "The goal was cancelled"
        case "progress" if not standing.planned:
            return "Work is being planned"
        case "progress":
            return f"{standing.done} of {standing.planned} tasks are done"
        case kind:
            return _WAITING.get(kind, "Work goes on")


def _ended(story: Story) -> str:
    return {"completed": "is completed", "failed": "has failed"}.get(story.kind, "was cancelled")


def _page(occurrence: Occurrence, story: Story) -> str:
    return f"{occurrence.hub_url.rstrip('/')}/goals/{story.goal_id}" if occurrence.hub_url else ""
