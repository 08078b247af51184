"""Playing a goal again: its decisions and its runs, against what was recorded."""

from __future__ import annotations

from agenthub_replay.history import GoalHistory
from agenthub_replay.playing.decisions import PolicyChange, as_it_was, replay_decisions
from agenthub_replay.playing.differences import Replayed
from agenthub_replay.playing.runs import replay_runs


async def replay(history: GoalHistory, change: PolicyChange = as_it_was) -> Replayed:
    """Play everything again. Raises `msgspec.DecodeError` when an object or a step cannot be read."""
    decisions, runs = replay_decisions(history, change), await replay_runs(history)
    differences = sorted((*decisions.differences, *runs.differences), key=lambda found: found.kind != "decision")
    return Replayed(
        goal_id=history.goal_id,
        events=len(history.messages),
        decisions=decisions.compared,
        requests=runs.requests,
        moves=runs.moves,
        unrecorded=decisions.unrecorded,
        missing=(*decisions.missing, *runs.missing),
        differences=tuple(differences),
    )
