"""Reading goals: what they are, how far they have come, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Annotated, Any, get_args

import msgspec
from litestar import Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from agenthub_events.catalogue.values import Priority
from agenthub_events.errors import InvalidInput, InvalidSubject
from agenthub_events.subjects import check_goal_id
from agenthub_gateway.api.access import AnyRequest, Cursor, Limit, PortsParam, no_goal, says
from agenthub_gateway.api.payloads.responses import (
    GOAL_STATES,
    Analytics,
    EventDocuments,
    GateList,
    GoalPage,
    GoalView,
    KnowledgePage,
    TaskDetail,
    TaskPage,
    TimelinePage,
    goal_view,
)
from agenthub_gateway.api.reading import Reading, ReadingParam
from agenthub_gateway.errors import NotFound
from agenthub_gateway.live.frames import EventView, Filter, Frame, parse_types, view_of
from agenthub_gateway.queues import say_who_is_missing, why_waiting
from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.readmodels import (
    GoalFilter,
    Graph,
    UsageSummary,
    cursor_number,
    enqueued,
    gates_begun,
    get_goal,
    get_task,
    get_usage,
    graph,
    left_out,
    list_attempts,
    list_gates,
    list_goals,
    list_knowledge,
    list_tasks,
    list_timeline,
)
from agenthub_runtime.readmodels.analytics import agent_figures, gate_figures, goal_figures, model_figures

_TAGS = ["Goals"]

TypeQuery = Annotated[
    list[str] | None, QueryParameter(name="type", description="Only these types; aliases are understood.")
]


class EventPage(msgspec.Struct, frozen=True):
    """Events in the order of the log."""

    items: list[EventView]
    next_cursor: str | None


@get("/api/v1/goals", responses=says(GoalPage), tags=_TAGS, summary="List goals")
async def goals(
    *,
    reading: ReadingParam,
    status: FromQuery[list[str] | None] = None,
    priority: FromQuery[str | None] = None,
    needs_you: FromQuery[bool | None] = None,
    text: Annotated[str | None, QueryParameter(name="q", description="Words of the goal.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response[bytes]:
    """The youngest first; narrowed by state, priority, whether a person is needed, or words."""
    _known("status", status or (), GOAL_STATES)
    _known("priority", () if priority is None else (priority,), get_args(Priority))
    filters = GoalFilter(status=status, priority=priority, needs_you=needs_you, text=text)
    async with reading.view() as (connection, at):
        page = await list_goals(connection, cursor, limit, filters)
        ids = [row.goal_id for row in page.items]
        out, begun = await left_out(connection, ids), await gates_begun(connection, ids)
    views = [goal_view(row, out.get(row.goal_id, ()), begun.get(row.goal_id, ())) for row in page.items]
    return reading.answer(GoalPage(views, page.next_cursor), at)


@get("/api/v1/goals/{goal_id:str}", responses=says(GoalView), tags=_TAGS, summary="Show a goal")
async def goal(goal_id: FromPath[str], *, reading: ReadingParam) -> Response[bytes]:
    """State, progress, estimates, cost, why nothing goes on, and whether somebody has to do something."""
    async with reading.view() as (connection, at):
        row = await get_goal(connection, goal_id)
        out, begun = await left_out(connection, [goal_id]), await gates_begun(connection, [goal_id])
        waiting = await enqueued(connection, goal_id)
    if row is None:
        raise no_goal(goal_id)
    why = await why_waiting(reading.ports.queues, waiting)
    return reading.answer(goal_view(row, out.get(goal_id, ()), begun.get(goal_id, ()), why), at)


@get("/api/v1/goals/{goal_id:str}/tasks", responses=says(TaskPage), tags=_TAGS, summary="List a goal's tasks")
async def tasks(
    goal_id: FromPath[str],
    *,
    reading: ReadingParam,
    cursor: Cursor = None,
    limit: Limit = 500,
) -> Response[bytes]:
    """In the order in which they came up, planned and made on the way."""
    async with reading.view() as (connection, at):
        await must_exist(connection, goal_id)
        page = await list_tasks(connection, goal_id, cursor, limit)
    await say_who_is_missing(reading.ports.queues, page.items)
    return reading.answer(page, at)


@get(
    "/api/v1/goals/{goal_id:str}/tasks/{task_id:str}",
    responses=says(TaskDetail),
    tags=_TAGS,
    summary="Show a task",
)
async def task(goal_id: FromPath[str], task_id: FromPath[str], *, reading: ReadingParam) -> Response[bytes]:
    """The task and each of its attempts."""
    async with reading.view() as (connection, at):
        row = await get_task(connection, goal_id, task_id)
        attempts = await list_attempts(connection, goal_id, task_id)
    if row is None:
        raise NotFound(f"Goal `{goal_id[:60]}` has no task `{task_id[:60]}`")
    await say_who_is_missing(reading.ports.queues, [row])
    return reading.answer(TaskDetail(row, attempts), at)


@get("/api/v1/goals/{goal_id:str}/graph", responses=says(Graph), tags=_TAGS, summary="Show a goal's task graph")
async def task_graph(goal_id: FromPath[str], *, reading: ReadingParam) -> Response[bytes]:
    """Every task, and who waits for whom."""
    async with reading.view() as (connection, at):
        await must_exist(connection, goal_id)
        found = await graph(connection, goal_id)
    await say_who_is_missing(reading.ports.queues, found.tasks)
    return reading.answer(found, at)


@get("/api/v1/goals/{goal_id:str}/gates", responses=says(GateList), tags=_TAGS, summary="List gate rounds")
async def gates(goal_id: FromPath[str], *, reading: ReadingParam) -> Response[bytes]:
    """Each round with its evidence: command, exit code, counts, coverage, findings."""
    async with reading.view() as (connection, at):
        await must_exist(connection, goal_id)
        rows = await list_gates(connection, goal_id)
    return reading.answer(GateList(rows), at)


@get(
    "/api/v1/goals/{goal_id:str}/usage",
    responses=says(UsageSummary),
    tags=_TAGS,
    summary="Show model calls and cost",
)
async def usage(goal_id: FromPath[str], *, reading: ReadingParam) -> Response[bytes]:
    """Whole, and by task and model."""
    async with reading.view() as (connection, at):
        await must_exist(connection, goal_id)
        found = await get_usage(connection, goal_id)
    return reading.answer(found, at)


@get("/api/v1/goals/{goal_id:str}/knowledge", responses=says(KnowledgePage), tags=_TAGS, summary="List knowledge")
async def knowledge(
    goal_id: FromPath[str],
    *,
    reading: ReadingParam,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> Response[bytes]:
    """Decisions, interfaces, facts and insights that agents left for each other."""
    async with reading.view() as (connection, at):
        await must_exist(connection, goal_id)
        page = await list_knowledge(connection, goal_id, cursor, limit)
    return reading.answer(page, at)


@get(
    "/api/v1/goals/{goal_id:str}/timeline", responses=says(TimelinePage), tags=_TAGS, summary="Tell a goal's story"
)
async def timeline(
    goal_id: FromPath[str],
    *,
    reading: ReadingParam,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> Response[bytes]:
    """Line by line from the beginning, in words for people."""
    async with reading.view() as (connection, at):
        await must_exist(connection, goal_id)
        page = await list_timeline(connection, goal_id, cursor, limit)
    return reading.answer(page, at)


@get(
    "/api/v1/goals/{goal_id:str}/events",
    responses=says(EventDocuments),
    tags=_TAGS,
    summary="List a goal's events",
)
async def events(
    goal_id: FromPath[str],
    *,
    request: AnyRequest,
    ports: PortsParam,
    kinds: TypeQuery = None,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> Response[bytes]:
    """Straight from the log, each with its sequence. Aliases of types are understood."""
    wanted = Filter(types=parse_types(kinds or ()))
    start = cursor_number(cursor)
    records = await ports.log.read(goal_id, after=start, limit=limit) if is_goal_id(goal_id) else []
    if not records and not (is_goal_id(goal_id) and await ports.log.last(goal_id)):
        raise no_goal(goal_id)
    views = [view for view in map(view_of, records) if _wants(wanted, view)]
    more = str(records[-1].seq) if len(records) == limit else None
    return Reading(request, ports, after=None).answer(EventPage(views, more), None)


@get("/api/v1/analytics", responses=says(Analytics), tags=_TAGS, summary="Figures over many goals")
async def analytics(
    *,
    reading: ReadingParam,
    days: Annotated[
        int, QueryParameter(name="days", ge=1, le=3_650, description="Goals accepted in so many days.")
    ] = 30,
) -> Response[bytes]:
    """Times, first-pass rates of gates, and cost by goal, agent and model; of the youngest 1000 goals at most."""
    since = reading.ports.clock.now() - timedelta(days=days)
    async with reading.view() as (connection, at):
        body = Analytics(
            since=since,
            goals=await goal_figures(connection, since),
            gates=await gate_figures(connection, since),
            agents=await agent_figures(connection, since),
            models=await model_figures(connection, since),
        )
    return reading.answer(body, at)


async def must_exist(connection: Connection, goal_id: str) -> None:
    """Raises `NotFound` when the read models do not know the goal."""
    if await get_goal(connection, goal_id) is None:
        raise no_goal(goal_id)


def is_goal_id(text: str) -> bool:
    """Whether a text from an address is a goal id; no other reaches a subject."""
    try:
        check_goal_id(text)
    except InvalidSubject:
        return False
    return True


def _wants(wanted: Filter, view: EventView) -> bool:
    alias = view.aliases[0] if view.aliases else ""
    return wanted.name_for(Frame(view.type, view.goal_id, view.sequence, b"", alias)) is not None


def _known(field: str, given: Iterable[str], known: Sequence[str]) -> None:
    for word in given:
        if word not in known:
            raise InvalidInput(f"There is no {field} `{word[:40]}`; known are {', '.join(known)}", field=field)


HANDLERS: list[Any] = [
    goals, goal, tasks, task, task_graph, gates, usage, knowledge, timeline, events, analytics,
]  # fmt: skip
