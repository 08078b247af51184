"""Questions to the read models. Every function takes a connection and answers with typed rows.

Lists are pages: newest first where a person looks for the newest, else in the order of the log. A cursor is the
opaque text that the page before gave. All of them raise `ReadModelsMissing` before the projector's first run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import asyncpg
import msgspec

from agenthub_events.errors import InvalidInput
from agenthub_runtime.errors import ReadModelsMissing
from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.readmodels.rows import (
    AttemptRow,
    DeadLetterRow,
    DependencyRow,
    GateRow,
    GoalRow,
    InterventionRow,
    KnowledgeRow,
    MergeRow,
    Row,
    TaskRow,
    TimelineRow,
    UsageRow,
)

R = TypeVar("R", bound=Row)

PAGE_MAX = 500
_ATTEMPTS_FOR_A_MEDIAN = 5

POSITION = """
SELECT live.generation, coalesce(at.position, 0) AS seq
FROM agenthub.projection_live live
LEFT JOIN agenthub.projection_positions at
  ON at.projection = live.projection AND at.version = live.version AND at.generation = live.generation
 AND at.source = $2
WHERE live.projection = $1
"""
MISSING_VIEWS = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass('agenthub.' || name) IS NULL"


class Page(msgspec.Struct, Generic[R], frozen=True):
    """Some rows, and the cursor of the next page; None at the end."""

    items: list[R]
    next_cursor: str | None


class GoalFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which goals to list; what is None does not matter. `text` is looked for in the goal's own words."""

    status: Sequence[str] | None = None
    priority: str | None = None
    needs_you: bool | None = None
    text: str | None = None


class Graph(msgspec.Struct, frozen=True):
    """The task graph of a goal at a revision of its plan: tasks in their order, and who waits for whom."""

    revision: int
    tasks: list[TaskRow]
    dependencies: list[DependencyRow]


class UsageSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a goal has used, whole and by task and model. `cost_usd` leaves out `unpriced_calls`."""

    calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float
    unpriced_calls: int
    items: list[UsageRow]


async def list_goals(
    connection: Connection, cursor: str | None = None, limit: int = 50, filters: GoalFilter | None = None
) -> Page[GoalRow]:
    """Goals, the youngest first."""
    wanted = filters or GoalFilter()
    rows = await fetch(
        connection,
        """
        SELECT * FROM agenthub.goals
        WHERE ($1::bigint IS NULL OR first_seq < $1)
          AND ($3::text[] IS NULL OR status = ANY($3))
          AND ($4::text IS NULL OR priority = $4)
          AND ($5::boolean IS NULL OR needs_you = $5)
          AND ($6::text IS NULL OR position(lower($6) in lower(goal)) > 0)
        ORDER BY first_seq DESC LIMIT $2
        """,
        _before(cursor),
        _bounded(limit) + 1,
        None if wanted.status is None else list(wanted.status),
        wanted.priority,
        wanted.needs_you,
        wanted.text,
    )
    return _page(rows, GoalRow, limit, "first_seq")


async def get_goal(connection: Connection, goal_id: str) -> GoalRow | None:
    """One goal; None when the projector does not know it."""
    rows = await fetch(connection, "SELECT * FROM agenthub.goals WHERE goal_id = $1", goal_id)
    return _row(rows[0], GoalRow) if rows else None


async def list_tasks(
    connection: Connection, goal_id: str, cursor: str | None = None, limit: int = PAGE_MAX
) -> Page[TaskRow]:
    """Tasks of a goal, in the order in which they came up."""
    rows = await fetch(
        connection,
        "SELECT * FROM agenthub.tasks WHERE goal_id = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3",
        goal_id,
        cursor_number(cursor),
        _bounded(limit) + 1,
    )
    return _page(rows, TaskRow, limit, "ordinal")


async def get_task(connection: Connection, goal_id: str, task_id: str) -> TaskRow | None:
    """One task; None when there is none of this id."""
    rows = await fetch(
        connection, "SELECT * FROM agenthub.tasks WHERE goal_id = $1 AND task_id = $2", goal_id, task_id
    )
    return _row(rows[0], TaskRow) if rows else None


async def list_attempts(connection: Connection, goal_id: str, task_id: str | None = None) -> list[AttemptRow]:
    """Attempts of a goal, or of one of its tasks, in the order in which they were enqueued."""
    rows = await fetch(
        connection,
        "SELECT * FROM agenthub.attempts WHERE goal_id = $1 AND ($2::text IS NULL OR task_id = $2)"
        " ORDER BY enqueued_seq, task_id, attempt",
        goal_id,
        task_id,
    )
    return _rows(rows, AttemptRow)


async def graph(connection: Connection, goal_id: str) -> Graph:
    """The whole task graph of a goal; revision 0 without a plan."""
    plans = await fetch(connection, "SELECT revision FROM agenthub.goals WHERE goal_id = $1", goal_id)
    tasks = await fetch(connection, "SELECT * FROM agenthub.tasks WHERE goal_id = $1 ORDER BY ordinal", goal_id)
    edges = await fetch(
        connection,
        "SELECT * FROM agenthub.dependencies WHERE goal_id = $1 ORDER BY task_id, depends_on",
        goal_id,
    )
    revision = plans[0]["revision"] if plans else 0
    return Graph(revision, _rows(tasks, TaskRow), _rows(edges, DependencyRow))


async def list_gates(connection: Connection, goal_id: str) -> list[GateRow]:
    """Rounds of the goal's gates with their evidence, in the order in which they were judged; open ones last."""
    rows = await fetch(
        connection,
        "SELECT * FROM agenthub.gates WHERE goal_id = $1 ORDER BY seq = 0, seq, round, gate",
        goal_id,
    )
    return _rows(rows, GateRow)


