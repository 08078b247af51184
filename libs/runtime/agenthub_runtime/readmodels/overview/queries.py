"""The read models in a few numbers: for figures, and what the last hour has brought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

import asyncpg
import msgspec

from agenthub_runtime.errors import ReadModelsMissing
from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.readmodels.latencies import quantile_s
from agenthub_runtime.readmodels.queries import fetch

_GOALS = "SELECT status, count(*) AS goals FROM agenthub.goals GROUP BY status"
_WAITING = """
SELECT (SELECT count(*) FROM agenthub.interventions WHERE state = 'open') AS questions,
       (SELECT min(asked_at) FROM agenthub.interventions WHERE state = 'open') AS asked_at,
       (SELECT count(*) FROM agenthub.dead_letters WHERE state = 'open') AS dead_letters
"""
_QUEUES = """
WITH attempts AS (
    SELECT agent_type, count(*) FILTER (WHERE ended_at >= $1) AS ended,
           count(*) FILTER (WHERE delivery > 1) AS redelivered
    FROM agenthub.attempts WHERE ended_at >= $1 OR ended_at IS NULL GROUP BY agent_type
), parked AS (
    SELECT agent_type, count(*) AS parked, min(due) AS parked_until, min(reason) AS reason
    FROM agenthub.tasks WHERE status = 'parked' GROUP BY agent_type
)
SELECT agent_type, coalesce(ended, 0) AS ended, coalesce(redelivered, 0) AS redelivered,
       coalesce(parked, 0) AS parked, parked_until, coalesce(reason, '') AS reason
FROM attempts FULL JOIN parked USING (agent_type) ORDER BY agent_type
"""
_MODELS = """
SELECT u.model, sum(u.calls)::bigint AS calls, sum(u.latency_ms)::float8 / 1000 / sum(u.calls) AS mean_s
FROM agenthub.usage u JOIN agenthub.tasks t USING (goal_id, task_id)
WHERE u.calls > 0 AND (t.started_at >= $1 OR t.ended_at >= $1) GROUP BY u.model ORDER BY u.model
"""
_LATENCIES = """
SELECT u.model, l.key, sum(l.value::bigint)::bigint AS calls
FROM agenthub.usage u JOIN agenthub.tasks t USING (goal_id, task_id), jsonb_each_text(u.latencies) l
WHERE t.started_at >= $1 OR t.ended_at >= $1 GROUP BY u.model, l.key
"""


class QueueLately(msgspec.Struct, frozen=True, kw_only=True):
    """An agent type: its attempts that `ended`, and how many of these and of those at work were `redelivered`.

    `parked` are its tasks that are put aside now; the first of them goes on at `parked_until`, null when nobody
    knows, and one of the reasons is `reason`.
    """

    agent_type: str
    ended: int
    redelivered: int
    parked: int
    parked_until: datetime | None
    reason: str


class ModelLately(msgspec.Struct, frozen=True, kw_only=True):
    """A model: its calls for tasks that began or ended, and how long one took, in seconds: on average, and at most
    for 95 of 100, to 5 %."""

    model: str
    calls: int
    mean_s: float
    p95_s: float | None


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


async def queues_lately(connection: Connection, since: datetime) -> list[QueueLately]:
    """By agent type, what happened at or after `since`, and what is put aside now. Raises `ReadModelsMissing`."""
    return [msgspec.convert(dict(row), QueueLately) for row in await fetch(connection, _QUEUES, since)]


async def models_lately(connection: Connection, since: datetime) -> list[ModelLately]:
    """By model, what happened at or after `since`. Raises `ReadModelsMissing`."""
    counted: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in await fetch(connection, _LATENCIES, since):
        counted[row["model"]].append((row["key"], row["calls"]))
    return [
        ModelLately(**dict(row), p95_s=quantile_s(counted[row["model"]], 0.95))
        for row in await fetch(connection, _MODELS, since)
    ]
