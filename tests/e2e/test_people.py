"""Where a person is needed: an agent that is blocked, a goal that nobody knows, and what the answers do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.goal import GoalReadyForReview
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued
from tests.support.running_hub import RunningHub
from tests.support.until import until

pytestmark = pytest.mark.extra

Samples = dict[str, dict[str, Any]]
CALCULATOR = "t-implement-price-calculator"


async def test_a_blocked_agent_is_asked_about_and_answered_over_http(hub: RunningHub, samples: Samples) -> None:
    goal_id = str(samples["price"]["goal_id"])
    goal = await hub.wait_for(goal_id, "awaiting_human")
    assert goal["needs_you"]
    (question,) = hub.questions(goal_id)
    assert (question["task_id"], question["reason"]) == (CALCULATOR, "question")
    assert "between two cents" in question["question"]

    notice = {
        "type": "intervention_required",
        "workflow_id": goal_id,
        "blocked_tasks": [
            {
                "task_id": CALCULATOR,
                "title": "Implement the price calculator",
                "blocker_reason": question["question"],
            }
        ],
        "message": "Agents need your input to continue",
    }
    assert notice in hub.get("/interventions")["notifications"]
    assert streamed(hub, goal_id, "intervention_required") == notice
    assert streamed(hub, goal_id, "task.blocked")["event"]["task_id"] == CALCULATOR

    assert hub.answer(question["id"], action="answer", option=question["options"][1]).status_code == 202
    late = hub.answer(question["id"], action="answer", option=question["options"][0])
    assert late.status_code == 409, late.text
    assert late.json()["detail"].startswith("Answered by local")

    await hub.wait_for(goal_id, "ready_for_review")
    assert hub.questions(goal_id) == []
    log = [r.event for r in await hub.events(goal_id)]
    story = [
        event
        for event in log
        if isinstance(event, AgentBlocked | AgentAnswered | TaskCompleted | TaskEnqueued)
        and event.task_id == CALCULATOR
    ]
    assert [event.type for event in story] == [
        *("task.enqueued", "agent.blocked", "agent.answered", "task.enqueued", "task.completed"),
    ]
    again = story[3]
    assert isinstance(again, TaskEnqueued)
    assert (again.lane, again.resumes, again.retry_count) == ("p0", 1, 0)
    done = story[4]
    assert isinstance(done, TaskCompleted)
    assert "half-up" in done.result.summary
    assert sum(isinstance(event, GoalReadyForReview) for event in log) == 1


async def test_the_rehearsal_model_refuses_a_goal_that_it_does_not_know(hub: RunningHub, samples: Samples) -> None:
    goal_id = str(samples["unknown"]["goal_id"])
    await hub.wait_for(goal_id, "awaiting_human")
    (question,) = hub.questions(goal_id)
    for word in ("rehearsal", "Build authentication system with JWT", "ANTHROPIC_API_KEY", "cancel the goal"):
        assert word in f"{question['question']} {question['options']}"
    assert hub.answer(question["id"], action="cancel").status_code == 202
    await until(lambda: hub.questions(goal_id) != [question], what="the answer has come through")
    assert hub.post(f"/goals/{goal_id}/cancel").status_code in (202, 409)
    await hub.wait_for(goal_id, "cancelled", "failed")


def streamed(hub: RunningHub, goal_id: str, kind: str) -> dict[str, Any]:
    """The first frame of a kind about the goal, from the live feed, read from its beginning."""
    params = {"goal": goal_id, "type": kind, "from": "0"}
    with hub.http.stream("GET", "/api/v1/stream", params=params) as response:
        assert response.status_code == 200
        for line in response.iter_lines():
            if line.startswith("data:"):
                body: dict[str, Any] = msgspec.json.decode(line.removeprefix("data:").strip())
                return body
    raise AssertionError(f"the feed ended without a frame of {kind}")
