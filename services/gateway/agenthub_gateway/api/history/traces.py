"""Where the time of a goal has gone: its spans, as the hub has kept them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath, QueryParameter

from agenthub_events.redaction import KnownSecrets, redact
from agenthub_gateway.api.access import Cursor, no_goal, says
from agenthub_gateway.api.reading import ReadingParam
from agenthub_gateway.errors import NotFound
from agenthub_runtime.readmodels import cursor_number, get_goal, get_task
from agenthub_runtime.traces import SPANS_MAX, Arranged, KeptSpan, arranged, spans_of_goal

SpanLimit = Annotated[int, QueryParameter(name="limit", ge=1, le=2_000, description="How many items at most.")]
TaskQuery = Annotated[str | None, QueryParameter(name="task", description="Only what was done for this task.")]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Something that took time. `depth` 0: an event or a request has set it going; else it stands below that.

    `parent_id` is its parent in the trace, which may be of another service and far above. `service` is who has
    written it: workers say their agent type (`worker.coding`). `offset_ms` is counted from the beginning of the
    first span. `is_about`: it is no part of the goal and says that it is about it, as batches of read models do.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    depth: int
    service: str
    task_id: str | None
    name: str
    kind: str
    at: datetime
    offset_ms: float
    duration_ms: float
    error: str | None
    attributes: Mapping[str, str | int | float | bool | None]
    is_about: bool


class TracePage(msgspec.Struct, frozen=True, kw_only=True):
    """Spans, each above those below it, and otherwise by their beginnings; `total` of them in `duration_ms`.

    Without `are_kept` this hub keeps no traces. `is_cut`: there are more than it reads for one goal.
    """

    items: list[Span]
    next_cursor: str | None
    total: int
    duration_ms: float
    are_kept: bool
    is_cut: bool


@get("/api/v1/goals/{goal_id:str}/trace", responses=says(TracePage), tags=["Goals"], summary="Read a goal's trace")
async def trace(
    goal_id: FromPath[str],
    *,
    reading: ReadingParam,
    task: TaskQuery = None,
    cursor: Cursor = None,
    limit: SpanLimit = 1_000,
) -> Response[bytes]:
    """Where the time has gone, for as many days as the hub keeps it: every span, or those of one task."""
    start = cursor_number(cursor)
    async with reading.view() as (connection, at):
        if await get_goal(connection, goal_id) is None:
            raise no_goal(goal_id)
        if task is not None and await get_task(connection, goal_id, task) is None:
            raise NotFound(f"Goal `{goal_id[:60]}` has no task `{task[:60]}`")
        kept = await spans_of_goal(connection, goal_id, task)
    rows = arranged(kept.spans)
    began, ended = _extent(kept.spans)
    page = TracePage(
        items=[_shown(row, began, reading.ports.secrets) for row in rows[start : start + limit]],
        next_cursor=str(start + limit) if start + limit < len(rows) else None,
        total=len(rows),
        duration_ms=_milliseconds(ended - began),
        are_kept=kept.are_kept,
        is_cut=len(kept.spans) >= SPANS_MAX,
    )
    return reading.answer(page, at)


def _extent(spans: Sequence[KeptSpan]) -> tuple[int, int]:
    if not spans:
        return 0, 0
    began = min(span.began_ns for span in spans)
    return began, max(span.began_ns + max(span.took_ns, 0) for span in spans)


def _shown(row: Arranged, began: int, secrets: KnownSecrets) -> Span:
    span = row.span
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_id.hex() or None,
        depth=row.depth,
        service=span.service,
        task_id=span.task_id,
        name=redact(span.name, secrets),
        kind=span.kind,
        at=datetime.fromtimestamp(span.began_ns / 1e9, UTC),
        offset_ms=_milliseconds(span.began_ns - began),
        duration_ms=_milliseconds(max(span.took_ns, 0)),
        error=redact(span.failed, secrets),
        attributes=redact(span.attributes, secrets),
        is_about=span.is_about,
    )


def _milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)


HANDLERS: list[Any] = [trace]
