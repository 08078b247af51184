"""A finished goal is looked at as it was, asked why, compared with itself, and forked, in a browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.running_hub import RunningHub
from tests.ui.conftest import ready_goal
from tests.ui.visitor import Visitor, once, rested


def sequence_of(hub: RunningHub, goal_id: str, kind: str, place: int) -> int:
    events = hub.get(f"/goals/{goal_id}/events", limit=500)["items"]
    return int([event["sequence"] for event in events if event["type"] == kind][place])


def as_of(page: Page, seq: int) -> None:
    expect(page.get_by_role("region", name=f"As of event {seq}")).to_be_visible()


def test_the_slider_shows_state_graph_spend_and_files_of_an_event(furnished: RunningHub, visitor: Visitor) -> None:
    goal_id = ready_goal(furnished)
    planned = sequence_of(furnished, goal_id, "goal.planned", 0)
    page = visitor.open(f"/goals/{goal_id}?tab=replay&at={planned}")
    as_of(page, planned)
    then = page.get_by_role("region", name=f"As of event {planned}")
    expect(then.locator(".chip").first).to_have_text("Plan ready")
    expect(then.get_by_text("0 of 13 tasks")).to_be_hidden()
    expect(page.get_by_role("region", name="Files")).to_contain_text("Agents had changed nothing.")
    visitor.picture("replay-planned")
    page.get_by_role("button", name="The next event").click()
    after = sequence_after(furnished, goal_id, planned)
    as_of(page, after)
    slider = page.get_by_role("slider", name="As of")
    slider.press("End")
    last = furnished.get(f"/goals/{goal_id}")["last_seq"]
    as_of(page, last)
    files = page.get_by_role("region", name="Files")
    expect(files.get_by_text("auth/jwt.py", exact=True)).to_be_visible()
    shown = furnished.get(f"/goals/{goal_id}/diff", at_seq=last)
    assert shown["head"] == furnished.get(f"/goals/{goal_id}")["head"]


def sequence_after(hub: RunningHub, goal_id: str, seq: int) -> int:
    events = hub.get(f"/goals/{goal_id}/events", limit=500)["items"]
    return min(int(event["sequence"]) for event in events if event["sequence"] > seq)


def test_two_positions_are_compared_and_an_event_says_why(furnished: RunningHub, visitor: Visitor) -> None:
    goal_id = ready_goal(furnished)
    first = sequence_of(furnished, goal_id, "merge.done", 0)
    second = sequence_of(furnished, goal_id, "merge.done", 3)
    page = visitor.open(f"/goals/{goal_id}?tab=replay&at={second}&against={first}")
    between = page.get_by_role("region", name=f"Between event {first} and event {second}")
    expect(between).to_contain_text("Completed")
    told = furnished.get(f"/goals/{goal_id}/replay/diff", **{"from": first, "to": second})
    expect(between).to_contain_text(f"{len(told['changes'])} values changed")
    changed = between.get_by_role("group", name="What changed")
    then, now = (furnished.get(f"/goals/{goal_id}/replay", at_seq=seq)["goal"] for seq in (first, second))
    sums = changed.get_by_role("row").filter(has_text="Tasks done")
    expect(sums).to_contain_text(f"{then['tasks_done']} of {then['tasks_total']}")
    expect(sums).to_contain_text(f"{now['tasks_done']} of {now['tasks_total']}")
    expect(changed.get_by_text("task.completed").first).to_be_visible()
    expect(page.get_by_role("region", name="Files")).to_contain_text(f"changed between #{first} and #{second}")
    visitor.picture("replay-compared")
    done = sequence_of(furnished, goal_id, "task.completed", -1)
    page = visitor.open(f"/goals/{goal_id}?tab=events&event={done}")
    page.get_by_role("button", name="Why", exact=True).click()
    why = page.get_by_role("region", name=f"Why event {done} happened")
    expect(why).to_contain_text("Submitted goal: Build authentication system with JWT")
    visitor.picture("replay-why")
    assert visitor.findings() == []


def test_a_goal_goes_on_from_an_event_as_another_one(furnished: RunningHub, visitor: Visitor) -> None:
    goal_id = ready_goal(furnished)
    at_seq = sequence_of(furnished, goal_id, "task.completed", 5)
    before = furnished.get(f"/goals/{goal_id}/events", limit=500)["items"]
    page = visitor.open(f"/goals/{goal_id}?tab=replay&at={at_seq}")
    as_of(page, at_seq)
    page.get_by_role("button", name="Fork from here").click()
    form = page.get_by_role("dialog", name=f"Fork from #{at_seq}")
    form.get_by_label("What every agent is told").fill("Keep it short")
    form.get_by_label("Limit of money").fill("7")
    visitor.picture("replay-fork")
    assert visitor.findings() == []
    form.get_by_role("button", name="Fork", exact=True).click()
    page.wait_for_url(lambda url: "/goals/g-" in url and goal_id not in url)
    forked = page.url.split("/goals/")[1].split("?", maxsplit=1)[0]
    expect(page.get_by_role("link", name=f"{goal_id} at #{at_seq}")).to_be_visible()
    rested(furnished, forked, "ready_for_review", "awaiting_human")
    seen = furnished.get(f"/goals/{forked}")
    assert (seen["forked_from"], seen["forked_at_seq"], seen["max_cost_usd"]) == (goal_id, at_seq, 7)
    assert furnished.get(f"/goals/{goal_id}/events", limit=500)["items"] == before
    visitor.picture("replay-forked")
    page = visitor.open("/")
    expect(page.locator(f"[data-goal='{forked}']")).to_contain_text(f"of {goal_id} at #{at_seq}")
    page = visitor.open(f"/goals/{forked}")
    page.get_by_role("link", name=f"{goal_id} at #{at_seq}").click()
    as_of(page, at_seq)


def test_a_fork_has_another_plan_for_what_had_not_ended(furnished: RunningHub, visitor: Visitor) -> None:
    goal_id = ready_goal(furnished)
    at_seq = sequence_of(furnished, goal_id, "task.completed", 5)
    page = visitor.open(f"/goals/{goal_id}?tab=replay&at={at_seq}")
    as_of(page, at_seq)
    page.get_by_role("button", name="Fork from here").click()
    form = page.get_by_role("dialog", name=f"Fork from #{at_seq}")
    form.get_by_label("Another plan for what had not ended").check()
    rows = form.locator("[data-key]")
    expect(rows.first).to_be_visible()
    left = rows.count()
    assert left > 1
    expect(form).to_contain_text("had ended and stay as they are")
    form.get_by_label("Title of task 1", exact=True).fill("Do it in another way")
    form.get_by_role("button", name=f"Remove task {left}", exact=False).click()
    expect(rows).to_have_count(left - 1)
    visitor.picture("replay-fork-plan")
    assert visitor.findings() == []
    form.get_by_role("button", name="Fork", exact=True).click()
    page.wait_for_url(lambda url: "/goals/g-" in url and goal_id not in url)
    forked = page.url.split("/goals/")[1].split("?", maxsplit=1)[0]
    titles = once(lambda: [task["title"] for task in furnished.get(f"/goals/{forked}/tasks")["items"]], "a plan")
    assert "Do it in another way" in titles
    furnished.post(f"/goals/{forked}/cancel", {})
