"""Before a goal is submitted, and looking after the fleet: what the hub says, and what is asked first."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import TimeoutError as Late
from playwright.sync_api import expect

from agenthub_events.runs import RunId, ToolIntent
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from tests.support.git_hosts import a_repository
from tests.support.running_hub import RunningHub
from tests.ui.visitor import Visitor, in_thread, rested


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
    page.get_by_label("Repository").fill("")
    page.get_by_label("Time", exact=True).fill("soon")
    expect(page.get_by_role("alert")).to_contain_text("`soon` is no duration")
    visitor.picture("submit-refused")
    assert visitor.findings() == []
    page.get_by_label("Time", exact=True).fill("")
    page.get_by_label("Network").fill("api.example.com, https://example.com/x")
    expect(page.get_by_role("alert")).to_contain_text("Name the host without scheme and path")
    page.get_by_label("Network").fill("api.example.com, db.example.com:8443")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".submit-aside pre").first).to_contain_text('"db.example.com:8443"')
    expect(page.locator(".submit-aside pre").last).to_contain_text("--network 'api.example.com'")
    assert hub.get("/goals")["items"] == before, "looking submits nothing"


async def _held_elsewhere(hub: RunningHub, run: RunId) -> None:
    """A worker of another machine says that it lives and holds an attempt, in which it runs a command."""
    nc = await connect(hub.ready.nats_url, "test", give_up_after_s=300)
    try:
        began = ToolIntent(turn=1, tool_use_id="c", name="bash", input={"command": "make everything"})
        await JetStreamRunLog(nc).append(run, began, expected=0)
        held = f"{run.goal_id}.{run.task_id}.{run.attempt}"
        elsewhere = WorkerStatus(
            worker="Far-1", instance="far", types=("coding",), slots=1, holding=(held,), sandbox="none"
        )
        await NatsFleet(nc).publish(elsewhere)
    finally:
        await nc.close()


def test_the_fleet_says_what_each_worker_does_now_and_what_the_last_hour_has_brought(
    hub: RunningHub, visitor: Visitor
) -> None:
    goal_id = hub.submit({"goal": "Held elsewhere"})
    rested(hub, goal_id, "awaiting_human")
    [task] = hub.get(f"/goals/{goal_id}/tasks")["items"]
    page = visitor.open("/fleet")
    row = page.locator("[data-worker='Far-1']")

    def seen() -> bool:
        in_thread(_held_elsewhere(hub, RunId(goal_id, task["task_id"], 9)))
        with suppress(Late):
            row.wait_for(timeout=5_000)
        return row.count() > 0

    assert any(seen() for _ in range(20)), "who says every few seconds that he lives is shown"
    expect(row).to_contain_text(task["title"])
    expect(row).to_contain_text("Held elsewhere")
    expect(row).to_contain_text("bash make everything")
    expect(row).to_contain_text("Working")
    expect(row.locator(".tag.tone-bad")).to_have_text("none")
    expect(page.locator("[data-worker='Worker-1']")).to_contain_text("bubblewrap")
    expect(page.locator("[data-stream='EVENTS']")).to_contain_text(re.compile(r"kept for ever\s*\d[\d.]* [kM]B"))
    planner = page.locator("[data-type='planner'] td")
    lately = next(one for one in hub.get("/fleet/lately")["queues"] if one["agent_type"] == "planner")
    assert lately["ended"] >= 1
    expect(planner.nth(8)).to_have_text(str(lately["redelivered"]))
    expect(planner.nth(9)).to_have_text(str(lately["ended"]))
    model = page.get_by_role("complementary", name="Model and hub")
    expect(model.get_by_text("rehearsal", exact=True)).to_be_visible()
    expect(model.get_by_text(re.compile("within the hour, .* each, 95 of 100 within"))).to_be_visible()
    visitor.picture("fleet-working")
    assert visitor.findings() == []
    hub.post(f"/goals/{goal_id}/cancel", {})


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
