"""People and programs are told, by a real mail server and over HTTP: once, in time, and with what they need."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from nats.aio.client import Client
from standardwebhooks import Webhook

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked, AgentEscalated
from agenthub_events.catalogue.goal import (
    GoalCancelled,
    GoalCompleted,
    GoalFailed,
    GoalReadyForReview,
    GoalStalled,
)
from agenthub_events.catalogue.money import BudgetExceeded, LlmCalled
from agenthub_events.catalogue.notification import (
    NotificationChannelClosed,
    NotificationChannelOpened,
    NotificationFailed,
    NotificationPlanned,
    NotificationSent,
)
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.notifications.escalation import Escalation
from agenthub_notifier.app import Pace
from agenthub_runtime.operations.escalation import said
from agenthub_runtime.operations.registry import registered
from tests.support.notifying import GOAL, OTHER, SOON, Chronicle, notifying
from tests.support.receivers import mail_server, web_server
from tests.support.until import until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ASKED = AgentBlocked(question="Which key signs the tokens?", task_id="t-a", options=("RS256", "HS256"))
DONE = GoalCompleted(completion_summary="12 tasks done, all gates passed.")


def mailing(port: int, *more: str) -> dict[str, str]:
    return {
        "notify": ",".join(("ann@example.org", *more)),
        "smtp_url": f"smtp://127.0.0.1:{port}",
        "mail_from": "hub@agenthub.test",
        "public_url": "https://hub.example.org",
        "link_key": "a-key-of-links",
    }


async def ordered(told: Chronicle, task_id: str, title: str, goal_id: str = GOAL) -> None:
    order = TaskEnqueued(
        task_id=task_id, agent="coding", agent_type="coding", attempt=1, lane="p2", title=title, timeout_s=60
    )
    await told.write(order, goal_id=goal_id, task_id=task_id)


async def test_a_finished_goal_is_told_in_text_and_html(bus: Client) -> None:
    told = Chronicle(bus)
    async with mail_server() as box, notifying(bus, **mailing(box.port)):
        await until(lambda: told.of(NotificationChannelOpened), 300)
        await told.accept()
        await told.write(DONE)
        await until(lambda: box.mails, 300, "a mail")
        sent = await until(lambda: told.of(NotificationSent), 300)
    (mail,) = box.mails
    assert mail["Subject"] == "Authentication system completed successfully"
    assert (mail["From"], mail["To"]) == ("agenthub <hub@agenthub.test>", "ann@example.org")
    planned = (await told.of(NotificationPlanned))[0]
    assert mail["Message-ID"] == f"<{planned.event_id}@agenthub.test>"
    assert sent[0].message_id == planned.event_id
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    for body in (text.get_content(), html.get_content()):
        assert "12 tasks done, all gates passed." in body
        assert GOAL in body
        assert "https://hub.example.org/l/" in body


async def test_a_question_says_what_follows_from_each_answer_and_from_none(bus: Client) -> None:
    told = Chronicle(bus)
    does = said(Escalation(after_s=3600, reminders=1, unanswered="skip"))
    asked = msgspec.structs.replace(ASKED, worker="Worker-1", consequences=("A pair of keys.", "One key."))
    async with (
        mail_server() as box,
        registered(bus, "orchestrator", instance="o1", description="", status=lambda: does),
        notifying(bus, **mailing(box.port, "bob@example.org")),
    ):
        await told.accept()
        await told.write(asked, task_id="t-a")
        await until(lambda: len(box.mails) > 1, 300, "two mails")
    for mail in box.mails:
        for kind in ("plain", "html"):
            body = mail.get_body((kind,))
            assert body is not None
            words = " ".join(body.get_content().split())
            for part in ("A pair of keys.", "One key.", "First reminder to you", "The task is skipped"):
                assert part in words
            assert "@example.org" not in words, "who else is told stays unsaid"


async def test_a_question_is_asked_with_its_task_its_options_and_a_link(bus: Client) -> None:
    told = Chronicle(bus)
    async with mail_server() as box, notifying(bus, **mailing(box.port)):
        await told.accept()
        await ordered(told, "t-a", "Sign tokens")
        await told.write(ASKED, task_id="t-a")
        await until(lambda: box.mails, 300, "a mail")
    assert box.subjects() == ["Your answer is needed: Which key signs the tokens?"]
    body = box.mails[0].get_body(("plain",))
    assert body is not None
    for part in ("Sign tokens", "1. RS256", "2. HS256", "Answer: https://hub.example.org/l/"):
        assert part in body.get_content()


async def test_questions_of_one_moment_share_a_message_and_a_program_gets_the_frame_of_the_feeds(
    bus: Client,
) -> None:
    told = Chronicle(bus)
    async with mail_server() as box, web_server() as web:
        hook = f"http://127.0.0.1:{web.port}/hook?team=a"
        settings = {**mailing(box.port, hook), "webhook_secrets": SECRET, "webhook_private": "yes"}
        async with notifying(bus, Pace(), **settings):
            await told.accept()
            await ordered(told, "t-a", "Sign tokens")
            await ordered(told, "t-b", "Hash passwords")
            await told.write(ASKED, task_id="t-a")
            await told.write(AgentBlocked(question="Which cost?", error="no policy", task_id="t-b"), task_id="t-b")
            await until(lambda: box.mails and web.requests, 300, "mail and webhook")
            await until(lambda: _count(told, NotificationSent, 2), 300)
    assert box.subjects() == ["2 questions about 'Build complete authentication system'"]
    (request,) = web.requests
    assert request.path == "/hook?team=a"
    assert Webhook(SECRET).verify(request.body, request.headers) == {
        "type": "intervention_required",
        "workflow_id": GOAL,
        "blocked_tasks": [
            {"task_id": "t-a", "title": "Sign tokens", "blocker_reason": "Which key signs the tokens?"},
            {"task_id": "t-b", "title": "Hash passwords", "blocker_reason": "Which cost? (no policy)"},
        ],
        "message": "Agents need your input to continue",
    }
    planned = await told.of(NotificationPlanned)
    assert {request.headers["webhook-id"]} <= {event.event_id for event in planned}


async def _count(told: Chronicle, kind: type, least: int) -> bool:
    return len(await told.of(kind)) >= least


@pytest.mark.parametrize(
    ("event", "subject", "kind"),
    [
        (
            GoalReadyForReview(revision=1, head="b" * 40, summary="All gates passed."),
            "Goal 'Build complete authentication system' is ready for review",
            "goal.ready_for_review",
        ),
        (
            GoalFailed(reason="given up by ann"),
            "Goal 'Build complete authentication system' has failed",
            "goal.failed",
        ),
        (
            GoalStalled(diagnosis=("t-a waits for nobody",), due=datetime(2026, 1, 1, tzinfo=UTC)),
            "Goal 'Build complete authentication system' stands still",
            "goal.stalled",
        ),
        (
            BudgetExceeded(limit="max_llm_calls", value=500, used=500),
            "Goal 'Build complete authentication system' has reached its limit",
            "budget.exceeded",
        ),
    ],
)
async def test_what_people_wait_for_is_told(bus: Client, event: Event, subject: str, kind: str) -> None:
    told = Chronicle(bus)
    async with mail_server() as box, web_server() as web:
        settings = mailing(box.port, f"http://127.0.0.1:{web.port}/") | {"webhook_private": "yes"}
        async with notifying(bus, **settings):
            await until(lambda: _count(told, NotificationChannelOpened, 2), 300)
            await told.accept()
            await told.write(event)
            await until(lambda: box.mails and web.requests, 300, "mail and webhook")
    assert box.subjects() == [subject]
    body = json.loads(web.requests[0].body)
    assert (body["type"], body["data"]["goal_id"], body["data"]["message"]) == (kind, GOAL, subject)


async def test_what_the_rehearsal_model_played_says_so(bus: Client) -> None:
    told = Chronicle(bus)
    async with mail_server() as box, notifying(bus, **mailing(box.port)):
        await told.accept()
        call = LlmCalled(
            task_id="t-a",
            attempt=1,
            turn=1,
            model="scripted",
            provider="rehearsal",
            stop_reason="end_turn",
            request_hash="x",
        )
        await told.write(call, task_id="t-a")
        await told.write(ASKED, task_id="t-a")
        await until(lambda: box.mails, 300, "a mail")
    assert box.subjects() == ["[REHEARSAL] Your answer is needed: Which key signs the tokens?"]


async def test_what_was_over_before_a_recipient_was_named_is_not_told_but_what_waits_is(bus: Client) -> None:
    told = Chronicle(bus)
    await told.accept()
    await told.write(DONE)
    await told.accept(OTHER, "Sort the list")
    await told.write(ASKED, goal_id=OTHER, task_id="t-a")
    async with mail_server() as box, notifying(bus, **mailing(box.port)):
        await until(lambda: told.of(NotificationSent), 300)
    assert box.subjects() == ["Your answer is needed: Which key signs the tokens?"]


async def test_what_was_decided_before_anybody_was_told_is_not_told(bus: Client) -> None:
    told = Chronicle(bus)
    async with mail_server() as box, notifying(bus, **mailing(box.port)):
        await told.accept()
        seq = await told.write(ASKED, task_id="t-a")
        await told.write(AgentAnswered(action="answer", by="ann", blocked_seq=seq, task_id="t-a"), task_id="t-a")
        await told.write(GoalCancelled(by="ann"))
        await told.accept(OTHER, "Sort the list")
        await told.write(ASKED, goal_id=OTHER, task_id="t-a")
        await until(lambda: told.of(NotificationSent), 300)
    planned = await told.of(NotificationPlanned)
    assert [event.occasions[0].goal_id for event in planned] == [OTHER]


async def test_a_reminder_goes_to_the_next_recipient_as_well(bus: Client) -> None:
    told = Chronicle(bus)
    async with mail_server() as box:
        settings = mailing(box.port) | {"notify_escalation": "bob@example.org,cat@example.org"}
        async with notifying(bus, **settings):
            await told.accept()
            seq = await told.write(ASKED, task_id="t-a")
            await until(lambda: box.mails, 300, "the question")
            await told.write(AgentEscalated(level=1, blocked_seq=seq, task_id="t-a"), task_id="t-a")
            await until(lambda: len(box.mails) == 3, 300, "two reminders")
            await told.write(AgentEscalated(level=2, blocked_seq=seq, task_id="t-a"), task_id="t-a")
            await until(lambda: len(box.mails) == 6, 300, "three reminders")
    assert box.recipients[:1] == ["ann@example.org"]
    assert sorted(box.recipients[1:3]) == ["ann@example.org", "bob@example.org"]
    assert sorted(box.recipients[3:]) == ["ann@example.org", "bob@example.org", "cat@example.org"]
    assert len(set(box.ids())) == 6


async def test_a_goal_names_recipients_of_its_own(bus: Client) -> None:
    told = Chronicle(bus)
    async with mail_server() as box, notifying(bus, **mailing(box.port)):
        await until(lambda: told.of(NotificationChannelOpened), 300)
        await told.accept(notify=("dan@example.org",))
        await told.accept(OTHER, "Sort the list")
        await told.write(DONE)
        await told.write(DONE, goal_id=OTHER)
        await until(lambda: len(box.mails) == 3, 300, "three mails")
    assert sorted(box.recipients) == ["ann@example.org", "ann@example.org", "dan@example.org"]


async def test_a_server_that_is_busy_is_asked_again_with_the_same_id(bus: Client) -> None:
    pace = Pace(window=SOON.window, pauses_s=(0.05, 0.05, 0.05))
    told = Chronicle(bus)
    async with web_server() as web:
        web.answers = [500, 429]
        hook = f"http://127.0.0.1:{web.port}/"
        async with notifying(bus, pace, notify=hook, webhook_secrets=SECRET, webhook_private="yes"):
            await told.accept()
            await told.write(ASKED, task_id="t-a")
            await until(lambda: told.of(NotificationSent), 300)
    assert len(web.requests) == 3
    assert len({request.headers["webhook-id"] for request in web.requests}) == 1
    failed = await told.of(NotificationFailed)
    assert [(event.attempt, event.reason[:8]) for event in failed] == [(1, "HTTP 500"), (2, "HTTP 429")]


async def test_after_the_last_try_it_is_given_up(bus: Client) -> None:
    pace = Pace(window=SOON.window, pauses_s=(0.05,))
    told = Chronicle(bus)
    async with web_server() as web:
        web.answers = [500] * 9
        async with notifying(bus, pace, notify=f"http://127.0.0.1:{web.port}/", webhook_private="yes"):
            await told.accept()
            await told.write(ASKED, task_id="t-a")
            await until(lambda: _count(told, NotificationFailed, 2), 300)
    assert [event.retry_at is None for event in await told.of(NotificationFailed)] == [False, True]
    assert len(web.requests) == 2


async def test_a_recipient_that_is_gone_is_told_nothing_more(bus: Client) -> None:
    told = Chronicle(bus)
    async with web_server() as web:
        web.answers = [410]
        async with notifying(bus, notify=f"http://127.0.0.1:{web.port}/", webhook_private="yes"):
            await told.accept()
            await told.write(ASKED, task_id="t-a")
            closed = await until(lambda: told.of(NotificationChannelClosed), 300)
            await told.accept(OTHER, notify=("nobody@example.org",))
            await told.write(DONE, goal_id=OTHER)
            await until(lambda: _count(told, NotificationPlanned, 2), 300)
    assert closed[0].reason == "HTTP 410: the recipient is gone"
    assert len(web.requests) == 1


async def test_a_mailbox_that_does_not_exist_is_not_tried_again(bus: Client) -> None:
    told = Chronicle(bus)
    async with mail_server() as box, notifying(bus, **mailing(box.port) | {"notify": "nobody@example.org"}):
        await told.accept()
        await told.write(ASKED, task_id="t-a")
        failed = await until(lambda: told.of(NotificationFailed), 300)
    assert "550 no such mailbox" in failed[0].reason
    assert failed[0].retry_at is None
