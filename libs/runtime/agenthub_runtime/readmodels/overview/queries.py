"""The read models in a few numbers, for figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import asyncpg
import msgspec

from agenthub_runtime.errors import ReadModelsMissing
from agenthub_runtime.postgres.database import Connection

_GOALS = "SELECT status, count(*) AS goals FROM agenthub.goals GROUP BY status"
_WAITING = """
SELECT (SELECT count(*) FROM agenthub.interventions WHERE state = 'open') AS questions,
       (SELECT min(asked_at) FROM agenthub.interventions WHERE state = 'open') AS asked_at,
       (SELECT count(*) FROM agenthub.dead_letters WHERE state = 'open') AS dead_letters
"""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How many goals stand where, and what waits for people; `asked_at` is when the oldest question was asked."""

    goals: Mapping[str, int]
    questions: int
    asked_at: datetime | None
    dead_letters: int


async def overview(connection: Connection) -> Overview:
    """Count. Raises `ReadModelsMissing`."""
    try:
        goals = await connection.fetch(_GOALS)
        waiting = await connection.fetchrow(_WAITING)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        raise ReadModelsMissing("The read models are not there yet: the projector makes them") from error
    assert waiting is not None
    return Overview(
        goals={row["status"]: row["goals"] for row in goals},
        questions=waiting["questions"],
        asked_at=waiting["asked_at"],
        dead_letters=waiting["dead_letters"],
    )
