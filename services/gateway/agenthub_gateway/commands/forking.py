"""Forking a goal: the first event of a new one, made of what the log holds of the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import msgspec

from agenthub_events.catalogue.goal import GoalAccepted, GoalErased
from agenthub_events.errors import CommandRefused, InvalidInput
from agenthub_events.rules.goal_commands import Cancel
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_gateway.commands.append import CommandOutcome, Intent, Writer
from agenthub_gateway.commands.goal import command_goal
from agenthub_gateway.commands.submit import submit_goal
from agenthub_replay.forking import Different, forked
from agenthub_replay.history import HistorySource, load

# The server takes messages of 8 MB; the envelope and texts that are set aside need some of it.
EVENT_MAX = 7 << 20
_ACCEPTED = msgspec.json.Decoder(GoalAccepted)


Aside: TypeAlias = Callable[[Callable[[], GoalAccepted]], Awaitable[GoalAccepted]]
"""Where something is computed: on another thread, so that a long history does not hold up other requests."""


class ForkPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The event of a goal from which another one goes on, and what that does differently."""

    goal_id: str
    at_seq: int
    different: Different = Different()


async def fork_goal(
    writer: Writer,
    histories: HistorySource,
    fork_id: str,
    point: ForkPoint,
    intent: Intent,
    *,
    aside: Aside = asyncio.to_thread,
) -> CommandOutcome:
    """Put the goal `fork_id` into the log, once: the same key and body find the one that is there.

    Raises `HistoryMissing`, `CommandRefused`, `InvalidPlan` or `InvalidInput` for what cannot be forked,
    `KeyReused` and `StoreUnavailable`.
    """
    if intent.keyed and await writer.log.last(f"{fork_id}.{GOAL_AS_A_WHOLE}.goal") is not None:
        # What was forked once is replayed, also when its parent has been erased since.
        return await submit_goal(writer, fork_id, GoalAccepted(goal=""), intent)
    history = await load(histories, point.goal_id, is_whole=False)
    wanted = await aside(partial(forked, history, point.at_seq, point.different))
    # References to exact texts are good for the parent alone: the fork gets references of its own.
    body = await writer.texts.restored(msgspec.json.encode(wanted), point.goal_id)
    if len(body) > EVENT_MAX:
        raise InvalidInput(
            f"What a fork takes over here has {len(body) >> 20} MiB, and an event holds {EVENT_MAX >> 20} at most:"
            " fork from an earlier event",
            field="at_seq",
        )
    secrets_ref = history.accepted.secrets_ref if history.accepted else ""
    secrets = await writer.texts.secrets_at(secrets_ref, point.goal_id)
    outcome = await submit_goal(writer, fork_id, _ACCEPTED.decode(body), intent, secrets)
    await _check_parent(writer, fork_id, point, intent)
    return outcome


async def _check_parent(writer: Writer, fork_id: str, point: ForkPoint, intent: Intent) -> None:
    """Cancel a fork whose parent was erased meanwhile: an erasing keeps only what it sees that others name.

    Raises `CommandRefused` for such a one.
    """
    own = await writer.log.read(f"{point.goal_id}.{GOAL_AS_A_WHOLE}.goal")
    if not any(isinstance(recorded.event, GoalErased) for recorded in own):
        return
    why = f"what goal `{point.goal_id}` was made of was erased while it was forked"
    await command_goal(writer, fork_id, Cancel(by=intent.actor, request_id=intent.request_id, reason=why), intent)
    raise CommandRefused(
        "goal-erased",
        f"Goal `{fork_id}` was begun and is cancelled, for {why}: erase it too, and submit a new one",
    )
