"""Submitting a goal: the first event of everything."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agenthub_events.base import Fence
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Conflict, Recorded
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_gateway.commands.append import CommandOutcome, Intent, Writer, event_id_of, stored_outcome
from agenthub_gateway.errors import KeyReused


async def submit_goal(
    writer: Writer, goal_id: str, accepted: GoalAccepted, intent: Intent, secrets: Sequence[str] = ()
) -> CommandOutcome:
    """Put a goal into the log, once: the same key and body find the goal that is there.

    `secrets` are kept beside the log. Raises `KeyReused` for another body under the same key and
    `StoreUnavailable`.
    """
    if intent.keyed:
        # Before anything is set aside: what no event names would outlive the erasing of its goal.
        own = await writer.log.read(f"{goal_id}.{GOAL_AS_A_WHOLE}.goal", limit=1)
        if own:
            return _replayed(goal_id, tuple(own), intent)
    event = msgspec.structs.replace(
        accepted,
        submitted_by=intent.actor,
        body_hash=intent.body_hash,
        secrets_ref=await writer.keep_secrets(secrets, goal_id),
    )
    draft = Fence().draft(goal_id, GOAL_AS_A_WHOLE, event, intent.body_hash)
    result = await writer.append(draft, intent, declared=secrets)
    if isinstance(result, Conflict):
        return _replayed(goal_id, result.tail, intent)
    return stored_outcome(draft, result, intent)


def _replayed(goal_id: str, tail: tuple[Recorded, ...], intent: Intent) -> CommandOutcome:
    if not tail:
        raise StoreUnavailable("The goal is there already, and cannot be read at this moment: send it again")
    first = tail[0]
    if isinstance(first.event, Unreadable) or not intent.is_of(getattr(first.event, "body_hash", "")):
        raise KeyReused(
            f"This Idempotency-Key belongs to goal `{goal_id}`, which was submitted with another body: "
            "take a new key for a new goal"
        )
    return CommandOutcome(goal_id=goal_id, event_id=event_id_of(first), sequence=first.seq, replayed=True)