async def list_interventions(
    connection: Connection,
    goal_id: str | None = None,
    state: str | None = "open",
    cursor: str | None = None,
    limit: int = 100,
) -> Page[InterventionRow]:
    """Questions to people, the oldest first; of every goal when `goal_id` is None."""
    rows = await fetch(
        connection,
        """
        SELECT * FROM agenthub.interventions
        WHERE ($1::text IS NULL OR goal_id = $1) AND ($2::text IS NULL OR state = $2) AND blocked_seq > $3
        ORDER BY blocked_seq LIMIT $4
        """,
        goal_id,
        state,
        cursor_number(cursor),
        _bounded(limit) + 1,
    )
    return _page(rows, InterventionRow, limit, "blocked_seq")


async def get_intervention(connection: Connection, intervention_id: str) -> InterventionRow | None:
    """One question; None when there is none of this id."""
    rows = await fetch(
        connection, "SELECT * FROM agenthub.interventions WHERE intervention_id = $1", intervention_id
    )
    return _row(rows[0], InterventionRow) if rows else None


async def get_usage(connection: Connection, goal_id: str) -> UsageSummary:
    """Model calls, tokens and cost of a goal."""
    rows = await fetch(
        connection,
        "SELECT * FROM agenthub.usage WHERE goal_id = $1 ORDER BY task_id, provider, model",
        goal_id,
    )
    items = _rows(rows, UsageRow)
    return UsageSummary(
        calls=sum(item.calls for item in items),
        input_tokens=sum(item.input_tokens for item in items),
        output_tokens=sum(item.output_tokens for item in items),
        cache_read_tokens=sum(item.cache_read_tokens for item in items),
        cache_write_tokens=sum(item.cache_write_tokens for item in items),
        cost_usd=round(sum(item.cost_usd for item in items), 6),
        unpriced_calls=sum(item.unpriced_calls for item in items),
        items=items,
    )


async def list_timeline(
    connection: Connection, goal_id: str | None = None, cursor: str | None = None, limit: int = 200
) -> Page[TimelineRow]:
    """The story of a goal, or of the whole hub, line by line from the beginning."""
    rows = await fetch(
        connection,
        "SELECT * FROM agenthub.timeline WHERE ($1::text IS NULL OR goal_id = $1) AND seq > $2"
        " ORDER BY seq LIMIT $3",
        goal_id,
        cursor_number(cursor),
        _bounded(limit) + 1,
    )
    return _page(rows, TimelineRow, limit, "seq")


async def list_knowledge(
    connection: Connection, goal_id: str, cursor: str | None = None, limit: int = 200
) -> Page[KnowledgeRow]:
    """What the agents of a goal have left for each other."""
    rows = await fetch(
        connection,
        "SELECT * FROM agenthub.knowledge WHERE goal_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        goal_id,
        cursor_number(cursor),
        _bounded(limit) + 1,
    )
    return _page(rows, KnowledgeRow, limit, "seq")


async def list_dead_letters(
    connection: Connection,
    goal_id: str | None = None,
    state: str | None = "open",
    cursor: str | None = None,
    limit: int = 100,
) -> Page[DeadLetterRow]:
    """Work that was given up and messages that nobody can read, the oldest first."""
    rows = await fetch(
        connection,
        """
        SELECT * FROM agenthub.dead_letters
        WHERE ($1::text IS NULL OR goal_id = $1) AND ($2::text IS NULL OR state = $2) AND seq > $3
        ORDER BY seq LIMIT $4
        """,
        goal_id,
        state,
        cursor_number(cursor),
        _bounded(limit) + 1,
    )
    return _page(rows, DeadLetterRow, limit, "seq")


async def get_dead_letter(connection: Connection, dead_letter_id: str) -> DeadLetterRow | None:
    """One dead letter; None when there is none of this id."""
    rows = await fetch(connection, "SELECT * FROM agenthub.dead_letters WHERE dead_letter_id = $1", dead_letter_id)
    return _row(rows[0], DeadLetterRow) if rows else None


