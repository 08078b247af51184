"""What people do that no page was made for: to leave in the middle, two at once, wrong clocks, no room, paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.running_hub import RunningHub
from tests.ui.conftest import ready_goal
from tests.ui.test_pages import pages_of
from tests.ui.visitor import Visitor

_NO_ROOM = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }"
_HOUR_MS = 3_600_000
_BACKGROUND = "getComputedStyle(document.querySelector('.page')).backgroundColor"
_WHITE = "rgb(255, 255, 255)"


def _question(hub: RunningHub) -> str:
    """One that has options."""
    return str(next(item["id"] for item in hub.get("/interventions")["items"] if len(item["options"]) > 1))


def test_words_that_were_not_sent_are_there_after_a_look_elsewhere_and_a_reload(
    furnished: RunningHub, visitor: Visitor
) -> None:
    page = visitor.open(f"/inbox?item={_question(furnished)}")
    field = page.get_by_label("Add a note, or answer in your own words")
    field.fill("Ask the bookkeeper first")
    page.get_by_role("radio").first.check()
    page.get_by_role("link", name="Fleet").first.click()
    page.wait_for_url("**/fleet")
    page.go_back()
    expect(field).to_have_value("Ask the bookkeeper first")
    page.reload()
    expect(field).to_have_value("Ask the bookkeeper first")
    expect(page.get_by_role("radio").first).to_be_checked()


def test_edits_of_a_plan_are_there_after_the_back_button_and_a_reload(
    furnished: RunningHub, visitor: Visitor
) -> None:
    page = visitor.open(pages_of(furnished)["plan"])
    title = page.get_by_label("Title of task 2", exact=True)
    title.fill("Design it twice\nand take the better one")
    expect(title).to_have_value("Design it twice and take the better one")
    page.get_by_role("link", name="Goals").first.click()
    page.go_back()
    expect(title).to_have_value("Design it twice and take the better one")
    page.reload()
    expect(title).to_have_value("Design it twice and take the better one")
    expect(page.get_by_text("Your 1 edit becomes an event of its own.")).to_be_visible()


def test_who_answers_second_is_told_and_keeps_the_words(
    browser: Browser, hub: RunningHub, furnished: RunningHub, tmp_path: Path
) -> None:
    goal_id = hub.submit({"goal": "Answered twice"}, key="answered-twice")
    with Visitor(browser, hub.url, tmp_path) as first, Visitor(browser, hub.url, tmp_path) as second:
        first.open(f"/goals/{goal_id}")
        first.page.get_by_role("link", name="1 question waits for you").click()
        first.page.wait_for_url("**/inbox?item=*")
        second.open(first.page.url.removeprefix(hub.url))
        second.page.get_by_label("Add a note, or answer in your own words").fill("mine")
        hub.post(f"/goals/{goal_id}/cancel", {"reason": "somebody else was quicker"})
        expect(second.page.get_by_text("Nobody needs the answer any more.")).to_be_visible()
        expect(second.page.get_by_text("Not sent: “mine”")).to_be_visible()
        expect(first.page.get_by_text("Nobody needs the answer any more.")).to_be_visible()
        assert first.complaints == second.complaints == []


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_wrong_clock_makes_nobody_wait_longer_or_shorter(
    furnished: RunningHub, visitor: Visitor, hours: int
) -> None:
    visitor.page.clock.set_system_time(visitor.page.evaluate("Date.now()") + hours * _HOUR_MS)
    page = visitor.open(f"/inbox?item={_question(furnished)}")
    waiting = page.locator(".question-body").get_by_text(re.compile(r"^Waiting (\d+ m \d\d s|[1-9]\d* s)$"))
    expect(waiting).to_be_visible()


def test_a_goal_that_is_too_long_is_said_and_not_cut(hub: RunningHub, browser: Browser, tmp_path: Path) -> None:
    with Visitor(browser, hub.url, tmp_path) as visitor:
        page = visitor.open("/new")
        goal = page.get_by_label("Goal", exact=True)
        goal.fill("W" * 20_000 + "\x00\x1b[31m\u202e")
        expect(goal).to_have_value(re.compile("^W{20000}"))
        expect(page.locator(".submit-column .error").first).to_be_visible()
        # The browser itself prints that a check was refused.
        assert all("422" in text for text in visitor.complaints), visitor.complaints


def test_a_browser_without_room_takes_what_is_typed(hub: RunningHub, visitor: Visitor) -> None:
    visitor.page.add_init_script(_NO_ROOM)
    page = visitor.open("/new")
    goal = page.get_by_label("Goal", exact=True)
    goal.fill("Typed without room")
    expect(goal).to_have_value("Typed without room")
    page.get_by_role("button", name="Appearance").click()
    expect(page.locator("html")).to_have_attribute("data-scheme", "light")


def test_the_narrowest_phone_with_colours_of_its_own(
    browser: Browser, furnished: RunningHub, tmp_path: Path
) -> None:
    with Visitor(browser, furnished.url, tmp_path, scheme="dark", width=320) as visitor:
        visitor.page.emulate_media(forced_colors="active")
        too_wide = []
        for name, path in pages_of(furnished).items():
            visitor.open(path)
            visitor.settle()
            visitor.picture(name)
            if visitor.page.evaluate("document.querySelector('main').scrollWidth > innerWidth"):
                too_wide.append(name)
    assert too_wide == []


def test_on_paper_nothing_is_cut_and_nothing_can_be_pressed(furnished: RunningHub, visitor: Visitor) -> None:
    page = visitor.page
    for name in ("goals", "goal-requirements", "inbox", "review", "plan", "analytics"):
        visitor.open(pages_of(furnished)[name])
        visitor.settle()
        page.emulate_media(media="print")
        cut = page.evaluate("(main => main.scrollHeight - main.clientHeight)(document.querySelector('main'))")
        assert cut <= 1, f"{name} is cut by {cut} px"
        assert page.locator(".side:visible, .top:visible, .tabs:visible, .button:visible").count() == 0, name
        page.screenshot(path=visitor.folder / f"{name}-print.png", full_page=True)
        page.emulate_media(media="screen")


def test_on_paper_nothing_is_folded_dark_or_over_something_else(furnished: RunningHub, visitor: Visitor) -> None:
    goal_id = ready_goal(furnished)
    page = visitor.page
    page.add_init_script("localStorage.setItem('agenthub-scheme', 'dark')")
    logged = len(furnished.get(f"/goals/{goal_id}/events", limit=500)["items"])

    visitor.open(f"/goals/{goal_id}?task=t-implement-user-store")
    panel = page.locator("aside.task-panel")
    expect(panel.get_by_text("I write auth/users.py.")).to_be_visible()
    visitor.settle()
    assert page.evaluate(_BACKGROUND) != _WHITE, "on the screen it is dark, as it was chosen"
    page.emulate_media(media="print")
    expect(page.locator("[data-sequence]")).to_have_count(logged)
    assert page.evaluate(_BACKGROUND) == _WHITE
    assert panel.evaluate("panel => getComputedStyle(panel).position") == "static"
    expect(panel.locator("pre.edit").first).to_contain_text("def replace_hash")
    expect(page.locator(".task-table")).to_be_visible()
    sentence = page.locator("[data-sequence] > :last-child").first
    assert sentence.is_visible()
    page.screenshot(path=visitor.folder / "goal-print.png", full_page=True)
    page.emulate_media(media="screen")
    expect(page.locator(".react-flow__node").first).to_be_visible()
    assert page.locator("[data-sequence]").count() < logged, "only what is seen is in the page"

    visitor.open(f"/review/{goal_id}")
    visitor.settle()
    files = len(furnished.get(f"/goals/{goal_id}/diff")["files"])
    expect(page.locator("[data-file]")).to_have_count(1)
    page.get_by_label("Viewed").check()
    page.emulate_media(media="print")
    expect(page.locator("[data-file]")).to_have_count(files)
    expect(page.locator("[data-file] table")).to_have_count(files)
    page.screenshot(path=visitor.folder / "review-print.png", full_page=True)
    page.emulate_media(media="screen")
    expect(page.locator("[data-file]")).to_have_count(1)
    page.get_by_label("Viewed").uncheck()


def test_back_leaves_what_was_opened_last_and_an_address_opens_it_again(
    furnished: RunningHub, visitor: Visitor
) -> None:
    goal_id = ready_goal(furnished)
    page = visitor.open("/")
    page.goto(f"{visitor.url}/goals/{goal_id}")
    visitor.settle()
    tabs = page.get_by_role("tablist", name="Of this goal")
    panel = page.locator("aside.task-panel")
    tabs.get_by_role("tab", name="Usage").click()
    tabs.get_by_role("tab", name="Run").click()
    page.locator(".react-flow [data-node='t-implement-user-store']").click()
    panel.get_by_role("tab", name="Diff").click()
    expect(page).to_have_url(re.compile("panel=diff"))
    page.reload()
    expect(panel.get_by_role("tab", name="Diff")).to_have_attribute("aria-selected", "true")
    page.go_back()
    expect(panel).to_have_count(0)
    page.go_back()
    expect(tabs.get_by_role("tab", name="Usage")).to_have_attribute("aria-selected", "true")
    page.go_forward()
    page.go_forward()
    expect(panel.get_by_role("tab", name="Diff")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    page.go_back()
    expect(panel).to_have_count(1)
    for name in ("Requirements", "Diff", "Knowledge", "Usage", "Time", "Events", "Replay"):
        visitor.open(f"/goals/{goal_id}?tab={name.lower()}&task=t-implement-user-store&panel=context")
        expect(tabs.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        expect(panel.get_by_role("tab", name="Context")).to_have_attribute("aria-selected", "true")
    visitor.open(f"/goals/{goal_id}?tab=nonsense&panel=nonsense&task=nobody")
    expect(tabs.get_by_role("tab", name="Run")).to_have_attribute("aria-selected", "true")
