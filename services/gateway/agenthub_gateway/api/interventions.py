"""Where agents need a person: questions and dead letters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get
from litestar.params import FromPath, JSONBody, QueryParameter

from agenthub_events.agent_types import agent_type_of
from agenthub_events.catalogue.values import TaskEdits
from agenthub_events.errors import CommandRefused, InvalidInput
from agenthub_events.notifications.interventions import BlockedTask, InterventionRequired, blocker_reason
from agenthub_events.rules.blank import is_blank
from agenthub_gateway.api.access import Cursor, Limit, says
from agenthub_gateway.api.command import Caller, CallerParam, accepted, command
from agenthub_gateway.api.goal_reads import must_exist
from agenthub_gateway.api.payloads.requests import AnswerBody, EditsBody, ReasonBody, RequeueBody
from agenthub_gateway.api.payloads.responses import (
    CommandAccepted,
    DeadLetterPage,
    InterventionPage,
    dead_letter_view,
    intervention_view,
)
from agenthub_gateway.api.reading import ReadingParam, snapshot
from agenthub_gateway.commands.questions import Answer, OpenQuestion, answer_question
from agenthub_gateway.commands.tasks import DeadLetter, discard, requeue
from agenthub_gateway.errors import NotFound
from agenthub_runtime.operations.escalation import EscalationKnown
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
_TAG = "People"

QuestionState = Annotated[Literal["open", "answered", "gone", "all"], QueryParameter(name="state")]
LetterState = Annotated[Literal["open", "requeued", "discarded", "all"], QueryParameter(name="state")]


@get("/api/v1/interventions", responses=says(InterventionPage), tags=_TAGS, summary="List questions to people")
async def interventions(
    *,
    reading: ReadingParam,
    which: QuestionState = "open",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response[bytes]:
    """The oldest first, of every goal."""
    async with reading.view() as (connection, at):
        page = await list_interventions(connection, None, None if which == "all" else which, cursor, limit)
    known = await reading.ports.escalation()
    return reading.answer(_with_notifications(page, known), at)


@get(
    "/api/v1/goals/{goal_id:str}/interventions",
    responses=says(InterventionPage),
    tags=_TAGS,
    summary="List a goal's questions",
)
async def goal_interventions(
    goal_id: FromPath[str],
    *,
    reading: ReadingParam,
    which: QuestionState = "all",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response[bytes]:
    """Open, answered and gone ones."""
    async with reading.view() as (connection, at):
        await must_exist(connection, goal_id)
        page = await list_interventions(connection, goal_id, None if which == "all" else which, cursor, limit)
    known = await reading.ports.escalation()
    return reading.answer(_with_notifications(page, known), at)


@command("/api/v1/interventions/{intervention_id:str}/answer", AnswerBody, "Answer a question", tag=_TAG)
async def answer_intervention(
    intervention_id: FromPath[str],
    *,
    data: JSONBody[AnswerBody],
    caller: CallerParam,
) -> Response[CommandAccepted]:
    """The first answer counts; a second one is told who was first."""
    async with snapshot(caller.ports, None) as (connection, _):
        row = await get_intervention(connection, intervention_id)
    if row is None:
        raise NotFound(f"There is no question `{intervention_id[:80]}`")
    given = Answer(action=data.action, text=data.text, option=data.option, edits=_edits(data.edits))
    outcome = await answer_question(
        caller.ports.writer,
        OpenQuestion(row.goal_id, row.task_id, row.blocked_seq, row.about),
        given,
        caller.intent(data),
    )
    return accepted(outcome)


@get("/api/v1/dead-letters", responses=says(DeadLetterPage), tags=_TAGS, summary="List dead letters")
async def dead_letters(
    *,
    reading: ReadingParam,
    goal_id: Annotated[str | None, QueryParameter(name="goal")] = None,
    which: LetterState = "open",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response[bytes]:
    """Work that was given up, and messages that nobody can read; the oldest first."""
    async with reading.view() as (connection, at):
        page = await list_dead_letters(connection, goal_id, None if which == "all" else which, cursor, limit)
    return reading.answer(DeadLetterPage([dead_letter_view(row) for row in page.items], page.next_cursor), at)


@command(
    "/api/v1/dead-letters/{dead_letter_id:str}/requeue",
    RequeueBody,
    "Send given-up work back",
    tag=_TAG,
    optional=True,
)
async def requeue_letter(
    dead_letter_id: FromPath[str],
    caller: CallerParam,
    data: JSONBody[RequeueBody | None] = None,
) -> Response[CommandAccepted]:
    """As it was, or with changes."""
    body = data or RequeueBody()
    letter = await _letter(caller, dead_letter_id)
    outcome = await requeue(caller.ports.writer, letter, _edits(body.edits), caller.intent(body))
    return accepted(outcome)


@command(
    "/api/v1/dead-letters/{dead_letter_id:str}/discard",
    ReasonBody,
    "Give work up for good",
    tag=_TAG,
    optional=True,
)
async def discard_letter(
    dead_letter_id: FromPath[str],
    caller: CallerParam,
    data: JSONBody[ReasonBody | None] = None,
) -> Response[CommandAccepted]:
    """The goal goes on without it, as far as it can."""
    body = data or ReasonBody()
    letter = await _letter(caller, dead_letter_id)
    outcome = await discard(caller.ports.writer, letter, body.reason, caller.intent(body))
    return accepted(outcome)


async def _letter(caller: Caller, dead_letter_id: str) -> DeadLetter:
    async with snapshot(caller.ports, None) as (connection, _):
        row: DeadLetterRow | None = await get_dead_letter(connection, dead_letter_id)
    if row is None:
        raise NotFound(f"There is no dead letter `{dead_letter_id[:80]}`")
    if row.kind != "task":
        raise CommandRefused(
            "unreadable",
            f"`{row.aggregate}` is {row.kind} from message {row.seq} on, which no decision mends: {row.reason}",
        )
    return DeadLetter(row.goal_id, row.task_id, row.seq)


def _edits(body: EditsBody | None) -> TaskEdits:
    if body is None:
        return TaskEdits()
    if body.title is not None and is_blank(body.title):
        raise InvalidInput("The title is blank: say it, or leave it out and it stays", field="edits.title")
    if body.agent is not None:
        agent_type_of(body.agent)
    return TaskEdits(**msgspec.structs.asdict(body))


def _with_notifications(page: Page[InterventionRow], known: EscalationKnown) -> InterventionPage:
    blocked: dict[str, list[BlockedTask]] = {}
    for row in page.items:
        if row.state == "open":
            reason = blocker_reason(row.question, row.error)
            blocked.setdefault(row.goal_id, []).append(BlockedTask(row.task_id, row.title, reason))
    notifications = [
        InterventionRequired(workflow_id=goal_id, blocked_tasks=tuple(tasks)) for goal_id, tasks in blocked.items()
    ]
    return InterventionPage([intervention_view(row, known) for row in page.items], page.next_cursor, notifications)


HANDLERS: list[Any] = [
    interventions, goal_interventions, answer_intervention, dead_letters, requeue_letter, discard_letter,
]  # fmt: skip
