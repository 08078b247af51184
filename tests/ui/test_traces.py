"""Where the time of a goal has gone, in a browser and by keys alone."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.support.running_hub import RunningHub
from tests.ui.conftest import ready_goal
from tests.ui.visitor import Visitor

LONG_MS = 300_000


def focused(tree: Locator) -> Locator:
    return tree.locator("[role=treeitem]:focus")


def test_the_time_of_a_goal_is_opened_down_to_a_step_by_keys(furnished: RunningHub, visitor: Visitor) -> None:
    goal_id = ready_goal(furnished)
    page = visitor.open(f"/goals/{goal_id}?tab=time")
    tree = page.get_by_role("tree", name="Where the time of this goal has gone")
    attempt = tree.get_by_role("treeitem", name=re.compile("process coding t-implement-jwt-module"))
    expect(attempt.first).to_be_visible(timeout=LONG_MS)
    assert tree.get_by_text(re.compile("decide ")).count() == 0
    attempt.first.click()
    expect(attempt.first).to_have_attribute("aria-expanded", "true")
    attempt.first.press("ArrowDown")
    expect(focused(tree)).to_have_attribute("aria-level", "2")
    facts = page.get_by_role("region", name=re.compile("^About "))
    expect(facts).to_contain_text("worker.coding")
    assert visitor.findings() == []
    visitor.picture("goal-time-open")
    focused(tree).press("ArrowLeft")
    expect(focused(tree)).to_have_attribute("aria-level", "1")
    focused(tree).press("ArrowLeft")
    expect(focused(tree)).to_have_attribute("aria-expanded", "false")
    page.get_by_role("button", name="Decisions and read models").click()
    expect(tree.get_by_text(re.compile("decide ")).first).to_be_visible()


def test_the_panel_of_a_task_shows_the_steps_of_one_attempt(furnished: RunningHub, visitor: Visitor) -> None:
    goal_id = ready_goal(furnished)
    page = visitor.open(f"/goals/{goal_id}?task=t-implement-jwt-module")
    page.get_by_role("tab", name="Trace").click()
    tree = page.get_by_role("tree", name="Where the time of attempt 1 has gone")
    attempt = tree.get_by_role("treeitem", name=re.compile("^.?process coding"))
    expect(attempt.first).to_be_visible(timeout=LONG_MS)
    attempt.first.press("Enter")
    expect(tree.get_by_text(re.compile("invoke_agent")).first).to_be_visible()
    others = [row for row in tree.get_by_role("treeitem").all_inner_texts() if "t-write-tests" in row]
    assert others == []
    assert visitor.findings() == []
