"""What is pressed twice, or by two people at once, is done once, and each is told how it went."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.running_hub import BLOCKED_SAMPLE, RunningHub
from tests.ui.conftest import SAMPLE
from tests.ui.visitor import Visitor, just_before, once, rested

# What the browser itself prints of an answer that the test has provoked.
_REFUSED = "the server responded with a status of 409"


@pytest.fixture
def two(browser: Browser, hub: RunningHub, tmp_path: Path) -> Iterator[tuple[Visitor, Visitor]]:
    """Two people at their browsers."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(Visitor(browser, hub.url, tmp_path)) for _ in range(2))
        yield first, second
        assert [line for one in (first, second) for line in one.complaints if _REFUSED not in line] == []


def types_of(hub: RunningHub, goal_id: str) -> list[str]:
    return [item["type"] for item in hub.get(f"/goals/{goal_id}/events", limit=500)["items"]]


def before_it(page: Page, path: str, other: Callable[[], httpx2.Response]) -> None:
    """Somebody else's command is taken just before the first one that this page sends to `path`."""

    def taken() -> None:
        assert other().status_code in (200, 202)

    just_before(page, path, taken)


def test_pressing_twice_submits_answers_and_cancels_once(hub: RunningHub, visitor: Visitor) -> None:
    page = visitor.open("/new")
    page.get_by_label("Goal", exact=True).fill("Pressed twice")
    page.get_by_role("button", name="Submit goal").dblclick()
    page.wait_for_url("**/goals/g-*")
    page.goto(f"{visitor.url}/new")
    page.get_by_label("Goal", exact=True).fill("Pressed twice")
    for _ in range(3):
        page.keyboard.press("Control+Enter")
    page.wait_for_url("**/goals/g-*")
    visitor.settle()
    made = [goal for goal in hub.get("/goals", limit=500)["items"] if goal["goal"] == "Pressed twice"]
    assert len(made) == 2
    goal_id = page.url.split("/goals/")[1].partition("?")[0]
    rested(hub, goal_id, "awaiting_human")

    question = hub.questions(goal_id)[0]
    page.goto(f"{visitor.url}/inbox?item={question['id']}")
    page.get_by_label("Add a note, or answer in your own words").fill("Go on")
    # The box that follows has a button of its own at another place: neither is it pressed.
    page.get_by_role("button", name="Answer and continue").dblclick()
    once(lambda: not any(one["id"] == question["id"] for one in hub.questions(goal_id)), "it is answered")
    expect(page.locator(".toast.tone-bad")).to_have_count(0)
    assert types_of(hub, goal_id).count("agent.answered") == 1

    page.goto(f"{visitor.url}/goals/{made[0]['goal_id']}")
    visitor.settle()
    page.get_by_role("button", name="Cancel", exact=True).dblclick()
    page.get_by_role("dialog").get_by_role("button", name="Cancel goal").dblclick()
    expect(page.locator(".head .chip").first).to_have_text("Cancelled")
    assert types_of(hub, made[0]["goal_id"]).count("goal.cancelled") == 1
    assert page.url == f"{visitor.url}/goals/{made[0]['goal_id']}", "what lay below the dialog was not pressed"
    expect(page.locator(".toast.tone-bad")).to_have_count(0)
    hub.post(f"/goals/{made[1]['goal_id']}/cancel", {})


def test_pressing_twice_approves_a_plan_and_a_result_once(hub: RunningHub, visitor: Visitor) -> None:
    goal_id = hub.submit({**SAMPLE, "autonomy": "approve_plan"})
    rested(hub, goal_id, "workflow_generated")
    page = visitor.open(f"/goals/{goal_id}?pane=table")
    row = page.locator(".task-table [data-task='t-analyze-requirements']")
    expect(row).to_contain_text("waits for your approval of the plan")
    expect(page.get_by_text("next to run")).to_have_count(0)
    page.goto(f"{visitor.url}/plan/{goal_id}")
    page.get_by_label("Minutes of task 1", exact=True).fill("7")
    page.get_by_role("button", name="Approve plan").dblclick()
    page.wait_for_url(f"**/goals/{goal_id}")
    seen = types_of(hub, goal_id)
    assert (seen.count("goal.plan_approved"), seen.count("goal.replanned")) == (1, 1)
    expect(page.locator(".toast.tone-bad")).to_have_count(0)
    rested(hub, goal_id, "ready_for_review")

    page.goto(f"{visitor.url}/review/{goal_id}")
    page.get_by_label("Anything else?").fill("More of everything")
    page.get_by_role("button", name="Request changes").dblclick()
    page.wait_for_url(f"**/goals/{goal_id}")
    # The rehearsal model does not know this one, and asks.
    rested(hub, goal_id, "awaiting_human")
    assert types_of(hub, goal_id).count("goal.rework_requested") == 1
    expect(page.locator(".toast.tone-bad")).to_have_count(0)
    page.goto(f"{visitor.url}/review/{goal_id}")
    visitor.settle()
    for _ in range(2):
        page.keyboard.press("Control+Enter")
    said = page.get_by_role("status").filter(has_text="You asked for changes")
    expect(said).to_contain_text("“More of everything”")
    expect(page.locator(".toast.tone-bad")).to_have_count(0)
    hub.post(f"/goals/{goal_id}/cancel", {})


