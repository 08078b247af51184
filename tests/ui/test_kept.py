"""What was typed and not sent outlives a reload and the button Back; a text that is too long is said, not cut."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.support.running_hub import RunningHub
from tests.ui.conftest import ready_goal
from tests.ui.visitor import Visitor

# What the browser itself prints of a check that was refused.
_PROVOKED = "status of 422"


def paste(field: Locator, text: str) -> None:
    """As a person does, so that what a field holds back is held back."""
    field.focus()
    field.page.keyboard.insert_text(text)


def test_a_comment_that_is_being_written_is_there_after_back_and_a_reload(
    furnished: RunningHub, visitor: Visitor
) -> None:
    goal_id = ready_goal(furnished)
    page = visitor.open(f"/review/{goal_id}?file=auth/jwt.py")
    first, second = (page.get_by_label(f"Comment on line {line} of auth/jwt.py") for line in (3, 5))
    page.get_by_role("button", name="Comment on line 3", exact=True).click()
    expect(first).to_be_focused()
    paste(first, "Half a thought")
    page.get_by_role("button", name="Comment on line 5", exact=True).click()
    expect(second).to_be_focused()
    paste(second, "Another")
    expect(page.get_by_text("2 comments that you have not kept yet are not sent")).to_be_visible()
    page.get_by_role("link", name="Fleet").first.click()
    page.wait_for_url("**/fleet")
    page.go_back()
    expect(first).to_have_value("Half a thought")
    page.reload()
    expect(first).to_have_value("Half a thought")
    expect(second).to_have_value("Another")
    visitor.picture("review-unkept")
    assert visitor.findings() == []
    page.locator(".comment", has=second).get_by_role("button", name="Remove").click()
    expect(second).to_have_count(0)
    page.locator(".comment", has=first).get_by_role("button", name="Keep comment").click()
    expect(page.locator(".comment")).to_contain_text("Half a thought")
    page.locator(".comment").get_by_role("button", name="Edit").click()
    expect(first).to_be_focused()
    page.keyboard.insert_text(", and more")
    page.reload()
    expect(first).to_have_value("Half a thought, and more")
    page.locator(".comment").get_by_role("button", name="Remove").click()
    expect(page.locator(".comment")).to_have_count(0)


def test_a_text_that_is_too_long_is_said_nowhere_cut_and_not_sent(furnished: RunningHub, visitor: Visitor) -> None:
    asks = next(one for one in furnished.get("/interventions")["items"] if len(one["options"]) > 1)
    page = visitor.open(f"/inbox?item={asks['id']}")
    answer = page.get_by_label("Add a note, or answer in your own words")
    paste(answer, "W" * 16_003)
    expect(answer).to_have_value("W" * 16_003)
    expect(page.get_by_role("alert").filter(has_text="3 characters too many: at most 16,000")).to_be_visible()
    expect(page.get_by_role("button", name="Answer and continue")).to_be_disabled()
    page.keyboard.press("Control+Enter")
    # A character that a browser counts as two is one.
    answer.fill("😀" * 16_000)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("button", name="Answer and continue")).to_be_enabled()
    answer.fill("")
    page.get_by_role("button", name="Edit task").click()
    paste(page.get_by_label("New title"), "T" * 301)
    expect(page.get_by_role("alert").filter(has_text="1 character too many: at most 300")).to_be_visible()
    expect(page.get_by_role("button", name="Save and try again")).to_be_disabled()
    page.get_by_label("New title").fill("")

    page.goto(f"{visitor.url}/goals/{ready_goal(furnished)}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog", name="Cancel goal")
    paste(dialog.get_by_label("Reason"), "R" * 2_001)
    expect(dialog.get_by_role("alert")).to_contain_text("1 character too many")
    expect(dialog.get_by_role("button", name="Cancel goal")).to_be_disabled()

    page.goto(f"{visitor.url}/new")
    page.get_by_label("Goal", exact=True).fill("Long ones")
    for name, size, said in (
        ("Repository", 1_001, "Too long: at most 1000 characters"),
        ("Test command", 501, "Too long: at most 500 characters"),
        ("Add a requirement", 501, "No. 1: Too long: at most 500 characters"),
    ):
        field = page.get_by_label(name)
        paste(field, "x" * size)
        expect(field).to_have_value("x" * size)
        page.keyboard.press("Tab")
        expect(page.locator(".submit-column .error")).to_have_text(said)
        (page.get_by_label("Requirement 1", exact=True) if said.startswith("No.") else field).fill("")
    visitor.complaints = [line for line in visitor.complaints if _PROVOKED not in line]


def test_what_is_taken_at_most_is_what_the_api_says() -> None:
    web = Path(__file__).resolve().parents[2] / "services" / "gateway" / "web"
    schemas = json.loads((web / "openapi.json").read_text(encoding="utf-8"))["components"]["schemas"]

    def most(body: str, field: str) -> int:
        return int(schemas[body]["properties"][field]["maxLength"])

    text, reason = most("AnswerBody", "text"), most("ReasonBody", "reason")
    title, model = most("EditsBody", "title"), most("ForkBody", "model")
    said = f"text: {text:_}, reason: {reason:_}, title: {title}, model: {model}"
    assert said in (web / "src" / "ui" / "TooLong.tsx").read_text(encoding="utf-8")
    alike = [("ReworkBody", "feedback"), ("NoteBody", "text"), ("EditsBody", "details"), ("ForkBody", "prompt")]
    assert {most(*place) for place in alike} == {text}
