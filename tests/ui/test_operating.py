"""Before a goal is submitted, and looking after the fleet: what the hub says, and what is asked first."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.support.git_hosts import a_repository
from tests.support.running_hub import RunningHub
from tests.ui.visitor import Visitor


def test_the_form_says_what_the_hub_would_take_it_as(hub: RunningHub, visitor: Visitor, tmp_path: Path) -> None:
    files = {"shop/vat.py": "", "tests/test_vat.py": "", "requirements.txt": "nobody-has-this==1\n"}
    repository = a_repository(tmp_path / "shop", files, bare=False)
    before = hub.get("/goals")["items"]
    page = visitor.open("/new")
    understood = page.get_by_label("Understood")
    expect(understood).to_contain_text("As soon as there is a goal")
    page.get_by_label("Goal", exact=True).fill("Round VAT as the law says")
    page.get_by_label("Add a requirement").fill("Unit tests >90% coverage")
    page.keyboard.press("Enter")
    expect(understood).to_contain_text("tests · coverage ≥ 90%")
    page.get_by_label("Repository").fill(str(repository))
    expect(page.get_by_text(re.compile(r"At [0-9a-f]{7}, 3 files, tests in 1 file"))).to_be_visible()
    expect(page.get_by_text("Found: python -m pytest")).to_be_visible()
    expect(page.get_by_text("Found: 1 command by requirements.txt")).to_be_visible()
    visitor.picture("submit-found")
    assert visitor.findings() == []
    page.get_by_label("Repository").fill(str(tmp_path / "nowhere"))
    expect(page.get_by_role("alert")).to_contain_text("There is no git repository at")
    page.get_by_label("Time", exact=True).fill("soon")
    page.get_by_label("Repository").fill("")
    expect(page.get_by_role("alert")).to_contain_text("`soon` is no duration")
    visitor.picture("submit-refused")
    assert visitor.findings() == []
    page.get_by_label("Time", exact=True).fill("")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert hub.get("/goals")["items"] == before, "looking submits nothing"


def test_a_queue_is_held_back_and_let_go_after_a_question(hub: RunningHub, visitor: Visitor) -> None:
    page = visitor.open("/fleet")
    row = page.locator("[data-type='architect']")
    row.get_by_role("button", name="Pause architect").click()
    asked = page.get_by_role("dialog", name="Pause architect")
    expect(asked).to_contain_text("What is being worked on is finished")
    visitor.picture("fleet-pause")
    assert visitor.findings() == []
    asked.get_by_role("button", name="Leave it so").click()
    expect(asked).to_be_hidden()
    assert hub.get("/holds")["paused"] == []
    row.get_by_role("button", name="Pause architect").click()
    asked.get_by_label("Reason").fill("the plans are too large")
    asked.get_by_role("button", name="Pause architect").click()
    resume = row.get_by_role("button", name="Resume architect")
    expect(resume).to_be_visible()
    [hold] = hub.get("/holds")["paused"]
    assert (hold["agent_type"], hold["reason"]) == ("architect", "the plans are too large")
    visitor.picture("fleet-paused")
    assert visitor.findings() == []
    resume.click()
    page.get_by_role("dialog", name="Resume architect").get_by_role("button", name="Resume architect").click()
    expect(row.get_by_role("button", name="Pause architect")).to_be_visible()
    assert hub.get("/holds")["paused"] == []


def test_workers_are_added_and_let_go_one_by_one(hub: RunningHub, visitor: Visitor) -> None:
    page = visitor.open("/fleet")
    row = page.locator("[data-type='coding']")
    workers = page.locator("[data-worker]")
    expect(workers).to_have_count(5)
    row.get_by_role("button", name="One coding worker more").click()
    asked = page.get_by_role("dialog", name="One coding worker more")
    expect(asked).to_contain_text("The next start of the hub counts by its settings again")
    asked.get_by_role("button", name="One coding worker more").click()
    expect(workers).to_have_count(6)
    row.get_by_role("button", name="One coding worker less").click()
    asked = page.get_by_role("dialog", name="One coding worker less")
    expect(asked).to_contain_text("One of 3 workers for coding takes nothing new, finishes what it holds")
    asked.get_by_role("button", name="One coding worker less").click()
    expect(workers).to_have_count(5)
    shared = page.locator("[data-type='debug']")
    expect(shared.get_by_role("button", name="One debug worker less")).to_be_disabled()
