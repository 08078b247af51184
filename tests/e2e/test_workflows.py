"""Manual workflows over HTTP: what may run at the same time does, a join waits, and only what must wait waits."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agenthub_events.catalogue.goal import GoalReadyForReview
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued
from tests.support.running_hub import RunningHub
from tests.support.scripted import TWELVE
from tests.support.until import until

pytestmark = pytest.mark.extra


def workflow(tasks: Sequence[tuple[str, Sequence[str]]], agent: str = "noop") -> list[dict[str, object]]:
    return [
        {"key": key, "title": key.replace("-", " "), "agent": agent, "depends_on": list(depends_on)}
        for key, depends_on in tasks
    ]


async def test_twelve_tasks_run_as_early_as_their_dependencies_allow(hub: RunningHub) -> None:
    goal_id = hub.submit({"goal": "Twelve steps", "workflow": workflow(TWELVE)})
    await hub.wait_for(goal_id, "ready_for_review")
    log = await hub.events(goal_id)
    queued = {r.event.task_id: r for r in log if isinstance(r.event, TaskEnqueued)}
    ended = {r.event.task_id: r for r in log if isinstance(r.event, TaskCompleted)}
    assert set(ended) == {f"t-{key}" for key, _ in TWELVE}
    for key, depends_on in TWELVE:
        done = [ended[f"t-{name}"].seq for name in depends_on]
        assert queued[f"t-{key}"].seq > max(done, default=0), f"{key} waits for what it depends on"
    roots = [r.event for r in log if isinstance(r.event, TaskEnqueued) and not r.event.depends_on]
    assert len(roots) == 2
    assert len({root.metadata["observed_seq"] for root in roots}) == 1, "both are enqueued in one decision"
    assert sum(isinstance(r.event, GoalReadyForReview) for r in log) == 1


async def test_only_what_depends_on_a_blocked_task_waits_for_the_person(hub: RunningHub) -> None:
    tasks = [
        *workflow([("ask-somebody", ())], agent="coding"),
        *workflow([("go-on", ()), ("go-further", ("go-on",)), ("wait-for-both", ("go-further", "ask-somebody"))]),
    ]
    goal_id = hub.submit({"goal": "One of these is unknown to the rehearsal model", "workflow": tasks})
    await hub.wait_for(goal_id, "awaiting_human")

    def states() -> dict[str, str]:
        items = hub.get(f"/goals/{goal_id}/tasks")["items"]
        return {task["key_name"]: task["status"] for task in items}

    waiting = {"ask-somebody": "blocked", "go-on": "done", "go-further": "done", "wait-for-both": "pending"}
    await until(lambda: states() == waiting, what="all but the blocked part is done")
    assert hub.post(f"/goals/{goal_id}/cancel", {"reason": "seen enough"}).status_code == 202
    await hub.wait_for(goal_id, "cancelled")
    await until(
        lambda: states() == {**waiting, "ask-somebody": "cancelled", "wait-for-both": "cancelled"},
        what="what was open is cancelled",
    )
    assert hub.questions(goal_id) == []


async def test_a_workflow_that_cannot_work_is_refused_and_leaves_nothing(hub: RunningHub) -> None:
    def refusal(tasks: list[dict[str, object]]) -> str:
        response = hub.post("/goals", {"goal": "Never", "workflow": tasks})
        assert response.status_code == 422, response.text
        assert response.headers["content-type"] == "application/problem+json"
        return response.text

    assert "empty" in refusal([])
    assert "nowhere" in refusal(workflow([("a", ("nowhere",))]))
    assert "used twice" in refusal(workflow([("a", ()), ("a", ())]))
    assert "`b`" in refusal(workflow([("a", ("b",)), ("b", ("a",))]))
    assert "Never" not in [goal["goal"] for goal in hub.get("/goals", limit=500)["items"]]
