"""Who looks at another page, or at none, is told all the same."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.running_hub import BLOCKED_SAMPLE, RunningHub
from tests.ui.visitor import Visitor, rested

# A browser without a desktop shows no notice; what the page gives to it is kept instead, and the page is told that
# nobody sees it.
_KEPT = """
  window.given = [];
  window.Notification = class {
    static permission = 'granted';
    constructor(title, options) { window.given.push({title, ...options}); }
  };
  window.unseen = false;
  Object.defineProperty(document, 'hidden', {get: () => window.unseen});
"""


def test_a_question_and_a_result_are_told_by_toast_title_centre_and_browser(
    hub: RunningHub, visitor: Visitor
) -> None:
    visitor.page.add_init_script(_KEPT)
    page = visitor.open("/fleet")
    expect(page.locator(".log-chip.live")).to_be_visible()
    goal_id = hub.submit(BLOCKED_SAMPLE)
    asked = page.get_by_role("status").get_by_text("An agent of “Build a price calculator with VAT” asks you")
    expect(asked).to_be_visible()
    assert visitor.findings() == []
    visitor.picture("toast")
    assert page.evaluate("window.given") == [], "who sees the page needs no second notice"
    expect(page).to_have_title(re.compile(r"^\(\d+\) Fleet"))

    rested(hub, goal_id, "awaiting_human")
    page.evaluate("window.unseen = true")
    (question,) = hub.questions(goal_id)
    assert hub.answer(question["id"], action="answer", option=question["options"][0]).status_code == 202
    rested(hub, goal_id, "ready_for_review")
    ready = "Goal “Build a price calculator with VAT” is ready for review"
    page.wait_for_function("title => window.given.some((notice) => notice.title === title)", arg=ready)
    told = [notice for notice in page.evaluate("window.given") if notice["title"] == ready]
    assert [notice["tag"] for notice in told] == [f"{goal_id}-goal.ready_for_review"]
    page.get_by_role("button", name="Notifications", exact=False).click()
    centre = page.locator("#notification-centre")
    expect(centre.get_by_role("link", name=ready)).to_be_visible()
    visitor.picture("notification-centre")
    assert visitor.findings() == []
    centre.get_by_role("link", name=ready).click()
    page.wait_for_url(f"**/review/{goal_id}")
