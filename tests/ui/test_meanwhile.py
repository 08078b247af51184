"""While an answer of the hub is on its way: what a person does is not undone, and nothing is said to be none."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Route, expect

from agenthub_events.catalogue.task import TaskEnqueued, TaskStarted
from tests.support.gateway import write
from tests.support.running_hub import RunningHub, running_hub
from tests.ui.conftest import SAMPLE, ready_goal
from tests.ui.visitor import Visitor, answers_late, in_thread, rested

# What the browser itself prints of an answer that the test has provoked.
_REFUSED = "the server responded with a status of 409"


async def _at_work(hub: RunningHub, goal_id: str) -> None:
    """A worker of another machine says that it has begun the task."""
    await hub.see(goal_id, lambda event: isinstance(event, TaskEnqueued))
    started = TaskStarted(
        task_id="t-only",
        attempt=1,
        worker="Far-1",
        agent="coding",
        instance="far",
        delivery=1,
        ack_subject="none",
    )
    async with hub.log() as log:
        await write(log, goal_id, "t-only", started)


def test_a_note_that_is_begun_while_the_last_one_is_sent_stays(browser: Browser, tmp_path: Path) -> None:
    with (
        running_hub(tmp_path / "hub", "--workers", "planner=1") as hub,
        Visitor(browser, hub.url, tmp_path) as visitor,
    ):
        goal_id = hub.submit({"goal": "Noted", "workflow": [{"key": "only", "title": "Do it", "agent": "coding"}]})
        in_thread(_at_work(hub, goal_id))
        page = visitor.open(f"/goals/{goal_id}?task=t-only")
        field = page.get_by_label("Tell this agent something")
        field.fill("First")
        with answers_late(page, "/note"):
            page.get_by_role("button", name="Send").click()
            field.fill("Second")
        expect(page.locator(".toast").filter(has_text="The agent reads it at its next step")).to_be_visible()
        expect(field).to_have_value("Second")
        page.get_by_role("button", name="Send").click()
        expect(field).to_have_value("")
        noted = hub.get(f"/goals/{goal_id}/events", type="task.noted")["items"]
        assert [one["event"]["text"] for one in noted] == ["First", "Second"]
        assert visitor.complaints == []


def test_what_is_not_read_yet_is_not_said_to_be_none(furnished: RunningHub, visitor: Visitor) -> None:
    goal_id = ready_goal(furnished)
    page = visitor.page
    with answers_late(page, "/gates**"):
        visitor.open(f"/review/{goal_id}")
        expect(page.get_by_label("Evidence and verdict").get_by_text("Reading the evidence")).to_have_count(1)
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    expect(page.get_by_text("6 of 6 have evidence")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_class("button primary")
    with answers_late(page, "/gates**"):
        visitor.open(f"/goals/{goal_id}?tab=requirements")
        expect(page.get_by_text("Reading the evidence")).to_have_count(1)
        expect(page.get_by_text("none yet")).to_have_count(0)
    with answers_late(page, "/attempts**"):
        visitor.open(f"/goals/{goal_id}?task=t-analyze-requirements")
        expect(page.get_by_text("Reading the attempts")).to_have_count(1)
        expect(page.get_by_text("No attempt was ordered yet")).to_have_count(0)
    with answers_late(page, "/workers**"):
        visitor.open("/new")
        expect(page.get_by_text("Reading the workers")).to_have_count(1)
        expect(page.get_by_text("No worker says that it lives")).to_have_count(0)
    page.route("**/interventions**", lambda route: route.fulfill(json={"items": []}))
    with answers_late(page, "/goals?**"):
        visitor.open("/inbox")
        expect(page.get_by_text("Reading the inbox")).to_have_count(1)
        expect(page.get_by_text("Nobody needs you")).to_have_count(0)
    expect(page.get_by_label("Review", exact=True).get_by_text("Build authentication").first).to_be_visible()


def _stuck(hub: RunningHub, count: int) -> list[str]:
    """So many goals that nobody here can do."""
    plan = [{"key": "only", "title": "Do it", "agent": "coding"}]
    goals = [hub.submit({"goal": f"Nobody knows how, {number}", "workflow": plan}) for number in range(count)]
    for goal_id in goals:
        rested(hub, goal_id, "awaiting_human")
    return goals


def test_a_goal_that_is_begun_while_the_last_one_is_submitted_stays(hub: RunningHub, visitor: Visitor) -> None:
    page = visitor.open("/new")
    field = page.get_by_label("Goal", exact=True)
    field.fill("The first of two")
    with answers_late(page, "/goals"):
        with page.expect_request(lambda request: request.method == "POST" and request.url.endswith("/goals")):
            page.get_by_role("button", name="Submit goal").click()
        field.fill("The second of two")
    expect(page.locator(".toast").filter(has_text="Submitted")).to_be_visible()
    expect(field).to_have_value("The second of two")
    assert page.url.endswith("/new")
    field.fill("")


def test_who_goes_elsewhere_while_changes_are_asked_for_stays_there(hub: RunningHub, visitor: Visitor) -> None:
    goal_id, other = _stuck(hub, 2)
    page = visitor.open(f"/review/{goal_id}")
    words = page.get_by_label("Anything else?")
    words.fill("Say it of the first")
    # What is typed about one goal is not said of another.
    page.evaluate("path => history.pushState({}, '', path)", f"/review/{other}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nobody knows how, 1")
    expect(words).to_have_value("")
    page.go_back()
    expect(words).to_have_value("Say it of the first")
    with answers_late(page, "/rework"):
        with page.expect_request("**/rework"):
            page.get_by_role("button", name="Request changes").click()
        page.get_by_role("link", name="Fleet").first.click()
        page.wait_for_url("**/fleet")
    expect(page.locator(".toast").filter(has_text="Changes are asked for")).to_be_visible()
    assert page.url.endswith("/fleet")
    for each in (goal_id, other):
        hub.post(f"/goals/{each}/cancel", {})


def test_the_question_that_is_looked_at_stays_and_the_focus_with_it(browser: Browser, tmp_path: Path) -> None:
    with (
        running_hub(tmp_path / "hub", "--workers", "coding=1") as hub,
        Visitor(browser, hub.url, tmp_path) as visitor,
    ):
        first, second, third = (hub.questions(goal_id)[0]["id"] for goal_id in _stuck(hub, 3))
        page = visitor.open("/inbox")
        field, chosen = page.get_by_label("Add a note"), page.locator(".inbox-item.chosen")
        shown = chosen.get_attribute("data-question")
        assert shown in (first, second, third)
        field.fill("A long word about it")
        # Somebody else is quicker: the answer that was begun is not one to the next question.
        assert hub.post(f"/interventions/{shown}/answer", {"action": "cancel"}).status_code == 202
        expect(page.get_by_text("Not sent: “A long word about it”")).to_be_visible()
        expect(chosen).to_have_attribute("data-question", str(shown))

        mine, last = sorted({first, second, third} - {shown})
        page.locator(f"[data-question='{mine}'] .row-link").click()
        field.fill("My word")
        page.keyboard.press("Control+Enter")
        undo = page.get_by_role("button", name="Undo")
        expect(undo).to_be_focused()
        page.keyboard.press("Enter")
        expect(field).to_be_focused()
        expect(field).to_have_value("My word")
        page.keyboard.press("Control+Enter")
        expect(chosen).to_have_attribute("data-question", str(last))
        page.wait_for_function("document.activeElement.matches('.row-link, main')")
        page.keyboard.press("1")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("Sent in five seconds.")).to_be_visible()
        page.wait_for_function("document.activeElement !== document.body")
        assert visitor.complaints == []


def test_an_edit_that_is_made_while_the_plan_is_refused_stays(hub: RunningHub, visitor: Visitor) -> None:
    goal_id = hub.submit({**SAMPLE, "autonomy": "approve_plan"})
    rested(hub, goal_id, "workflow_generated")
    page = visitor.open(f"/plan/{goal_id}")
    first, second = (page.get_by_label(f"Minutes of task {number}", exact=True) for number in (1, 2))
    first.fill("7")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/plan", hold, times=1)
    with page.expect_request("**/goals/*/plan"):
        page.get_by_role("button", name="Save edits").click()
    second.fill("9")
    body = {"type": "about:blank", "title": "Conflict", "status": 409, "detail": "The hub has another plan"}
    held[0].fulfill(status=409, content_type="application/problem+json", json=body)
    expect(page.get_by_role("alert").filter(has_text="The plan was refused")).to_be_visible()
    expect(first).to_have_value("7")
    expect(second).to_have_value("9")
    page.reload()
    expect(first).to_have_value("7")
    expect(second).to_have_value("9")
    visitor.complaints = [line for line in visitor.complaints if _REFUSED not in line]
    hub.post(f"/goals/{goal_id}/cancel", {})
