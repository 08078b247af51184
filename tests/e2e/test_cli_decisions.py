"""What a person decides about a goal, from the command line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agenthub_events.catalogue.agent import AgentAnswered
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.catalogue.values import TaskEdits
from tests.support.running_hub import RunningHub, run_cli

pytestmark = pytest.mark.extra

PLAN = [{"key": "only", "title": "Do nothing", "agent": "noop"}]


async def test_a_plan_waits_for_its_approval_and_a_budget_can_be_raised_only(
    hub: RunningHub, tmp_path: Path
) -> None:
    workflow = tmp_path / "plan.json"
    workflow.write_bytes(msgspec.json.encode(PLAN))
    options = ("--workflow", str(workflow), "--autonomy", "approve_plan", "--max-llm-calls", "10", "--json")
    submitted = hub.cli("goal", "submit", "Do nothing, when I say so", *options)
    goal_id = msgspec.json.decode(submitted.stdout)["goal_id"]
    await hub.wait_for(goal_id, "awaiting_human", "workflow_generated")

    raised = hub.cli("goal", "budget", goal_id, "--max-llm-calls", "20")
    lowered = hub.cli("goal", "budget", goal_id, "--max-llm-calls", "5")
    early = hub.cli("goal", "note", goal_id, "t-only", "take care")
    approved = hub.cli("goal", "approve-plan", goal_id)

    assert raised.returncode == 0, raised.stderr
    assert (lowered.returncode, "can only be raised" in lowered.stderr) == (1, True)
    assert early.returncode == 1
    assert approved.returncode == 0, approved.stderr
    goal = await hub.wait_for(goal_id, "ready_for_review")
    assert goal["max_llm_calls"] == 20


async def test_an_answer_can_change_the_task(hub: RunningHub) -> None:
    goal_id = hub.submit({"goal": "Translate the Odyssey into Basque"})
    await hub.wait_for(goal_id, "awaiting_human")
    (question,) = hub.questions(goal_id)
    nothing = hub.cli("answer", question["id"], "--action", "edit")
    edited = hub.cli("answer", question["id"], "--action", "edit", "--details", "Into Breton", "--timeout-s", "99")

    assert (nothing.returncode, "--title, --details, --agent or --timeout-s" in nothing.stderr) == (2, True), (
        nothing.stderr
    )
    assert edited.returncode == 0, edited.stderr
    (answered,) = await hub.of(goal_id, AgentAnswered)
    assert answered.edits == TaskEdits(details="Into Breton", timeout_s=99)
    again = await hub.see(goal_id, lambda e: isinstance(e, TaskEnqueued) and e.attempt == 2)
    assert isinstance(again.event, TaskEnqueued)
    assert (again.event.details, again.event.timeout_s) == ("Into Breton", 99)
    assert hub.post(f"/goals/{goal_id}/cancel").status_code == 202


def test_a_hub_whose_workers_could_reach_no_model_does_not_start(tmp_path: Path) -> None:
    env = {"AGENTHUB_PROVIDER": "local", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    refused = run_cli("up", "--port", "0", "--data-dir", str(tmp_path / "hub"), env=env)

    assert refused.returncode == 2
    assert "AGENTHUB_MODEL" in refused.stderr
    assert not (tmp_path / "hub").exists()
