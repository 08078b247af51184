"""What few hubs show and each may: very many, very long, from right to left, nobody there, the hub gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from agenthub_events.catalogue.task import TaskDeadLettered, TaskEnqueued
from agenthub_runtime.jetstream.connection import connect
from tests.support.running_hub import Body, RunningHub, running_hub
from tests.ui.visitor import PICTURES, Scheme, Visitor, answers_late, in_thread, rested

QUESTIONS = 40
ONLY: Body = {"key": "only", "title": "Do it", "agent": "coding"}
RIGHT_TO_LEFT = "בניית מערכת הזדהות עם JWT, כולל חידוש אסימונים"
# Set in every page before its own scripts: when the first words and the first node of the graph were painted.
_WATCH = """
  window.painted = {};
  const look = () => {
    const note = (name, selector) => {
      if (!(name in window.painted) && document.querySelector(selector)) window.painted[name] = performance.now();
    };
    note('words', 'main h1');
    note('graph', '.react-flow__node');
    if (!('graph' in window.painted)) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
"""


def _plan(tasks: int, width: int) -> list[Body]:
    """Layers of independent tasks, each after two of the layer before."""
    return [
        {
            "key": f"t{number}",
            "title": f"Part {number}",
            "agent": "noop",
            "depends_on": [f"t{number - width}", f"t{number - width + 1 - (number % width == width - 1) * width}"]
            if number >= width
            else [],
        }
        for number in range(tasks)
    ]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    folder = tmp_path_factory.mktemp("many") / "hub"
    with running_hub(folder, "--workers", "planner=2,noop=2") as running:
        yield running


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_a_graph_of_500_tasks_is_drawn_soon_and_laid_out_in_another_thread(
    browser: Browser, many: RunningHub, tmp_path: Path, scheme: Scheme, width: int
) -> None:
    body = {"goal": "Five hundred parts", "workflow": _plan(500, 20), "autonomy": "approve_plan"}
    goal_id = many.submit(body, key="five-hundred")
    rested(many, goal_id, "workflow_generated")
    with Visitor(browser, many.url, tmp_path, scheme=scheme, width=width) as visitor:
        visitor.page.add_init_script(_WATCH)
        page = visitor.open(f"/goals/{goal_id}?pane=graph")
        expect(page.locator("[data-layout='done'] .react-flow__node").first).to_be_visible()
        assert any("layout" in worker.url for worker in page.workers)
        visitor.settle()
        _record(page, f"graph-500-{width}")
        visitor.picture("edge-500-tasks")
        assert visitor.findings() == []
        assert visitor.complaints == []


def _record(page: Page, name: str) -> None:
    """Keep and print what was measured: milliseconds from the navigation on."""
    found = page.evaluate(
        """() => ({
          first_paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null,
          words: window.painted.words, graph: window.painted.graph,
        })"""
    )
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.json").write_text(json.dumps(found))
    print(f"{name}: {found}")  # noqa: T201


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_forty_questions_are_one_list(
    browser: Browser, many: RunningHub, tmp_path: Path, scheme: Scheme, width: int
) -> None:
    goals = [many.submit({"goal": f"{RIGHT_TO_LEFT} {number}"}, key=f"q{number}") for number in range(QUESTIONS)]
    for goal_id in goals:
        rested(many, goal_id, "awaiting_human")
    with Visitor(browser, many.url, tmp_path, scheme=scheme, width=width) as visitor:
        page = visitor.open("/inbox")
        expect(page.locator(f"text={QUESTIONS} blocked").first).to_be_visible()
        visitor.settle()
        visitor.picture("edge-40-questions")
        assert visitor.findings() == []
        page = visitor.open(f"/goals/{goals[0]}")
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_contain_text(RIGHT_TO_LEFT)
        assert heading.evaluate("element => getComputedStyle(element).direction") == "rtl"
        visitor.settle()
        visitor.picture("edge-right-to-left")
        assert visitor.findings() == []
        assert visitor.complaints == []


def test_ten_thousand_events_are_scrolled_and_found(browser: Browser, many: RunningHub, tmp_path: Path) -> None:
    goal_id = many.submit({"goal": "Ten thousand events", "workflow": _plan(3_400, 50)}, key="ten-thousand")
    rested(many, goal_id, "completed", "ready_for_review")
    last = many.get(f"/goals/{goal_id}")["last_seq"]
    with Visitor(browser, many.url, tmp_path) as visitor:
        page = visitor.open(f"/goals/{goal_id}?tab=events")
        expect(page.locator(f"[data-sequence='{last}']")).to_be_visible()
        assert page.locator("[data-sequence]").count() < 200, "only what is seen is in the page"
        visitor.settle()
        visitor.picture("edge-10000-events")
        page.get_by_label("Filter events").fill("t1234")
        expect(page.locator("[data-sequence]").first).to_be_visible()
        assert visitor.findings() == []
        assert visitor.complaints == []


async def _given_up(hub: RunningHub, goals: set[str]) -> None:
    """The server gives up the one order of each of these goals."""
    for goal_id in goals:
        await hub.see(goal_id, lambda event: isinstance(event, TaskEnqueued) and event.task_id == "t-only")
    nc = await connect(hub.ready.nats_url, "test", give_up_after_s=300)
    try:
        queue = await nc.jetstream().pull_subscribe_bind("work-coding-p2", "EVENTS")
        waiting = set(goals)
        while waiting:
            for order in await queue.fetch(10, timeout=30):
                waiting.discard(order.subject.split(".")[1])
                await order.term()
    finally:
        await nc.close()
    for goal_id in goals:
        await hub.see(goal_id, lambda event: isinstance(event, TaskDeadLettered))


def test_dead_letters_are_sorted_and_each_gets_its_decision(
    browser: Browser, many: RunningHub, tmp_path: Path
) -> None:
    names = {name: many.submit({"goal": name, "workflow": [ONLY]}) for name in ("First", "Second", "Third")}
    in_thread(_given_up(many, set(names.values())))
    with (
        Visitor(browser, many.url, tmp_path) as visitor,
        Visitor(browser, many.url, tmp_path, scheme="dark", width=390) as phone,
    ):
        page = visitor.open("/dead-letters")
        rows = page.locator("[data-letter]")
        expect(rows).to_have_count(3)
        for one in (visitor, phone):
            one.open("/dead-letters")
            one.settle()
            one.picture("dead-letters")
            assert one.findings() == []
        pane = page.get_by_role("complementary", name="The chosen dead letter")
        rows.filter(has_text="Third").get_by_role("button").click()
        expect(pane.get_by_role("link", name="Third")).to_be_visible()
        pane.get_by_role("button", name="Discard").click()
        asked = page.get_by_role("dialog", name="Discard")
        asked.get_by_label("Reason").fill("nobody needs it")
        visitor.picture("dead-letters-discard")
        # The page may learn what became of it before it hears the answer: what is picked meanwhile stays picked.
        with answers_late(page, "/discard"):
            asked.get_by_role("button", name="Discard").click()
            expect(rows).to_have_count(2)
            rows.filter(has_text="Second").get_by_role("checkbox").check()
        page.get_by_role("button", name="Retry", exact=True).first.click()
        expect(rows).to_have_count(1)
        assert visitor.complaints == []
    events = {name: [e["type"] for e in many.get(f"/goals/{one}/events")["items"]] for name, one in names.items()}
    assert ("task.requeued" in events["Second"], "task.discarded" in events["Third"]) == (True, True)
    assert not {"task.requeued", "task.discarded"} & set(events["First"])
    for goal_id in names.values():
        many.post(f"/goals/{goal_id}/cancel", {})


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_nobody_there_to_work_and_then_the_hub_gone(
    browser: Browser, tmp_path: Path, scheme: Scheme, width: int
) -> None:
    with Visitor(browser, "", tmp_path, scheme=scheme, width=width) as visitor:
        with running_hub(tmp_path / "alone", "--workers", "noop=1") as alone:
            visitor.url = alone.url
            goal_id = alone.submit({"goal": "Nobody is there to plan this"})
            page = visitor.open(f"/goals/{goal_id}")
            visitor.settle()
            expect(page.get_by_text("no running worker serves `planner`").first).to_be_visible()
            visitor.picture("edge-no-worker")
            assert visitor.findings() == []
            visitor.open("/")
            visitor.settle()
        banner = page.get_by_role("alert").filter(has_text="Connection lost")
        expect(banner).to_be_visible()
        visitor.picture("edge-hub-gone")
        assert visitor.findings() == []
        expect(page.locator("main").get_by_text("Nobody is there to plan this")).to_be_visible()
