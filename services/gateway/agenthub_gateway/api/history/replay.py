"""Goals as they were: time travel, causes, and what today's code would do. Nothing here can change anything."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from litestar import Response, get
from litestar.params import FromPath, QueryParameter

from agenthub_events.errors import InvalidInput
from agenthub_gateway.api.access import no_goal, says
from agenthub_gateway.api.goal_reads import is_goal_id
from agenthub_gateway.api.payloads.responses import ReplayedGoal, replayed_goal
from agenthub_gateway.api.reading import Reading, ReadingParam
from agenthub_replay import positions
from agenthub_replay.causation import Causation
from agenthub_replay.history import GoalHistory, load
from agenthub_replay.lines import LineCause, why
from agenthub_replay.playing.differences import Replayed
from agenthub_replay.playing.replaying import replay

_TAGS = ["Replay"]

T = TypeVar("T")

AtSeq = Annotated[int | None, QueryParameter(name="at_seq", ge=1, description="As of this event of the log.")]
AtTime = Annotated[datetime | None, QueryParameter(name="at_time", description="As of this moment.")]


@get(
    "/api/v1/goals/{goal_id:str}/replay",
    responses=says(ReplayedGoal),
    tags=_TAGS,
    summary="Show a goal as it was",
)
async def state(
    goal_id: FromPath[str], *, reading: ReadingParam, at_seq: AtSeq = None, at_time: AtTime = None
) -> Response[bytes]:
    """Everything that the other reads showed of the goal when the log ended there; default: now."""
    if at_seq is not None and at_time is not None:
        raise InvalidInput("`at_seq` and `at_time` cannot both be given: name one position", field="at_seq")
    history = await _history(reading, goal_id, is_whole=False)

    async def look() -> ReplayedGoal:
        seq = history.last_seq if at_seq is None else at_seq
        if at_time is not None:
            zoned = at_time if at_time.tzinfo else at_time.replace(tzinfo=UTC)
            seq = positions.seq_at(history, zoned)
        return replayed_goal(positions.goal_at(history, seq))

    return reading.answer(await _aside(look), None)


@get(
    "/api/v1/goals/{goal_id:str}/replay/diff",
    responses=says(positions.PositionsDiff),
    tags=_TAGS,
    summary="Compare a goal at two events",
)
async def diff(
    goal_id: FromPath[str],
    *,
    reading: ReadingParam,
    from_seq: Annotated[int, QueryParameter(name="from", ge=1, description="The earlier event.")],
    to_seq: Annotated[int, QueryParameter(name="to", ge=1, description="The later event.")],
) -> Response[bytes]:
    """What has happened in between, and every value that is another one afterwards."""
    if from_seq > to_seq:
        raise InvalidInput(f"`from` {from_seq} lies behind `to` {to_seq}: exchange them", field="from")
    history = await _history(reading, goal_id, is_whole=False)

    async def compare() -> positions.PositionsDiff:
        return positions.diff(history, from_seq, to_seq)

    return reading.answer(await _aside(compare), None)


@get(
    "/api/v1/goals/{goal_id:str}/replay/why",
    responses=says(Causation),
    tags=_TAGS,
    summary="Tell why something is so",
)
async def causes(
    goal_id: FromPath[str],
    *,
    reading: ReadingParam,
    of: Annotated[
        str,
        QueryParameter(name="of", description="An event's sequence, a task's id, or a line: `auth/jwt.py:42`."),
    ],
) -> Response[bytes]:
    """Everything that led to it, back to the words of the goal; for a line also the commit that wrote it."""
    history = await _history(reading, goal_id)

    async def look() -> Causation | LineCause:
        with tempfile.TemporaryDirectory(prefix="agenthub-why-") as folder:
            return await why(history, of, Path(folder))

    # The line's repository is made by child processes, which belong to this loop.
    return reading.answer(await look(), None)


@get(
    "/api/v1/goals/{goal_id:str}/replay/run",
    responses=says(Replayed),
    tags=_TAGS,
    summary="Play a goal again",
)
async def run(goal_id: FromPath[str], *, reading: ReadingParam) -> Response[bytes]:
    """Every decision, model request and move by today's code from the recorded inputs; what differs is listed."""
    history = await _history(reading, goal_id)
    return reading.answer(await _aside(lambda: replay(history)), None)


async def _history(reading: Reading, goal_id: str, *, is_whole: bool = True) -> GoalHistory:
    if not is_goal_id(goal_id) or await reading.ports.log.last(goal_id) is None:
        raise no_goal(goal_id)
    return await load(reading.ports.histories, goal_id, is_whole=is_whole)


async def _aside(work: Callable[[], Awaitable[T]]) -> T:
    """Compute on another thread: a long history must not hold up other requests."""

    async def done() -> T:
        return await work()

    return await asyncio.to_thread(lambda: asyncio.run(done()))


HANDLERS: list[Any] = [state, diff, causes, run]
