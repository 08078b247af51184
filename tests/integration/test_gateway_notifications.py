"""What people were told, over HTTP; and links in messages: to open one shows, its page acts, once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from html import unescape
from typing import Any

import httpx2
import msgspec
import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.goal import GoalApproved, GoalPlanApproved, GoalReadyForReview, GoalReworkRequested
from agenthub_events.catalogue.notification import (
    NotificationChannelClosed,
    NotificationFailed,
    NotificationPlanned,
    NotificationSent,
    Occasion,
)
from agenthub_events.notifications.escalation import Audience, Escalation
from agenthub_events.ports import Recorded
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.operations.escalation import said
from agenthub_runtime.operations.registry import registered
from agenthub_runtime.signed_links import PATH, VALID_FOR, LinkClaim, LinkPurpose, LinkSigner
from tests.support.gateway import Gateway, planned, running_gateway, settings
from tests.support.notifying import Chronicle, notifying
from tests.support.receivers import mail_server
from tests.support.until import until

KEY = "a-key-of-links"
ASKED = AgentBlocked(question="Which <b>key</b>?", task_id="t-a", options=("RS256", "HS256"))


@pytest.fixture
async def gateway(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    assert bus.is_connected
    wanted = settings(
        nats_server.authorised_url,
        database_url,
        link_key=KEY,
        api_keys=("ann:a-long-key-of-ann-0123456789abcdef",),
    )
    async with running_gateway(
        wanted, headers={"Authorization": "Bearer a-long-key-of-ann-0123456789abcdef"}
    ) as running:
        yield running


def link(goal_id: str, purpose: LinkPurpose, seq: int, *, task_id: str = "_", key: str = KEY, **more: Any) -> str:
    expires = int((SystemClock().now() + VALID_FOR).timestamp())
    claim = LinkClaim(
        **{
            "purpose": purpose,
            "recipient": "ann@example.org",
            "expires": expires,
            "goal_id": goal_id,
            "task_id": task_id,
            "seq": seq,
            **more,
        }
    )
    return PATH + LinkSigner(key).token(claim)


async def goal_of(told: Chronicle, number: int = 1, **facts: Any) -> str:
    goal_id = f"g-{number:026d}"
    await told.accept(goal_id, **facts)
    return goal_id


async def events(told: Chronicle, goal_id: str) -> list[Recorded]:
    return await told.log.read(goal_id)


async def press(gateway: Gateway, path: str, **form: str) -> httpx2.Response:
    return await gateway.client.post(path, data=form, headers={"Authorization": ""})


async def test_to_open_a_link_changes_nothing_and_needs_no_key(gateway: Gateway, bus: Client) -> None:
    told = Chronicle(bus)
    goal_id = await goal_of(told)
    seq = await told.write(ASKED, goal_id=goal_id, task_id="t-a")
    before = await gateway.log_end()
    for _ in range(3):
        path = link(goal_id, "answer", seq, task_id="t-a")
        answer = await gateway.client.get(path, headers={"Authorization": ""})
        assert answer.status_code == 200
    assert await gateway.log_end() == before
    page = answer.text
    assert "<b>key</b>" not in page
    assert "Which <b>key</b>?" in unescape(page)
    assert re.findall(r'name="option" value="([^"]+)"', page) == ["RS256", "HS256"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_page_says_what_follows_from_each_answer_and_from_none(gateway: Gateway, bus: Client) -> None:
    told = Chronicle(bus)
    goal_id = await goal_of(told)
    asked = msgspec.structs.replace(ASKED, worker="Worker-1", consequences=("<i>A pair</i> of keys.", "One key."))
    seq = await told.write(asked, goal_id=goal_id, task_id="t-a")
    escalation = said(Escalation(after_s=3600, reminders=2, unanswered="cancel"))
    audience = said(Audience(always=("bob@example.org",)))
    async with (
        registered(bus, "orchestrator", instance="1", description="", status=lambda: escalation),
        registered(bus, "notifier", instance="1", description="", status=lambda: audience),
    ):
        page = (await gateway.client.get(link(goal_id, "answer", seq, task_id="t-a"))).text
    for part in ("&lt;i&gt;A pair&lt;/i&gt; of keys.", "One key.", "If nobody answers", "First reminder to you"):
        assert part in page
    assert "The task is cancelled" in page
    assert "The task ends without a result" in page, "what follows from leaving it out"
    assert "bob@example.org" not in page


async def test_the_page_answers_once_in_the_name_of_its_recipient(gateway: Gateway, bus: Client) -> None:
    told = Chronicle(bus)
    goal_id = await goal_of(told)
    seq = await told.write(ASKED, goal_id=goal_id, task_id="t-a")
    path = link(goal_id, "answer", seq, task_id="t-a")
    first = await press(gateway, path, option="RS256")
    assert first.status_code == 200, first.text
    again = await press(gateway, path, option="RS256")
    assert again.status_code == 200
    other = await press(gateway, path, option="HS256")
    assert other.status_code == 409
    answers = [r.event for r in await events(told, goal_id) if isinstance(r.event, AgentAnswered)]
    assert [(event.by, event.option, event.blocked_seq) for event in answers] == [
        ("ann@example.org", "RS256", seq)
    ]
    shown = await gateway.client.get(path)
    assert "Answered by ann@example.org" in shown.text
    assert "<form" not in shown.text


@pytest.mark.parametrize(
    ("form", "status"),
    [({}, 400), ({"do": "answer"}, 400), ({"do": "answer", "text": "  "}, 400), ({"option": "none"}, 400),
     ({"do": "drop"}, 400), ({"do": "answer", "text": "mine"}, 200),
     ({"do": "skip"}, 200), ({"do": "retry"}, 200)],
)  # fmt: skip
async def test_what_the_page_sends_has_to_fit(
    gateway: Gateway, bus: Client, form: dict[str, str], status: int
) -> None:
    told = Chronicle(bus)
    goal_id = await goal_of(told)
    seq = await told.write(ASKED, goal_id=goal_id, task_id="t-a")
    answer = await press(gateway, link(goal_id, "answer", seq, task_id="t-a"), **form)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    answered = [r for r in await events(told, goal_id) if isinstance(r.event, AgentAnswered)]
    assert len(answered) == (1 if status == 200 else 0)


async def test_a_forged_an_old_and_a_foreign_link_open_nothing(gateway: Gateway, bus: Client) -> None:
    told = Chronicle(bus)
    goal_id = await goal_of(told)
    seq = await told.write(ASKED, goal_id=goal_id, task_id="t-a")
    good = link(goal_id, "answer", seq, task_id="t-a")
    bad = [good[:-1] + ("A" if good[-1] != "A" else "B"), good + "A", PATH + "x", PATH + "%00", PATH + "ü" * 9,
           link(goal_id, "answer", seq, task_id="t-a", key="another"),
           link(goal_id, "answer", seq, task_id="t-a", expires=int(datetime(2020, 1, 1).timestamp()))]  # fmt: skip
    for path in bad:
        for answer in (await gateway.client.get(path), await press(gateway, path, option="RS256")):
            assert 400 <= answer.status_code < 500, (path, answer.status_code)
    assert not [r for r in await events(told, goal_id) if isinstance(r.event, AgentAnswered)]


async def test_a_result_is_approved_by_its_link_once(gateway: Gateway, bus: Client) -> None:
    told = Chronicle(bus)
    goal_id = await goal_of(told)
    ready = GoalReadyForReview(revision=1, head="a" * 40, summary="All gates passed.")
    seq = await told.write(ready, goal_id=goal_id)
    path = link(goal_id, "review", seq)
    assert "All gates passed." in (await gateway.client.get(path)).text
    assert (await press(gateway, path, do="approve")).status_code == 200
    assert (await press(gateway, path, do="approve")).status_code == 200
    assert (await press(gateway, path, do="rework", feedback="No")).status_code == 409
    found = [r.event for r in await events(told, goal_id) if isinstance(r.event, GoalApproved)]
    assert [(event.by, event.ready_seq) for event in found] == [("ann@example.org", seq)]
    assert "Approved by ann@example.org" in (await gateway.client.get(path)).text


async def test_changes_are_asked_for_once_and_an_old_result_is_not_judged(gateway: Gateway, bus: Client) -> None:
    told = Chronicle(bus)
    goal_id = await goal_of(told)
    await told.write(planned("a"), goal_id=goal_id)
    ready = GoalReadyForReview(revision=1, head="a" * 40, summary="")
    seq = await told.write(ready, goal_id=goal_id)
    path = link(goal_id, "review", seq)
    assert (await press(gateway, path, do="rework")).status_code == 400
    assert (await press(gateway, path, do="rework", feedback="Add 2FA")).status_code == 200
    assert (await press(gateway, path, do="rework", feedback="Add 2FA")).status_code == 200
    assert (await press(gateway, path, do="approve")).status_code == 409
    later = link(goal_id, "review", seq, recipient="bob@example.org")
    assert (await press(gateway, later, do="rework", feedback="And more")).status_code == 409
    found = [r.event for r in await events(told, goal_id) if isinstance(r.event, GoalReworkRequested)]
    assert [(event.by, event.feedback) for event in found] == [("ann@example.org", "Add 2FA")]


async def test_a_plan_is_approved_as_it_was_shown(gateway: Gateway, bus: Client) -> None:
    told = Chronicle(bus)
    goal_id = await goal_of(told, autonomy="approve_plan")
    seq = await told.write(planned("a", "b"), goal_id=goal_id)
    path = link(goal_id, "plan", seq)
    (revision,) = re.findall(r'name="revision" value="(\d+)"', (await gateway.client.get(path)).text)
    assert (await press(gateway, path, revision="7")).status_code == 409
    assert (await press(gateway, path, revision=revision)).status_code == 200
    approved = [r.event for r in await events(told, goal_id) if isinstance(r.event, GoalPlanApproved)]
    assert [event.by for event in approved] == ["ann@example.org"]


@pytest.mark.parametrize("form", [{"do": "unsubscribe"}, {"List-Unsubscribe": "One-Click"}])
async def test_who_unsubscribes_is_told_nothing_more_until_asked_again(
    gateway: Gateway, bus: Client, form: dict[str, str]
) -> None:
    told = Chronicle(bus)
    path = link("", "unsubscribe", 0)
    assert "Tell me nothing more" in (await gateway.client.get(path)).text
    assert await told.of(NotificationChannelClosed) == []
    assert (await press(gateway, path, **form)).status_code == 200
    parts = {"List-Unsubscribe": (None, "One-Click")}
    again = await gateway.client.post(path, files=parts, headers={"Authorization": ""})
    assert again.status_code == 200
    (closed,) = await told.of(NotificationChannelClosed)
    assert (closed.recipient, closed.by) == ("ann@example.org", "ann@example.org")
    async with mail_server() as box:
        mailing = {"notify": "ann@example.org,bob@example.org", "smtp_url": f"smtp://127.0.0.1:{box.port}"}
        async with notifying(bus, **mailing):
            goal_id = await goal_of(told)
            await told.write(ASKED, goal_id=goal_id, task_id="t-a")
            await until(lambda: told.of(NotificationSent), 300)
            assert box.recipients == ["bob@example.org"]
            body = {"recipient": "ann@example.org"}
            assert (await gateway.client.post("/api/v1/recipients/reopen", json=body)).status_code == 202
            await until(lambda: "ann@example.org" in box.recipients, 300)
            assert (await gateway.client.post("/api/v1/recipients/reopen", json=body)).status_code == 409
    rows = (await gateway.get("/api/v1/recipients"))["items"]
    assert {row["recipient"]: row["is_open"] for row in rows} == {"ann@example.org": True, "bob@example.org": True}
    unknown = await gateway.client.post("/api/v1/recipients/reopen", json={"recipient": "eve@example.org"})
    assert unknown.status_code == 404


async def test_what_people_were_told_can_be_read_and_sent_again(gateway: Gateway, bus: Client) -> None:
    told = Chronicle(bus)
    goal_id = await goal_of(told)
    seq = await told.write(ASKED, goal_id=goal_id, task_id="t-a")
    occasion = Occasion(kind="question", goal_id=goal_id, seq=seq, task_id="t-a")
    named = {"channel": "email", "recipient": "ann@example.org"}
    plan = NotificationPlanned(**named, occasions=(occasion,))  # type: ignore[arg-type]
    await told.write(plan, goal_id=goal_id, task_id="n-1")
    failed = NotificationFailed(**named, round=1, attempt=1, reason="550 no")  # type: ignore[arg-type]
    await told.write(failed, goal_id=goal_id, task_id="n-1")
    path = f"/api/v1/goals/{goal_id}/notifications"
    (row,) = (await gateway.get(path))["items"]
    assert (row["id"], row["state"], row["reason"], row["attempts"]) == ("n-1", "failed", "550 no", 1)
    assert (await gateway.client.post(f"{path}/n-1/resend")).status_code == 202
    (row,) = (await gateway.get(path))["items"]
    assert (row["state"], row["attempts"]) == ("planned", 0)
    async with (
        mail_server() as box,
        notifying(bus, smtp_url=f"smtp://127.0.0.1:{box.port}", notify="ann@example.org"),
    ):
        await until(lambda: box.mails, 300)
    assert len(set(box.ids())) == len(box.ids())
    assert (await gateway.client.post(f"{path}/n-2/resend")).status_code == 404
    assert (await gateway.client.get("/api/v1/goals/g-x/notifications")).status_code == 404


@pytest.mark.parametrize(
    ("recipient", "words"),
    [
        ("ann@", "is no e-mail address"),
        ("ann@example.org\nBcc: eve@example.org", "no spaces or line breaks"),
        ("slack://token-a/token-b", "named in AGENTHUB_NOTIFY"),
        ("https://ann:pass-word-1@hooks.example.org/", "looks like a credential"),
        ("https:///x", "names no host"),
        ("https://[::1", "no address of a webhook"),
    ],
)
async def test_a_goal_names_only_recipients_that_can_stand_in_its_event(
    gateway: Gateway, recipient: str, words: str
) -> None:
    body = {"goal": "Sort", "notify": ["bob@example.org", recipient]}
    answer = await gateway.client.post("/api/v1/goals", json=body)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert answer.json()["errors"][0]["key"] == "notify[1]"


async def test_a_goals_recipients_stand_in_its_event(gateway: Gateway) -> None:
    answer = await gateway.submit(notify=["Ann@Example.org", "https://hooks.example.org/x"])
    (accepted,) = await gateway.hub.log.read(f"{answer['goal_id']}._.goal")
    assert accepted.event.notify == ("Ann@example.org", "https://hooks.example.org/x")  # type: ignore[union-attr]
