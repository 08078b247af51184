"""Reading the spans of a goal, as many as one answer can bear."""

from __future__ import annotations

import asyncpg
import msgspec

from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.traces import queries
from agenthub_runtime.traces.tree import KeptSpan

SPANS_MAX = 20_000


class Kept(msgspec.Struct, frozen=True):
    """The spans of a goal, the first `SPANS_MAX` of them. Without `are_kept` this hub keeps none of any goal."""

    spans: list[KeptSpan]
    are_kept: bool = True


async def spans_of_goal(connection: Connection, goal_id: str, task_id: str | None = None) -> Kept:
    """The spans of a goal and of what was done about it, or those of one of its tasks, by their beginnings."""
    try:
        if task_id is None:
            rows = await connection.fetch(queries.OF_GOAL, goal_id, SPANS_MAX)
        else:
            rows = await connection.fetch(queries.OF_TASK, goal_id, task_id, SPANS_MAX)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return Kept([], are_kept=False)
    return Kept([KeptSpan(**dict(row)) for row in rows])
