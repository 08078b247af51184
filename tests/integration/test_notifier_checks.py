"""How a goal stands is said at GitHub and GitLab: once for each state, also when the host is away for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.goal import (
    GoalApproved,
    GoalCancelled,
    GoalCompleted,
    GoalFailed,
    GoalReadyForReview,
)
from agenthub_events.catalogue.notification import NotificationFailed, NotificationPlanned, NotificationSent
from agenthub_events.catalogue.task import TaskCompleted
from agenthub_events.catalogue.values import Delivered, TaskResult
from agenthub_notifier.app import Pace
from tests.support.gateway import planned
from tests.support.git_hosts import TOKEN, GitHost, a_host
from tests.support.notifying import GOAL, SOON, Chronicle, notifying
from tests.support.until import until

BASE, RESULT = "a" * 40, "b" * 40
HUB = "https://hub.example.org"


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[GitHost]:
    async with a_host(tmp_path / "host") as found:
        yield found


def telling(
    bus: Client, host: GitHost, kind: str = "github", pace: Pace = SOON, **settings: str
) -> AbstractAsyncContextManager[None]:
    given = {
        "git_tokens": f"{host.name}={TOKEN}",
        "git_forges": f"{host.name}={kind}:{host.api}",
        "public_url": HUB,
    }
    return notifying(bus, pace, **{**given, **settings})


async def begun(told: Chronicle, host: GitHost, *notify: str) -> None:
    await told.accept(repository=host.url(), base_commit=BASE, notify=notify)


def done(task_id: str, delivered: Delivered | None = None) -> TaskCompleted:
    return TaskCompleted(
        task_id=task_id, agent="coder", attempt=1, result=TaskResult(summary="done", delivered=delivered)
    )


async def says(host: GitHost, state: str, description: str = "") -> None:
    """Wait until this is the newest status of the commit with which the goal began."""

    def stands() -> bool:
        found = host.statuses_of(BASE)
        return bool(found) and (found[0]["state"], found[0]["description"]) == (state, description)

    await until(stands, 300, f"{state}: {description}")


async def test_every_state_is_said_once_and_the_end_also_at_the_result_and_the_issue(
    bus: Client, host: GitHost
) -> None:
    told = Chronicle(bus)
    pull = f"{host.url('ada/service')}/pull/1"
    delivered = Delivered(repository=host.url(), branch="goal/x", commit=RESULT, url=pull)
    async with telling(bus, host):
        await begun(told, host, "check#12")
        await says(host, "pending", "Work is being planned")
        await told.write(planned("one", "two"))
        await says(host, "pending", "0 of 2 tasks are done")
        question = await told.write(AgentBlocked(question="Which?", task_id="t-one"), task_id="_")
        await says(host, "pending", "An agent waits for an answer")
        await told.write(AgentAnswered(blocked_seq=question, by="ann", action="answer", text="This"), task_id="_")
        await says(host, "pending", "0 of 2 tasks are done")
        await told.write(done("t-one"), task_id="t-one")
        await says(host, "pending", "1 of 2 tasks are done")
        await told.write(done("gate-tests-1"), task_id="gate-tests-1")
        await told.write(done("t-two"), task_id="t-two")
        await says(host, "pending", "2 of 2 tasks are done")
        ready = await told.write(GoalReadyForReview(revision=1, head=RESULT, summary="All done"))
        await says(host, "pending", "The result waits for review")
        await told.write(GoalApproved(by="ann", ready_seq=ready))
        await says(host, "pending", "2 of 2 tasks are done")
        await told.write(done("deliver-1", delivered), task_id="deliver-1")
        await told.write(GoalCompleted(completion_summary="@everybody is pinged"))
        await until(lambda: host.comments, 300, "the comment")
        await until(lambda: sent(told, 9), 300)
    [end] = host.statuses_of(RESULT)
    assert (end["state"], end["description"]) == ("success", "The goal is reached and accepted")
    assert {made["context"] for made in host.statuses} == {"agenthub/issue-12"}
    assert {made["target_url"] for made in host.statuses} == {f"{HUB}/goals/{GOAL}"}
    assert len(host.statuses_of(BASE)) == 9
    [comment] = host.comments
    assert comment["path"] == "/api/repos/ada/service/issues/12/comments"
    assert comment["body"].startswith(f"agenthub: the [goal]({HUB}/goals/{GOAL}) of this issue is completed.\n")
    assert f"Result: {pull}\n" in comment["body"]
    assert "@everybody" not in comment["body"], "what agents write pings nobody"


async def sent(told: Chronicle, count: int) -> bool:
    return len(await told.of(NotificationSent)) >= count


async def test_gitlab_has_one_running_status_and_its_end(bus: Client, host: GitHost) -> None:
    told = Chronicle(bus)
    async with telling(bus, host, "gitlab"):
        await begun(told, host, "check#12")
        await until(lambda: host.statuses, 300)
        await told.write(planned("one"))
        await until(lambda: sent(told, 2), 300)
        await told.write(GoalFailed(reason="The tests stay red after `6` rounds"))
        await until(lambda: host.comments, 300)
        await until(lambda: sent(told, 3), 300)
    assert [made["state"] for made in host.statuses] == ["running", "failed"]
    assert {request["path"] for request in host.requests if "/statuses/" in request["path"]} == {
        f"/api/projects/ada%2Fservice/statuses/{BASE}"
    }
    [comment] = host.comments
    assert comment["path"] == "/api/projects/ada%2Fservice/issues/12/notes"
    assert "has failed.\n\nReason: `The tests stay red after 6 rounds`" in comment["body"]


async def test_a_goal_that_follows_a_branch_has_a_check_at_the_commit_that_was_brought_in(
    bus: Client, host: GitHost
) -> None:
    told = Chronicle(bus)
    async with telling(bus, host, notify="check"):
        await told.accept(repository=host.url(), ref="refs/heads/main")
        await told.write(brought("../../tags/" + "c" * 29), task_id="prepare")
        await told.write(brought(BASE), task_id="prepare")
        await says(host, "pending", "Work is being planned")
        await told.write(planned("one"))
        await says(host, "pending", "0 of 1 tasks are done")
        await told.write(brought(RESULT), task_id="prepare")
        await told.write(GoalCompleted(completion_summary="x"))
        await says(host, "success", "The goal is reached and accepted")
    assert {made["commit"] for made in host.statuses} == {BASE}


def brought(commit: str) -> TaskCompleted:
    result = TaskResult(summary="imported", commit=commit)
    return TaskCompleted(task_id="prepare", agent="import", attempt=1, result=result)


async def test_what_a_host_does_not_take_is_tried_again_unless_it_is_no_longer_so(
    bus: Client, host: GitHost
) -> None:
    told = Chronicle(bus)
    host.refusals = [503, 403]
    pace = Pace(window=SOON.window, pauses_s=(2.0, 2.0, 2.0))
    async with telling(bus, host, pace=pace):
        await begun(told, host, "check")
        await until(lambda: told.of(NotificationFailed), 300)
        await told.write(GoalCancelled(by="ann"))
        await until(lambda: host.statuses, 300)
        await until(lambda: given_up(told), 300)
        await until(lambda: sent(told, 1), 300)
    assert [(made["state"], made["description"]) for made in host.statuses] == [
        ("error", "The goal was cancelled")
    ]
    assert host.statuses[0]["context"] == f"agenthub/{GOAL}"
    failed = await told.of(NotificationFailed)
    assert any("503" in event.reason for event in failed)
    assert any("may not write statuses" in event.reason for event in failed)
    assert not any(TOKEN in event.reason for event in failed)


async def given_up(told: Chronicle) -> bool:
    return any("decided meanwhile" in event.reason for event in await told.of(NotificationFailed))


async def test_a_host_without_a_token_is_told_nothing_and_the_log_says_why(bus: Client, host: GitHost) -> None:
    told = Chronicle(bus)
    async with telling(bus, host, git_tokens=""):
        await begun(told, host, "check")
        [failed] = await until(lambda: told.of(NotificationFailed), 300)
    assert failed.retry_at is None
    assert "AGENTHUB_GIT_TOKENS" in failed.reason
    assert host.statuses == []


async def test_the_hub_may_have_checks_of_all_goals_and_people_hear_of_no_progress(
    bus: Client, host: GitHost
) -> None:
    told = Chronicle(bus)
    async with telling(bus, host, notify="check"):
        await told.accept(goal_id="g-" + "0" * 25 + "2", goal="Without a repository")
        await begun(told, host, "https://hooks.example.org/x")
        await until(lambda: host.statuses, 300)
        await told.write(GoalCompleted(completion_summary="x"))
        await says(host, "success", "The goal is reached and accepted")
        await until(lambda: sent(told, 2), 300)
        plans = await until(lambda: all_planned(told, 3), 300)
    assert [(plan.channel, plan.occasions[0].kind) for plan in plans] == [
        ("check", "progress"),
        ("check", "completed"),
        ("webhook", "completed"),
    ]


async def all_planned(told: Chronicle, count: int) -> list[NotificationPlanned]:
    found = sorted(await told.of(NotificationPlanned), key=lambda plan: (plan.channel, plan.occasions[0].seq))
    return found if len(found) >= count else []
