"""Answering a question: exactly one answer counts, and nobody answers what is no longer asked."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked, AgentEscalated
from agenthub_events.catalogue.values import AnswerAction, TaskEdits
from agenthub_events.errors import CommandRefused, InvalidInput
from agenthub_events.ports import Recorded
from agenthub_events.rules.blank import is_blank
from agenthub_events.rules.goal_aggregate import TERMINAL
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_gateway.commands.aggregate import Target, append_after
from agenthub_gateway.commands.append import CommandOutcome, Intent, Writer
from agenthub_gateway.commands.goal_events import load_goal_events
from agenthub_gateway.errors import NotFound


class OpenQuestion(msgspec.Struct, frozen=True):
    """Where a question stands in the log: `task_id` is `_` for one about the goal as a whole, which may be
    `about` one of its tasks."""

    goal_id: str
    task_id: str
    blocked_seq: int
    about: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided."""

    action: AnswerAction
    text: str = ""
    option: str = ""
    edits: TaskEdits = TaskEdits()


async def answer_question(
    writer: Writer, question: OpenQuestion, answer: Answer, intent: Intent
) -> CommandOutcome:
    """Put an answer into the log.

    Raises `NotFound`, `InvalidInput` (the answer does not fit the question), `CommandRefused` (answered by
    somebody, or gone), `KeyReused` or `StoreUnavailable`.
    """
    family = await load_goal_events(writer.log, question.goal_id)
    whole = question.task_id == GOAL_AS_A_WHOLE
    event = AgentAnswered(
        action=answer.action,
        by=intent.actor,
        blocked_seq=question.blocked_seq,
        task_id=question.about if whole else question.task_id,
        text=answer.text,
        option=answer.option,
        edits=answer.edits,
    )

    def check(records: Sequence[Recorded]) -> None:
        asked = _asked(question, records)
        for later in records:
            if later.seq > question.blocked_seq:
                _still_open(question, later, whole)
        if family.aggregate.phase in TERMINAL:
            raise CommandRefused("question-gone", f"Goal `{question.goal_id}` is {family.aggregate.phase}")
        _fits(answer, asked)

    target = Target(question.goal_id, question.task_id, family.origin)
    return await append_after(writer, target, event, intent, check)


def _asked(question: OpenQuestion, records: Sequence[Recorded]) -> AgentBlocked:
    for recorded in records:
        if recorded.seq == question.blocked_seq and isinstance(recorded.event, AgentBlocked):
            return recorded.event
    raise NotFound(f"Event {question.blocked_seq} of goal `{question.goal_id}` is no question")


def _still_open(question: OpenQuestion, later: Recorded, whole: bool) -> None:
    event = later.event
    if isinstance(event, AgentAnswered) and event.blocked_seq == question.blocked_seq:
        raise CommandRefused(
            "already-answered",
            f"Answered by {event.by} at {event.timestamp:%Y-%m-%d %H:%M:%S} UTC with `{event.action}` "
            f"(event {later.seq})",
        )
    if whole or isinstance(event, AgentEscalated):
        # Under the goal as a whole several questions stand side by side.
        return
    raise CommandRefused(
        "question-gone",
        f"Task `{question.task_id}` has gone on since: `{getattr(event, 'type', '') or later.subject}` "
        f"(event {later.seq})",
    )


def _fits(answer: Answer, asked: AgentBlocked) -> None:
    if answer.option and answer.option not in asked.options:
        allowed = ", ".join(f"`{option}`" for option in asked.options) or "none: write a text"
        raise InvalidInput(f"`{answer.option[:60]}` is none of the options: {allowed}", field="option")
    if answer.action == "answer" and is_blank(answer.text) and not answer.option:
        raise InvalidInput("An answer needs a text or an option", field="text")
    if answer.action == "edit" and answer.edits == TaskEdits():
        raise InvalidInput("An edit needs at least one of title, details, agent, timeout_s", field="edits")
