"""Where agents need a person: questions and dead letters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from agenthub_events.agent_types import agent_type_of
from agenthub_events.catalogue.values import TaskEdits
from agenthub_events.errors import CommandRefused
from agenthub_gateway.api.access import (
    After,
    AnyRequest,
    Cursor,
    KeyHeader,
    Limit,
    PortsParam,
    accepted_headers,
    answer,
    intent_of,
    says,
    snapshot,
)
from agenthub_gateway.api.goal_reads import must_exist
from agenthub_gateway.api.payloads.decoding import strict_body
from agenthub_gateway.api.payloads.requests import AnswerBody, EditsBody, ReasonBody, RequeueBody
from agenthub_gateway.api.payloads.responses import (
    CommandAccepted,
    DeadLetterPage,
    InterventionPage,
    dead_letter_view,
    intervention_view,
)
from agenthub_gateway.commands.append import CommandOutcome
from agenthub_gateway.commands.questions import Answer, OpenQuestion, answer_question
from agenthub_gateway.commands.tasks import DeadLetter, discard, requeue
from agenthub_gateway.errors import NotFound
from agenthub_gateway.live.frames import BlockedTask, InterventionRequired, blocker_reason
from agenthub_gateway.ports import GatewayPorts
from agenthub_runtime.readmodels import (
    DeadLetterRow,
    InterventionRow,
    Page,
    get_dead_letter,
    get_intervention,
    list_dead_letters,
    list_interventions,
)

_TAGS = ["People"]
_EVENT = "The event is in the log"

QuestionState = Annotated[Literal["open", "answered", "gone", "all"], QueryParameter(name="state")]
LetterState = Annotated[Literal["open", "requeued", "discarded", "all"], QueryParameter(name="state")]


@get("/api/v1/interventions", responses=says(InterventionPage), tags=_TAGS, summary="List questions to people")
async def interventions(
    *,
    request: AnyRequest,
    ports: PortsParam,
    which: QuestionState = "open",
    cursor: Cursor = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[bytes]:
    """The oldest first, of every goal."""
    async with snapshot(ports, after) as (connection, at):
        page = await list_interventions(connection, None, None if which == "all" else which, cursor, limit)
    return answer(request, _with_notifications(page), at)


@get(
    "/api/v1/goals/{goal_id:str}/interventions",
    responses=says(InterventionPage),
    tags=_TAGS,
    summary="List a goal's questions",
)
async def goal_interventions(
    goal_id: FromPath[str],
    *,
    request: AnyRequest,
    ports: PortsParam,
    which: QuestionState = "all",
    cursor: Cursor = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[bytes]:
    """Open, answered and gone ones."""
    async with snapshot(ports, after) as (connection, at):
        await must_exist(connection, goal_id)
        page = await list_interventions(connection, goal_id, None if which == "all" else which, cursor, limit)
    return answer(request, _with_notifications(page), at)


@post(
    "/api/v1/interventions/{intervention_id:str}/answer",
    status_code=202,
    before_request=strict_body(AnswerBody),
    tags=_TAGS,
    summary="Answer a question",
    response_description=_EVENT,
)
async def answer_intervention(
    intervention_id: FromPath[str],
    *,
    data: JSONBody[AnswerBody],
    request: AnyRequest,
    ports: PortsParam,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """The first answer counts; a second one is told who was first."""
    async with snapshot(ports, None) as (connection, _):
        row = await get_intervention(connection, intervention_id)
    if row is None:
        raise NotFound(f"There is no question `{intervention_id[:80]}`")
    given = Answer(action=data.action, text=data.text, option=data.option, edits=_edits(data.edits))
    outcome = await answer_question(
        ports.writer,
        OpenQuestion(row.goal_id, row.task_id, row.blocked_seq, row.about),
        given,
        intent_of(request, ports, key, data),
    )
    return _accepted(outcome)


@get("/api/v1/dead-letters", responses=says(DeadLetterPage), tags=_TAGS, summary="List dead letters")
async def dead_letters(
    *,
    request: AnyRequest,
    ports: PortsParam,
    goal_id: Annotated[str | None, QueryParameter(name="goal")] = None,
    which: LetterState = "open",
    cursor: Cursor = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[bytes]:
    """Work that was given up, and messages that nobody can read; the oldest first."""
    async with snapshot(ports, after) as (connection, at):
        page = await list_dead_letters(connection, goal_id, None if which == "all" else which, cursor, limit)
    return answer(request, DeadLetterPage([dead_letter_view(row) for row in page.items], page.next_cursor), at)


@post(
    "/api/v1/dead-letters/{dead_letter_id:str}/requeue",
    status_code=202,
    before_request=strict_body(RequeueBody, optional=True),
    tags=_TAGS,
    summary="Send given-up work back",
    response_description=_EVENT,
)
async def requeue_letter(
    dead_letter_id: FromPath[str],
    request: AnyRequest,
    ports: PortsParam,
    data: JSONBody[RequeueBody | None] = None,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """As it was, or with changes."""
    body = data or RequeueBody()
    letter = await _letter(ports, dead_letter_id)
    outcome = await requeue(ports.writer, letter, _edits(body.edits), intent_of(request, ports, key, body))
    return _accepted(outcome)


@post(
    "/api/v1/dead-letters/{dead_letter_id:str}/discard",
    status_code=202,
    before_request=strict_body(ReasonBody, optional=True),
    tags=_TAGS,
    summary="Give work up for good",
    response_description=_EVENT,
)
async def discard_letter(
    dead_letter_id: FromPath[str],
    request: AnyRequest,
    ports: PortsParam,
    data: JSONBody[ReasonBody | None] = None,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """The goal goes on without it, as far as it can."""
    body = data or ReasonBody()
    letter = await _letter(ports, dead_letter_id)
    outcome = await discard(ports.writer, letter, body.reason, intent_of(request, ports, key, body))
    return _accepted(outcome)


async def _letter(ports: GatewayPorts, dead_letter_id: str) -> DeadLetter:
    async with snapshot(ports, None) as (connection, _):
        row: DeadLetterRow | None = await get_dead_letter(connection, dead_letter_id)
    if row is None:
        raise NotFound(f"There is no dead letter `{dead_letter_id[:80]}`")
    if row.kind != "task":
        raise CommandRefused(
            "unreadable",
            f"`{row.aggregate}` is {row.kind} from message {row.seq} on, which no decision mends: {row.reason}",
        )
    return DeadLetter(row.goal_id, row.task_id, row.seq)


def _accepted(outcome: CommandOutcome) -> Response[CommandAccepted]:
    body = CommandAccepted(goal_id=outcome.goal_id, event_id=outcome.event_id, sequence=outcome.sequence)
    location = f"/api/v1/goals/{outcome.goal_id}"
    return Response(body, status_code=202, headers=accepted_headers(outcome, location))


def _edits(body: EditsBody | None) -> TaskEdits:
    if body is None:
        return TaskEdits()
    if body.agent is not None:
        agent_type_of(body.agent)
    return TaskEdits(**msgspec.structs.asdict(body))


def _with_notifications(page: Page[InterventionRow]) -> InterventionPage:
    blocked: dict[str, list[BlockedTask]] = {}
    for row in page.items:
        if row.state == "open":
            reason = blocker_reason(row.question, row.error)
            blocked.setdefault(row.goal_id, []).append(BlockedTask(row.task_id, row.title, reason))
    notifications = [
        InterventionRequired(workflow_id=goal_id, blocked_tasks=tuple(tasks)) for goal_id, tasks in blocked.items()
    ]
    return InterventionPage([intervention_view(row) for row in page.items], page.next_cursor, notifications)


HANDLERS: list[Any] = [
    interventions, goal_interventions, answer_intervention, dead_letters, requeue_letter, discard_letter,
]  # fmt: skip
