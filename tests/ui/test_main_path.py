"""What a person does with a goal from the first word to the verdict, by pointer and by keyboard alone."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.running_hub import BLOCKED_SAMPLE, RunningHub
from tests.ui.conftest import SAMPLE
from tests.ui.visitor import Visitor, once, rested


def _minutes(hub: RunningHub, goal_id: str, key: str) -> list[int]:
    tasks = hub.get(f"/goals/{goal_id}/tasks")["items"]
    return [task["estimate_minutes"] for task in tasks if task["key_name"] == key]


def _goal_in(url: str) -> str:
    return url.split("/goals/")[1].split("?", maxsplit=1)[0]


def test_a_goal_is_submitted_watched_answered_and_approved(hub: RunningHub, visitor: Visitor) -> None:
    page = visitor.open("/")
    page.keyboard.press("c")
    page.get_by_label("Goal", exact=True).fill("Build a price calculator with VAT")
    page.get_by_label("Add a requirement").fill("Unit tests")
    page.keyboard.press("Enter")
    page.get_by_label("Add a requirement").fill("Documentation")
    page.reload()
    expect(page.get_by_label("Goal", exact=True)).to_have_value("Build a price calculator with VAT")
    expect(page.get_by_label("Requirement 1", exact=True)).to_have_value("Unit tests")
    expect(page.locator(".submit-aside pre").first).to_contain_text('"Unit tests"')
    page.get_by_label("Setup").fill("npm ci")
    expect(page.locator(".submit-aside pre").last).to_contain_text("--setup 'npm ci'")
    page.get_by_label("Setup").fill("")
    page.get_by_label("Add a requirement").fill("Documentation")
    page.get_by_role("button", name="Submit goal").click()
    page.wait_for_url("**/goals/g-*")
    goal_id = _goal_in(page.url)
    # The page shows a goal as soon as the read models know it.
    expect(page.locator(".facts").first).to_be_visible()
    assert hub.get(f"/goals/{goal_id}")["requirements"] == ["Unit tests", "Documentation"]

    chip = page.get_by_role("link", name="question waits for you")
    expect(chip).to_be_visible()
    visitor.picture("goal-asks")
    page.keyboard.press("i")
    page.wait_for_url("**/inbox?item=*")
    question = hub.questions(goal_id)[0]
    expect(page.get_by_role("heading", name=question["question"])).to_be_visible()
    # What the agent did last before it asked.
    steps = page.get_by_role("region", name=re.compile(r"^(Last 4 of \d+ steps|Steps so far)$"))
    expect(steps.get_by_role("listitem").last).to_contain_text("How is an amount rounded")
    assert steps.get_by_role("listitem").count() <= 4
    visitor.picture("inbox-steps")
    page.keyboard.press("1")
    expect(page.get_by_role("radio", name=question["options"][0])).to_be_checked()
    # The five seconds are the page's: they stand still while this is pressed.
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now()") / 1_000 + 10)
    page.get_by_role("button", name="Answer and continue").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Answer and continue")).to_be_visible()
    page.clock.resume()
    assert hub.questions(goal_id), "what was undone was never sent"
    page.get_by_role("button", name="Answer and continue").click()
    expect(page.get_by_role("status").get_by_text("Answered:")).to_be_visible()
    once(lambda: not hub.questions(goal_id), "the question is answered")

    rested(hub, goal_id, "ready_for_review")
    page.goto(f"{visitor.url}/review/{goal_id}")
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url(f"**/goals/{goal_id}")
    expect(page.locator(".head .chip").first).to_have_text("Completed")
    assert hub.get(f"/goals/{goal_id}")["status"] == "completed"


def test_an_answer_is_sent_although_its_page_is_left_and_brings_nobody_back(
    hub: RunningHub, visitor: Visitor
) -> None:
    goals = [hub.submit(BLOCKED_SAMPLE) for _ in range(2)]
    for goal_id in goals:
        rested(hub, goal_id, "awaiting_human")
    left, closed = (hub.questions(goal_id)[0] for goal_id in goals)
    page = visitor.open(f"/inbox?item={left['id']}")
    for option, follows in zip(left["options"], left["consequences"], strict=True):
        expect(page.get_by_role("radio", name=option)).to_have_accessible_description(follows)
    waits = page.locator("section", has=page.get_by_role("heading", name="If nobody answers"))
    assert waits.get_by_role("definition").all_text_contents() == [step["what"] for step in left["if_unanswered"]]
    page.get_by_label("Add a note, or answer in your own words").fill("Half up")
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now()") / 1_000 + 10)
    page.get_by_role("button", name="Answer and continue").click()
    page.keyboard.press("g")
    page.keyboard.press("f")
    page.wait_for_url("**/fleet")
    page.go_back()
    page.get_by_role("button", name="Undo").click()
    words = page.get_by_label("Add a note, or answer in your own words")
    expect(words).to_have_value("Half up")
    assert hub.questions(goals[0]), "what was undone was never sent"
    page.get_by_role("button", name="Answer and continue").click()
    page.go_forward()
    page.wait_for_url("**/fleet")
    page.clock.resume()
    once(lambda: not hub.questions(goals[0]), "the answer is sent")
    expect(page.get_by_role("status").get_by_text("Answered: Half up")).to_be_visible()
    assert page.url.endswith("/fleet")

    visitor.open(f"/inbox?item={closed['id']}")
    words.fill("Half even")
    page.clock.pause_at(page.evaluate("Date.now()") / 1_000 + 10)
    page.get_by_role("button", name="Answer and continue").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.goto("about:blank")
    once(lambda: not hub.questions(goals[1]), "the answer is sent although its tab was closed")
    for goal_id in goals:
        hub.post(f"/goals/{goal_id}/cancel", {})


def test_a_transcript_is_read_and_a_comment_on_the_diff_becomes_rework(hub: RunningHub, visitor: Visitor) -> None:
    goal_id = hub.submit(SAMPLE, key="reworked")
    rested(hub, goal_id, "ready_for_review")
    page = visitor.open(f"/goals/{goal_id}")
    visitor.settle()
    page.locator(".react-flow [data-node='t-implement-user-store']").click()
    panel = page.locator("aside.task-panel")
    expect(panel.get_by_text("I write auth/users.py.")).to_be_visible()
    expect(panel.get_by_text("edit: create")).to_be_visible()
    expect(panel.locator("pre.result", has_text="CHECK-OK")).to_be_visible()
    panel.get_by_role("tab", name="Diff").click()
    expect(panel.get_by_text("auth/users.py").first).to_be_visible()
    panel.get_by_role("tab", name="Trace").click()
    expect(panel.get_by_text("task.completed")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)

    page.goto(f"{visitor.url}/review/{goal_id}?file=auth/jwt.py")
    page.get_by_role("button", name="Comment on line 3", exact=True).click()
    page.get_by_label("Comment on line 3 of auth/jwt.py").fill("Please add 2FA support")
    page.get_by_role("button", name="Keep comment").click()
    page.reload()
    expect(page.locator(".comment")).to_contain_text("Please add 2FA support")
    visitor.picture("review-comment")
    assert visitor.findings() == []
    page.get_by_role("button", name="Request changes").click()
    page.wait_for_url(f"**/goals/{goal_id}")
    events = hub.get(f"/goals/{goal_id}/events", type="goal.rework_requested")["items"]
    assert events[0]["event"]["feedback"] == "auth/jwt.py:3: Please add 2FA support"


def test_a_plan_is_edited_and_approved(hub: RunningHub, visitor: Visitor) -> None:
    goal_id = hub.submit({**SAMPLE, "autonomy": "approve_plan"}, key="edited")
    rested(hub, goal_id, "workflow_generated")
    page = visitor.open(f"/plan/{goal_id}")
    page.get_by_label("Minutes of task 1", exact=True).fill("7")
    page.get_by_role("button", name="Remove task 12", exact=False).click()
    expect(page.get_by_text("Your 2 edits become an event of its own.")).to_be_visible()
    visitor.picture("plan-edited")
    page.get_by_role("button", name="Approve plan").click()
    page.wait_for_url(f"**/goals/{goal_id}")
    types = [item["type"] for item in hub.get(f"/goals/{goal_id}/events", limit=500)["items"]]
    assert types.index("goal.replanned") < types.index("goal.plan_approved")
    once(lambda: _minutes(hub, goal_id, "analyze-requirements") == [7], "the edit is in the plan")
    hub.post(f"/goals/{goal_id}/cancel", {})


def test_cancelling_says_what_it_ends_and_takes_a_reason(hub: RunningHub, visitor: Visitor) -> None:
    goal_id = hub.submit({"goal": "To be cancelled"}, key="cancel-me")
    rested(hub, goal_id, "awaiting_human")
    page = visitor.open(f"/goals/{goal_id}")
    page.get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog", name="Cancel goal")
    expect(dialog).to_contain_text("it cannot be resumed")
    assert visitor.findings() == []
    page.keyboard.press("Escape")
    assert hub.get(f"/goals/{goal_id}")["status"] == "awaiting_human"
    page.get_by_role("button", name="Cancel").click()
    dialog.get_by_label("Reason").fill("not needed")
    dialog.get_by_role("button", name="Cancel goal").click()
    expect(page.locator(".head .chip").first).to_have_text("Cancelled")
    events = hub.get(f"/goals/{goal_id}/events", type="goal.cancelled")["items"]
    assert events[0]["event"]["reason"] == "not needed"


def test_the_keyboard_alone_is_enough(hub: RunningHub, visitor: Visitor) -> None:
    goal_id = hub.submit(SAMPLE, key="reworked")
    rested(hub, goal_id, "ready_for_review", "running", "rework", "validating", "awaiting_human")
    page = visitor.open("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type(goal_id)
    expect(page.locator("[cmdk-item][data-selected=true]")).to_contain_text("Build authentication system")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/goals/{goal_id}")
    graph = page.get_by_role("group", name="Task graph")
    expect(graph.locator("[data-node]").first).to_be_visible()
    visitor.settle()
    graph.focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("aside.task-panel")).to_be_visible()
    page.keyboard.press("4")
    expect(page.get_by_role("tab", name="Context")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(graph).to_be_focused()
    visitor.jump("gi", "**/inbox")


def test_a_goal_goes_from_its_first_word_to_its_verdict_without_a_pointer(
    hub: RunningHub, visitor: Visitor
) -> None:
    page = visitor.open("/")
    page.keyboard.press("c")
    page.wait_for_url("**/new")
    expect(page.get_by_label("Goal", exact=True)).to_be_focused()
    page.keyboard.type("Build a price calculator with VAT")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Add a requirement")).to_be_focused()
    for words in ("Unit tests", "Documentation"):
        page.keyboard.type(words)
        page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/goals/g-*")
    goal_id = _goal_in(page.url)

    expect(page.get_by_role("link", name="question waits for you")).to_be_visible()
    page.keyboard.press("i")
    page.wait_for_url("**/inbox?item=*")
    question = hub.questions(goal_id)[0]
    expect(page.get_by_role("heading", name=question["question"])).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status").get_by_text("Answered:")).to_be_visible()

    rested(hub, goal_id, "ready_for_review")
    visitor.jump("gr", "**/review")
    mine = page.locator(f"a.row-link[href='/review/{goal_id}']")
    expect(mine).to_be_visible()
    for _ in range(2 * page.locator("a.row-link").count()):
        page.keyboard.press("j")
        if mine.evaluate("link => link === document.activeElement"):
            break
    expect(mine).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/review/{goal_id}")
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"**/goals/{goal_id}")
    expect(page.locator(".head .chip").first).to_have_text("Completed")