def test_who_answers_second_sees_the_answer_of_the_first_and_the_own_words(
    hub: RunningHub, two: tuple[Visitor, Visitor]
) -> None:
    goal_id = hub.submit(BLOCKED_SAMPLE)
    rested(hub, goal_id, "awaiting_human")
    question = hub.questions(goal_id)[0]
    _, slower = two
    page = slower.open(f"/inbox?item={question['id']}")
    page.get_by_role("radio").nth(1).check()
    page.get_by_label("Add a note, or answer in your own words").fill("mine")
    # The five seconds are the page's: they stand still.
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now()") / 1_000 + 10)
    page.get_by_role("button", name="Answer and continue").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert hub.answer(question["id"], action="answer", option=question["options"][0]).status_code == 202
    page.clock.resume()
    expect(page.locator(".question-body")).to_contain_text(f"answer, “{question['options'][0]}”")
    expect(page.get_by_text(f"Not sent: “{question['options'][1]}: mine”")).to_be_visible()
    hub.post(f"/goals/{goal_id}/cancel", {})


def test_who_approves_after_another_has_asked_for_changes_reads_them(
    hub: RunningHub, two: tuple[Visitor, Visitor]
) -> None:
    goal_id = hub.submit(SAMPLE, key="decided-by-two")
    rested(hub, goal_id, "ready_for_review")
    _, slower = two
    page = slower.open(f"/review/{goal_id}")
    wanted = {"feedback": "More of everything"}
    before_it(page, f"/goals/{goal_id}/approve", lambda: hub.post(f"/goals/{goal_id}/rework", wanted))
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert").filter(has_text="The verdict was refused")).to_be_visible()
    said = page.get_by_role("status").filter(has_text="You asked for changes")
    expect(said).to_contain_text("“More of everything”")
    assert "goal.approved" not in types_of(hub, goal_id)
    hub.post(f"/goals/{goal_id}/cancel", {})


def test_who_edits_or_approves_a_plan_second_sees_the_plan_as_it_is(
    hub: RunningHub, two: tuple[Visitor, Visitor]
) -> None:
    goal_id = hub.submit({**SAMPLE, "autonomy": "approve_plan"})
    rested(hub, goal_id, "workflow_generated")
    quicker, slower = (one.open(f"/plan/{goal_id}") for one in two)
    slower.get_by_label("Title of task 2", exact=True).fill("Mine")
    quicker.get_by_label("Title of task 3", exact=True).fill("Theirs")
    quicker.get_by_role("button", name="Save edits").click()
    expect(slower.get_by_label("Title of task 3", exact=True)).to_have_value("Theirs")
    expect(
        slower.get_by_role("status").filter(has_text="your 1 edit of the earlier one is not in it")
    ).to_be_visible()
    slower.get_by_label("Title of task 2", exact=True).fill("Mine again")
    path = f"/goals/{goal_id}/plan"
    revision = hub.get(f"/goals/{goal_id}")["revision"]
    before_it(slower, path, lambda: hub.post(path, {"action": "approve", "revision": revision}))
    slower.get_by_role("button", name="Approve plan").click()
    expect(slower.get_by_role("alert").filter(has_text="The plan was refused")).to_be_visible()
    expect(slower.locator(".head .chip").first).not_to_have_text("Plan ready")
    expect(slower.get_by_role("button", name="Approve plan")).to_be_disabled()
    assert types_of(hub, goal_id).count("goal.plan_approved") == 1
    hub.post(f"/goals/{goal_id}/cancel", {})
