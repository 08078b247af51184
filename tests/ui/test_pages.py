"""Every page and state, in both schemes and at both widths: nothing that axe finds, nothing in the console."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.running_hub import RunningHub, running_hub
from tests.ui.conftest import ready_goal
from tests.ui.visitor import Scheme, Visitor

FIRST_LOAD_MAX = 250_000
_LOOKS: list[tuple[Scheme, int]] = [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]


def pages_of(hub: RunningHub) -> dict[str, str]:
    """Every page of a furnished hub, by the name of its picture."""
    goals = hub.get("/goals", limit=50)["items"]
    by_state = {goal["status"]: goal["goal_id"] for goal in goals}
    ready, plan = ready_goal(hub), by_state["workflow_generated"]
    # Events are numbered over all goals: which one is this goal's second depends on what ran before.
    second = hub.get(f"/goals/{ready}/events", limit=2)["items"][1]["sequence"]
    stuck = next(goal["goal_id"] for goal in goals if goal["goal"].startswith("<img"))
    asks = next(item for item in hub.get("/interventions")["items"] if item["goal_id"] != stuck)
    return {
        "goals": "/",
        "goals-none": "/?q=nothing-is-called-that",
        "goal": f"/goals/{ready}",
        "goal-table": f"/goals/{ready}?pane=table",
        "goal-panel": f"/goals/{ready}?task=fix-tests-1-1&pane=graph",
        "goal-gate": f"/goals/{ready}?task=gate-tests-1",
        "goal-requirements": f"/goals/{ready}?tab=requirements",
        "goal-diff": f"/goals/{ready}?tab=diff",
        "goal-knowledge": f"/goals/{ready}?tab=knowledge",
        "goal-usage": f"/goals/{ready}?tab=usage",
        "goal-time": f"/goals/{ready}?tab=time",
        "goal-event": f"/goals/{ready}?tab=events&event={second}",
        "goal-replay": f"/goals/{ready}?tab=replay",
        "goal-replay-compare": f"/goals/{ready}?tab=replay&against={second}",
        "goal-hostile": f"/goals/{stuck}",
        "goal-cancelled": f"/goals/{by_state['cancelled']}",
        "inbox": f"/inbox?item={asks['id']}",
        "inbox-list": "/inbox",
        "reviews": "/review",
        "review": f"/review/{ready}?file=auth/jwt.py",
        "plan": f"/plan/{plan}",
        "dead-letters-none": "/dead-letters",
        "fleet": "/fleet",
        "analytics": "/analytics",
        "submit": "/new",
        "not-found": "/goals/g-00000000000000000000000000",
    }


@pytest.mark.parametrize(("scheme", "width"), _LOOKS)
def test_every_page_can_be_used_by_everybody_and_says_nothing_in_the_console(
    browser: Browser, furnished: RunningHub, tmp_path: Path, scheme: Scheme, width: int
) -> None:
    found: dict[str, list[str]] = {}
    with Visitor(browser, furnished.url, tmp_path, scheme=scheme, width=width) as visitor:
        for name, path in pages_of(furnished).items():
            visitor.open(path)
            visitor.settle()
            visitor.picture(name)
            if findings := visitor.findings():
                found[name] = findings
            wide = visitor.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, f"{name} is {wide} px wider than the window"
        complaints = [text for text in visitor.complaints if "404" not in text]
    assert found == {}
    assert complaints == []


def test_a_phone_leads_to_every_area(browser: Browser, furnished: RunningHub, tmp_path: Path) -> None:
    with Visitor(browser, furnished.url, tmp_path, scheme="dark", width=390) as visitor:
        page = visitor.open("/")
        visitor.settle()
        page.get_by_role("button", name="More").click()
        sheet = page.get_by_role("dialog", name="More")
        expect(sheet.get_by_role("link", name="Dead letters")).to_be_visible()
        visitor.picture("more")
        assert visitor.findings() == []
        sheet.get_by_role("link", name="Analytics").click()
        page.wait_for_url("**/analytics")
        expect(sheet).to_have_count(0)
        page.get_by_role("link", name="Goals").last.click()
        page.get_by_role("link", name="New goal").click()
        expect(page.get_by_label("Goal", exact=True)).to_be_focused()
        assert visitor.complaints == []


def test_words_of_others_are_shown_as_words(furnished: RunningHub, visitor: Visitor) -> None:
    page = visitor.open("/")
    expect(page.get_by_text("<img src=x onerror=alert(1)>").first).to_be_visible()
    assert page.locator("main img").count() == 0


def test_a_first_run_offers_examples(browser: Browser, tmp_path: Path) -> None:
    with (
        running_hub(tmp_path / "empty", "--workers", "coding=1") as empty,
        Visitor(browser, empty.url, tmp_path, scheme="dark") as visitor,
    ):
        page = visitor.open("/")
        expect(page.get_by_role("heading", name="No goals yet")).to_be_visible()
        visitor.picture("goals-empty")
        assert visitor.findings() == []
        page.get_by_role("link", name="Inbox").first.click()
        expect(page.get_by_role("heading", name="Nobody needs you")).to_be_visible()
        visitor.picture("inbox-empty")
        assert visitor.findings() == []
        assert visitor.complaints == []


def test_the_first_page_needs_less_than_250_kilobytes() -> None:
    folder = Path("services/gateway/agenthub_gateway/ui")
    index = (folder / "index.html").read_text(encoding="utf-8")
    names = re.findall(r'(?:src|href)="/static/([^"]+)"', index)
    sizes = {name: len(gzip.compress((folder / name).read_bytes(), 9)) for name in names}
    assert sum(sizes.values()) < FIRST_LOAD_MAX, sizes
