"""The SQL of the figures. Each looks at the goals that were accepted at or after `since`."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import msgspec

from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.readmodels.latencies import quantile_s
from agenthub_runtime.readmodels.queries import fetch

GOALS_MAX = 1_000

_LATENCIES = """
SELECT u.provider, u.model, l.key, sum(l.value::bigint)::bigint AS calls
FROM agenthub.usage u JOIN agenthub.goals g USING (goal_id), jsonb_each_text(u.latencies) l
WHERE g.accepted_at >= $1 GROUP BY u.provider, u.model, l.key
"""


class GoalFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A goal in figures; times in seconds.

    `lead_s`: from its acceptance until it ended or was ready, null while it is under way. `working_s`: the sum of
    its attempts. `waiting_s`: while questions of it stood open, each for itself. `rounds` counts rounds of
    the tests gate. `estimated_s`: what the plan said the work would take.
    """

    goal_id: str
    goal: str
    status: str
    accepted_at: datetime
    ended_at: datetime | None
    lead_s: float | None
    working_s: float
    waiting_s: float
    estimated_s: float
    tasks: int
    rounds: int
    questions: int
    llm_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced_calls: int


class GateFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A gate: the goals that it has judged, and of these those that passed in their first round."""

    gate: str
    goals: int
    passed_first: int
    rounds: int


class AgentFigures(msgspec.Struct, frozen=True, kw_only=True):
    """An agent: its closed attempts, those that did not end well, and what they took."""

    agent: str
    attempts: int
    failed: int
    working_s: float
    cost_usd: float


class ModelFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A model: calls, tokens and cost; `input_tokens` leaves out what came from the cache.

    A call took `latency_s` seconds on average, and 95 of 100 at most `latency_p95_s`, to 5 %.
    """

    provider: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float
    unpriced_calls: int
    latency_s: float
    latency_p95_s: float | None


async def goal_figures(connection: Connection, since: datetime) -> list[GoalFigures]:
    """The youngest `GOALS_MAX` goals, the oldest of them first."""
    rows = await fetch(
        connection,
        """
        SELECT g.goal_id, g.goal, g.status, g.accepted_at, g.ended_at,
               extract(epoch FROM coalesce(g.ended_at, ready.at) - g.accepted_at)::float8 AS lead_s,
               coalesce(work.seconds, 0)::float8 AS working_s,
               coalesce(asked.seconds, 0)::float8 AS waiting_s,
               (g.estimated_minutes * 60)::float8 AS estimated_s,
               g.tasks_total AS tasks,
               coalesce(rounds.number, 0)::int AS rounds,
               coalesce(asked.number, 0)::int AS questions,
               g.llm_calls, g.input_tokens, g.output_tokens, g.cost_usd, g.unpriced_calls
        FROM agenthub.goals g
        LEFT JOIN LATERAL (
            SELECT sum(extract(epoch FROM a.ended_at - a.started_at)) AS seconds
            FROM agenthub.attempts a WHERE a.goal_id = g.goal_id AND a.ended_at >= a.started_at
        ) work ON true
        LEFT JOIN LATERAL (
            SELECT count(*) AS number, sum(extract(epoch FROM i.answered_at - i.asked_at)) AS seconds
            FROM agenthub.interventions i WHERE i.goal_id = g.goal_id
        ) asked ON true
        LEFT JOIN LATERAL (
            SELECT count(*) AS number FROM agenthub.gates r WHERE r.goal_id = g.goal_id AND r.gate = 'tests'
        ) rounds ON true
        LEFT JOIN LATERAL (
            SELECT max(t.at) AS at FROM agenthub.timeline t
            WHERE t.goal_id = g.goal_id AND t.type = 'goal.ready_for_review' AND g.status = 'ready_for_review'
        ) ready ON true
        WHERE g.accepted_at >= $1
        ORDER BY g.first_seq DESC LIMIT $2
        """,
        since,
        GOALS_MAX,
    )
    return [msgspec.convert(dict(row), GoalFigures) for row in reversed(rows)]


async def gate_figures(connection: Connection, since: datetime) -> list[GateFigures]:
    """By gate; rounds that are open do not count."""
    rows = await fetch(
        connection,
        """
        SELECT r.gate, count(DISTINCT r.goal_id)::int AS goals,
               count(*) FILTER (WHERE r.round = 1 AND r.verdict = 'passed')::int AS passed_first,
               count(*)::int AS rounds
        FROM agenthub.gates r JOIN agenthub.goals g USING (goal_id)
        WHERE g.accepted_at >= $1 AND r.verdict <> 'open'
        GROUP BY r.gate ORDER BY r.gate
        """,
        since,
    )
    return [msgspec.convert(dict(row), GateFigures) for row in rows]


async def agent_figures(connection: Connection, since: datetime) -> list[AgentFigures]:
    """By agent, the costliest first."""
    rows = await fetch(
        connection,
        """
        SELECT a.agent, count(*)::int AS attempts,
               count(*) FILTER (WHERE a.outcome <> 'task.completed' AND a.failure_class <> '')::int AS failed,
               coalesce(sum(extract(epoch FROM a.ended_at - a.started_at)), 0)::float8 AS working_s,
               coalesce(sum(a.cost_usd), 0)::float8 AS cost_usd
        FROM agenthub.attempts a JOIN agenthub.goals g USING (goal_id)
        WHERE g.accepted_at >= $1 AND a.ended_at >= a.started_at
        GROUP BY a.agent ORDER BY cost_usd DESC, working_s DESC, a.agent
        """,
        since,
    )
    return [msgspec.convert(dict(row), AgentFigures) for row in rows]


async def model_figures(connection: Connection, since: datetime) -> list[ModelFigures]:
    """By model, the costliest first."""
    rows = await fetch(
        connection,
        """
        SELECT u.provider, u.model, sum(u.calls)::int AS calls, sum(u.input_tokens)::bigint AS input_tokens,
               sum(u.output_tokens)::bigint AS output_tokens,
               sum(u.cache_read_tokens)::bigint AS cache_read_tokens,
               sum(u.cache_write_tokens)::bigint AS cache_write_tokens, sum(u.cost_usd)::float8 AS cost_usd,
               sum(u.unpriced_calls)::int AS unpriced_calls,
               (sum(u.latency_ms)::float8 / greatest(sum(u.calls), 1) / 1000)::float8 AS latency_s
        FROM agenthub.usage u JOIN agenthub.goals g USING (goal_id)
        WHERE g.accepted_at >= $1
        GROUP BY u.provider, u.model ORDER BY cost_usd DESC, calls DESC, u.model
        """,
        since,
    )
    counted: defaultdict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for row in await fetch(connection, _LATENCIES, since):
        counted[row["provider"], row["model"]].append((row["key"], row["calls"]))
    return [
        ModelFigures(**dict(row), latency_p95_s=quantile_s(counted[row["provider"], row["model"]], 0.95))
        for row in rows
    ]