async def enqueued(connection: Connection, goal_id: str) -> dict[str, str]:
    """The goal's tasks that wait in a queue, with the agent type that they wait for."""
    sql = "SELECT task_id, agent_type FROM agenthub.tasks WHERE goal_id = $1 AND status = $2 ORDER BY ordinal"
    rows = await fetch(connection, sql, goal_id, "enqueued")
    return {row["task_id"]: row["agent_type"] for row in rows}


async def left_out(connection: Connection, goal_ids: Sequence[str]) -> dict[str, list[str]]:
    """Goal to what the hub could not take further of it, in words; a goal of which all is in is not named."""
    rows = await fetch(
        connection,
        "SELECT * FROM agenthub.dead_letters"
        " WHERE goal_id = ANY($1) AND kind <> 'task' AND state = 'open' ORDER BY seq",
        list(goal_ids),
    )
    found: dict[str, list[str]] = {}
    for letter in _rows(rows, DeadLetterRow):
        name = letter.aggregate or letter.subject
        found.setdefault(letter.goal_id, []).append(f"{name} is {letter.kind}: {letter.reason}")
    return found


async def gates_begun(connection: Connection, goal_ids: Sequence[str]) -> dict[str, list[str]]:
    """Goal to the gates that have had a round; a goal without any is not named."""
    rows = await fetch(
        connection,
        "SELECT goal_id, array_agg(DISTINCT gate) AS gates FROM agenthub.gates WHERE goal_id = ANY($1) GROUP BY 1",
        list(goal_ids),
    )
    return {row["goal_id"]: list(row["gates"]) for row in rows}


async def merge_chain(connection: Connection, goal_id: str) -> list[MergeRow]:
    """The links of the goal's branch from its first commit to its head."""
    rows = await fetch(connection, "SELECT * FROM agenthub.merges WHERE goal_id = $1 ORDER BY seq", goal_id)
    return _rows(rows, MergeRow)


async def unsettled_since(connection: Connection, known: int) -> int:
    """The last sequence before the oldest goal that was not settled by the event `known`; `known` without one."""
    rows = await fetch(connection, "SELECT min(first_seq) AS first_seq FROM agenthub.goals WHERE NOT settled")
    first = rows[0]["first_seq"]
    return known if first is None else min(known, int(first) - 1)


async def durations(connection: Connection) -> dict[str, tuple[float, float]]:
    """Agent type to (median, 90th percentile) in minutes of the last thousand attempts that reached their end."""
    rows = await fetch(
        connection,
        """
        SELECT agent_type,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY minutes) AS median,
               percentile_cont(0.9) WITHIN GROUP (ORDER BY minutes) AS p90
        FROM (
            SELECT agent_type, extract(epoch FROM ended_at - started_at)::float8 / 60 AS minutes
            FROM agenthub.attempts
            WHERE outcome = 'task.completed' AND started_at IS NOT NULL
            ORDER BY ended_seq DESC LIMIT 1000
        ) AS lately
        GROUP BY agent_type HAVING count(*) >= $1
        """,
        _ATTEMPTS_FOR_A_MEDIAN,
    )
    return {row["agent_type"]: (round(row["median"], 2), round(row["p90"], 2)) for row in rows}


_NOT_MADE_YET = (
    asyncpg.UndefinedTableError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedColumnError,
    # The position was looked for before, in the same transaction, and was not there either.
    asyncpg.InFailedSQLTransactionError,
)


async def fetch(connection: Connection, query: str, *args: object) -> list[Mapping[str, Any]]:
    """The rows of a query. Raises `ReadModelsMissing` when the projector has not made the tables yet."""
    try:
        return list(await connection.fetch(query, *args))
    except _NOT_MADE_YET as error:
        raise ReadModelsMissing(
            "The read models are not there yet: the projector makes them when it starts; is it running?"
        ) from error


def _row(record: Mapping[str, Any], kind: type[R]) -> R:
    return msgspec.convert(dict(record), kind)


def _rows(records: Iterable[Mapping[str, Any]], kind: type[R]) -> list[R]:
    return [_row(record, kind) for record in records]


def _page(records: list[Mapping[str, Any]], kind: type[R], limit: int, order: str) -> Page[R]:
    size = _bounded(limit)
    items = _rows(records[:size], kind)
    more = len(records) > size
    return Page(items, str(records[size - 1][order]) if more else None)


def _bounded(limit: int) -> int:
    return max(1, min(limit, PAGE_MAX))


def cursor_number(cursor: str | None) -> int:
    """The number that a page's `next_cursor` stands for; 0 without one. Raises `InvalidInput`."""
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 18:
        raise InvalidInput(f"`{cursor[:40]}` is no cursor: pass the `next_cursor` of a page", field="cursor")
    return int(cursor)


def _before(cursor: str | None) -> int | None:
    return None if cursor is None else cursor_number(cursor)
