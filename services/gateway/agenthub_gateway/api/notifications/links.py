"""Links in messages: to open one shows its matter and changes nothing; only what its page sends acts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked, AgentEscalated
from agenthub_events.catalogue.goal import (
    GoalAccepted,
    GoalApproved,
    GoalPlanned,
    GoalReadyForReview,
    GoalReplanned,
    GoalReworkRequested,
)
from agenthub_events.catalogue.values import AnswerAction
from agenthub_events.errors import AgenthubError, CommandRefused, InvalidInput
from agenthub_events.notifications.escalation import as_you, moment_of, steps_of
from agenthub_events.notifications.interventions import blocker_reason
from agenthub_events.ports import Recorded
from agenthub_events.rules.answer_options import RETRIED, SKIPPED, consequences
from agenthub_events.rules.authors import own
from agenthub_events.rules.blank import is_blank
from agenthub_events.rules.goal_aggregate import TERMINAL
from agenthub_events.rules.goal_commands import Approve, Rework
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_gateway.api.access import AnyRequest, PortsParam
from agenthub_gateway.api.notifications.page import Choice, Form, page
from agenthub_gateway.commands.append import Intent, request_id_for
from agenthub_gateway.commands.goal import command_goal
from agenthub_gateway.commands.goal_events import GoalEvents, load_goal_events
from agenthub_gateway.commands.notifications import close_channel
from agenthub_gateway.commands.plan import approve_plan
from agenthub_gateway.commands.questions import Answer, OpenQuestion, answer_question
from agenthub_gateway.errors import KeyReused, NotFound
from agenthub_gateway.ports import GatewayPorts
from agenthub_runtime.signed_links import PATH, LinkClaim, LinkInvalid
from agenthub_runtime.titles import title_of

_ONE_CLICK = "List-Unsubscribe"


@get(PATH + "{token:str}", include_in_schema=False)
async def open_link(token: FromPath[str], *, ports: PortsParam) -> Response[bytes]:
    """Show the matter of a link."""
    try:
        return await _shown(ports, _claim(ports, token))
    except AgenthubError as error:
        return _told(error)


@post(PATH + "{token:str}", include_in_schema=False, status_code=200)
async def act_on_link(token: FromPath[str], *, request: AnyRequest, ports: PortsParam) -> Response[bytes]:
    """Do what a person chose on the page of a link."""
    try:
        claim = _claim(ports, token)
        text = (await request.body()).decode()
        sent = {name: values[0] for name, values in parse_qs(text).items()}
        if f'name="{_ONE_CLICK}"' in text:
            # Mail providers may send their one field as a multipart form (RFC 8058).
            sent[_ONE_CLICK] = "One-Click"
        return await _acted(ports, claim, token, sent)
    except UnicodeDecodeError:
        return page("This cannot be read", ["Send the form of the page."], status=400)
    except AgenthubError as error:
        return _told(error)


def _claim(ports: GatewayPorts, token: str) -> LinkClaim:
    if ports.links is None:
        raise LinkInvalid("This hub signs no links: set AGENTHUB_LINK_KEY for gateway and notifier")
    return ports.links.read(token, ports.clock.now())


def _told(error: AgenthubError) -> Response[bytes]:
    match error:
        case LinkInvalid():
            return page("This link opens nothing", [str(error)], status=403)
        case NotFound():
            return page("This is not there any more", [str(error)], status=404)
        case InvalidInput():
            return page("This does not fit", [str(error)], status=400)
        case KeyReused():
            return page(
                "This is decided already", ["You have sent another decision from this page before."], status=409
            )
        case CommandRefused():
            return page("This is decided already", [str(error)], status=409)
        case _:
            return page("The hub cannot do this at the moment", [str(error), "Try again."], status=503)


async def _shown(ports: GatewayPorts, claim: LinkClaim) -> Response[bytes]:
    if claim.purpose == "unsubscribe":
        stop = Form(choices=(Choice(name="do", value="unsubscribe", words="Tell me nothing more"),))
        return page(f"Messages to {claim.recipient}", ["agenthub tells you about goals."], forms=[stop])
    family = await load_goal_events(ports.log, claim.goal_id)
    goal = family.aggregate.accepted.goal if family.aggregate.accepted else ""
    match claim.purpose:
        case "answer":
            return await _question_page(ports, claim, family, goal)
        case "review":
            return _review_page(claim, family, goal)
        case _:
            return _plan_page(claim, family, goal)


async def _question_page(ports: GatewayPorts, claim: LinkClaim, family: GoalEvents, goal: str) -> Response[bytes]:
    asked, records = await _asked(ports, claim)
    title = "Your answer is needed"
    lines = [blocker_reason(asked.question, asked.error), asked.evidence]
    soft = [f"Goal: {goal}", f"Id: {claim.goal_id}"]
    if claim.task_id != GOAL_AS_A_WHOLE:
        soft.insert(1, f"Task: {await title_of(ports.log, claim.goal_id, claim.task_id)}")
    answered = [
        r.event for r in records if isinstance(r.event, AgentAnswered) and r.event.blocked_seq == claim.seq
    ]
    if answered:
        words = answered[0].option or answered[0].text or answered[0].action
        return page(f"Answered by {answered[0].by}", [*lines, f"The answer: {words}"], soft=soft)
    if family.aggregate.phase in TERMINAL:
        return page(f"The goal is {family.aggregate.phase}", lines, soft=soft)
    follows = consequences(asked.options, reason=asked.reason, worker=asked.worker, said=asked.consequences)
    options = tuple(
        Choice(name="option", value=option, words=option, follows=words)
        for option, words in zip(asked.options, follows, strict=True)
    )
    own = Form(
        choices=(Choice(name="do", value="answer", words="Send this answer"),),
        field="text",
        label="In your own words" if options else "Your answer",
        is_required=True,
    )
    others = Form(
        choices=tuple(
            Choice(name="do", value=value, words=words, is_second=True, follows=what)
            for value, words, what in (
                ("retry", "Try again", RETRIED),
                ("skip", "Go on without this task", SKIPPED),
            )
        )
    )
    forms = [*([Form(choices=options)] if options else []), own]
    if claim.task_id != GOAL_AS_A_WHOLE:
        forms.append(others)
    return page(title, lines, soft=soft, below=await _if_unanswered(ports, claim, asked, records), forms=forms)


async def _if_unanswered(
    ports: GatewayPorts, claim: LinkClaim, asked: AgentBlocked, records: Sequence[Recorded]
) -> dict[str, Sequence[str]]:
    """What is to come while nobody answers, under its heading; others are not named to its bearer."""
    known = await ports.escalation()
    if known.escalation is None:
        return {}
    since, level = asked.timestamp, 0
    for recorded in records:
        if isinstance(recorded.event, AgentEscalated) and recorded.event.blocked_seq == claim.seq:
            since, level = recorded.event.timestamp, recorded.event.level
    steps = steps_of(
        known.escalation,
        as_you(known.audience),
        since=since,
        level=level,
        of_task=claim.task_id != GOAL_AS_A_WHOLE,
    )
    return {"If nobody answers": [f"{moment_of(step)}: {step.what}" for step in steps]}


def _review_page(claim: LinkClaim, family: GoalEvents, goal: str) -> Response[bytes]:
    ready = _event_at(family, claim.seq)
    summary = ready.summary if isinstance(ready, GoalReadyForReview) else ""
    soft = [f"Goal: {goal}", f"Id: {claim.goal_id}"]
    if decided := _decided_since(family, claim.seq):
        return page(decided, [summary], soft=soft)
    approve = Form(choices=(Choice(name="do", value="approve", words="Approve the result"),))
    rework = Form(
        choices=(Choice(name="do", value="rework", words="Ask for changes", is_second=True),),
        field="feedback",
        label="What is to be changed",
        is_required=True,
    )
    return page("A result is ready for your review", [summary], soft=soft, forms=[approve, rework])


def _plan_page(claim: LinkClaim, family: GoalEvents, goal: str) -> Response[bytes]:
    soft = [f"Goal: {goal}", f"Id: {claim.goal_id}", "To change the plan, open the hub or use `agenthub goal`."]
    tasks = [f"{number}. {task.title}" for number, task in enumerate(family.tasks().values(), 1)]
    if family.aggregate.plan_approved or family.aggregate.phase in TERMINAL:
        return page("The plan is decided", tasks, soft=soft)
    revision = str(family.aggregate.revision)
    approve = Form(choices=(Choice(name="revision", value=revision, words="Approve this plan"),))
    return page("A plan waits for your approval", tasks, soft=soft, forms=[approve])


async def _acted(ports: GatewayPorts, claim: LinkClaim, token: str, sent: Mapping[str, str]) -> Response[bytes]:
    writer = ports.writer
    match claim.purpose:
        case "unsubscribe":
            if sent.get("do") != "unsubscribe" and _ONE_CLICK not in sent:
                raise InvalidInput("Press the button of the page", field="do")
            await close_channel(writer, claim.recipient, "unsubscribed", _intent(claim, "link", token, {}))
            return page("You are told nothing more", [f"{claim.recipient} gets no messages of this hub now."])
        case "answer":
            answer = Answer(action=_action_of(sent), text=sent.get("text", ""), option=sent.get("option", ""))
            asked, _ = await _asked(ports, claim)
            about = asked.task_id if claim.task_id == GOAL_AS_A_WHOLE else ""
            question = OpenQuestion(claim.goal_id, claim.task_id, claim.seq, about)
            await answer_question(writer, question, answer, _intent(claim, "answer", token, sent))
            return page("Thank you: the work goes on", ["Your answer is in the log."])
        case "review":
            return await _reviewed(ports, claim, token, sent)
        case _:
            revision = sent.get("revision", "")
            if not revision.isdecimal():
                raise InvalidInput("Press the button of the page", field="revision")
            await approve_plan(writer, claim.goal_id, int(revision), _intent(claim, "plan", token, sent))
            return page("The plan is approved", ["The work begins."])


async def _reviewed(ports: GatewayPorts, claim: LinkClaim, token: str, sent: Mapping[str, str]) -> Response[bytes]:
    intent = _intent(claim, "review", token, sent)
    if sent.get("do") == "approve":
        wanted = Approve(by=intent.actor, request_id=intent.request_id, ready_seq=claim.seq)
        await command_goal(ports.writer, claim.goal_id, wanted, intent)
        return page("The result is approved", ["The goal is completed as soon as the hub has written it down."])
    feedback = sent.get("feedback", "").strip()
    if sent.get("do") != "rework" or is_blank(feedback):
        raise InvalidInput("Say what is to be changed", field="feedback")
    family = await load_goal_events(ports.log, claim.goal_id)
    mine = any(
        isinstance(r.event, GoalReworkRequested) and r.event.rework_id == intent.request_id for r in family.records
    )
    if not mine and (decided := _decided_since(family, claim.seq)):
        raise CommandRefused("changed-since", decided)
    rework = Rework(by=intent.actor, request_id=intent.request_id, feedback=feedback)
    await command_goal(ports.writer, claim.goal_id, rework, intent)
    return page("Changes are asked for", ["The agents work on them, on the same branch."])


def _action_of(sent: Mapping[str, str]) -> AnswerAction:
    match "answer" if sent.get("option") else sent.get("do", ""):
        case "answer":
            return "answer"
        case "retry":
            return "retry"
        case "skip":
            return "skip"
        case _:
            raise InvalidInput("Choose one of the answers of the page", field="do")


def _intent(claim: LinkClaim, what: str, token: str, sent: Mapping[str, str]) -> Intent:
    """The same link twice is the same request: a second press of a button finds the first."""
    key = f"{what} {hashlib.sha256(token.encode()).hexdigest()}"
    body = msgspec.json.encode(dict(sent), order="sorted")
    return Intent(
        actor=claim.recipient,
        request_id=request_id_for(claim.recipient, key),
        body_hash=hashlib.sha256(body).hexdigest(),
        keyed=True,
    )


async def _asked(ports: GatewayPorts, claim: LinkClaim) -> tuple[AgentBlocked, list[Recorded]]:
    place = f"{claim.goal_id}.{claim.task_id}"
    records = own(await ports.log.read(f"{place}.agent" if claim.task_id == GOAL_AS_A_WHOLE else place))
    for recorded in records:
        if recorded.seq == claim.seq and isinstance(recorded.event, AgentBlocked):
            return recorded.event, records
    raise NotFound(f"Event {claim.seq} of goal `{claim.goal_id}` is no question")


def _event_at(family: GoalEvents, seq: int) -> Event | None:
    found = (r.event for r in family.records if r.seq == seq)
    event = next(found, None)
    return event if isinstance(event, Event) else None


def _decided_since(family: GoalEvents, seq: int) -> str:
    """What has become of the result that was ready at `seq`; empty while it waits for a verdict."""
    for recorded in family.records:
        if recorded.seq <= seq:
            continue
        match recorded.event:
            case GoalApproved(by=by):
                return f"Approved by {by}"
            case GoalReworkRequested(by=by):
                return f"Changes were asked for by {by}"
            case GoalReplanned() | GoalPlanned() | GoalAccepted():
                return "The goal has changed since this message: open the newest one"
            case _:
                pass
    return f"The goal is {family.aggregate.phase}" if family.aggregate.phase in TERMINAL else ""


HANDLERS: list[Any] = [open_link, act_on_link]
