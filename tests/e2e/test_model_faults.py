"""A model that misbehaves, seen from the goal: the right outcome every time, and never a false success."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

import pytest

from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import GoalCancelled, GoalPlanned, GoalPlanRejected, GoalReadyForReview
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import (
    TaskCancelled,
    TaskCompleted,
    TaskEnqueued,
    TaskFailed,
    TaskStarted,
)
from agenthub_events.runs import RunId, ToolReceipt
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from tests.e2e import misbehaviour as m
from tests.e2e.misbehaviour import MisbehavingModel
from tests.support.until import until

pytestmark = pytest.mark.extra


async def test_i8_a_cancelled_goal_makes_no_model_call_two_seconds_later(misbehaving: MisbehavingModel) -> None:
    hub, model, goal_id = misbehaving.hub, misbehaving.model, misbehaving.goals[m.ENDLESS]
    tasks = {"t-endless", "t-endless-too"}
    await until(lambda: all(model.turns(goal_id, task_id) >= 3 for task_id in tasks), 30, "both are at work")
    assert hub.post(f"/goals/{goal_id}/cancel", {"reason": "enough"}).status_code == 202
    answered = time.monotonic()
    # The same worker carries another goal to its end meanwhile, which takes longer than the two seconds.
    await hub.wait_for(misbehaving.goals[m.UNLUCKY], "ready_for_review")
    assert time.monotonic() > answered + 2
    assert model.last_answered(goal_id) < answered + 2
    (cancelled,) = await hub.of(goal_id, GoalCancelled)
    limit = cancelled.timestamp + timedelta(seconds=2)
    late = [called for called in await hub.of(goal_id, LlmCalled) if called.timestamp > limit]
    assert late == []
    assert {event.task_id for event in await hub.of(goal_id, TaskCancelled)} == tasks


async def test_faults_on_the_wire_cost_no_attempt_and_lose_no_step(misbehaving: MisbehavingModel) -> None:
    hub, goal_id = misbehaving.hub, misbehaving.goals[m.UNLUCKY]
    await hub.wait_for(goal_id, "ready_for_review")
    wanted = {(f"t-{key}", fault.kind): fault.times for key, fault in m.FAULTS.items()}
    assert misbehaving.model.strikes(goal_id) == wanted, "every fault has struck"
    attempts = Counter(order.task_id for order in await hub.of(goal_id, TaskEnqueued))
    again = {task_id for task_id, count in attempts.items() if count > 1}
    assert again == {"t-refused"}, "only a refusal needs a second attempt"
    failed = await hub.of(goal_id, TaskFailed)
    assert [(event.task_id, event.failure_class) for event in failed] == [("t-refused", "model")]
    done = {event.task_id: event for event in await hub.of(goal_id, TaskCompleted)}
    for key in m.FAULTS:
        assert [change.path for change in done[f"t-{key}"].result.files] == [f"{key}.txt"]
    started = Counter(event.task_id for event in await hub.of(goal_id, TaskStarted))
    assert started == attempts


async def test_a_flood_of_output_is_capped_everywhere(misbehaving: MisbehavingModel) -> None:
    hub, goal_id = misbehaving.hub, misbehaving.goals[m.UNLUCKY]
    await hub.see(goal_id, lambda e: isinstance(e, TaskCompleted) and e.task_id == "t-flooded")
    nc = await connect(hub.ready.nats_url, "test", give_up_after_s=300)
    try:
        steps = await JetStreamRunLog(nc).read(RunId(goal_id, "t-flooded", 1))
        runs = await nc.jetstream().stream_info("RUNS")
    finally:
        await nc.close()
    (receipt,) = [recorded.step for recorded in steps if isinstance(recorded.step, ToolReceipt)]
    assert len(receipt.text) < 100_000
    assert runs.state.bytes < m.FLOOD_BYTES / 10


async def test_a_plan_is_repaired_before_anybody_else_sees_it(misbehaving: MisbehavingModel) -> None:
    hub, goal_id = misbehaving.hub, misbehaving.goals[m.PLANNED_LATE]
    await hub.wait_for(goal_id, "ready_for_review")
    (planned,) = await hub.of(goal_id, GoalPlanned)
    assert [task.key for task in planned.tasks] == ["mend"]
    assert await hub.of(goal_id, GoalPlanRejected) == []
    assert misbehaving.model.turns(goal_id, "plan-1") == 3


async def test_i6_a_claim_of_success_passes_no_gate_while_the_tests_fail(misbehaving: MisbehavingModel) -> None:
    hub, goal_id = misbehaving.hub, misbehaving.goals[m.LIAR]
    await hub.wait_for(goal_id, "awaiting_human")
    done = [event for event in await hub.of(goal_id, TaskCompleted) if event.task_id == "t-lie"]
    assert done[0].result.summary == "All tests pass"
    assert done[0].result.tests_run == "0 passed, 1 failed"
    failed = await hub.of(goal_id, GateFailed)
    assert {gate.gate for gate in failed} == {"tests"}
    assert all(gate.exit_code == 1 for gate in failed)
    assert await hub.of(goal_id, GatePassed) == []
    assert await hub.of(goal_id, GoalReadyForReview) == []
    (question,) = hub.questions(goal_id)
    assert "test_bad" in question["evidence"]


async def test_tests_that_are_deleted_or_skipped_pass_no_gate(misbehaving: MisbehavingModel) -> None:
    hub, goal_id = misbehaving.hub, misbehaving.goals[m.CHEAT]
    await hub.wait_for(goal_id, "awaiting_human")
    rounds = await hub.of(goal_id, GateFailed)
    assert [(gate.gate, gate.round) for gate in rounds] == [("tests", 1), ("tests", 2), ("tests", 3)]
    assert rounds[0].exit_code == 1
    deleted, skipped = rounds[1:]
    assert (deleted.exit_code, skipped.exit_code) == (0, 0), "the cheat is green, and does not help"
    assert "test_bad" in deleted.summary
    assert "skip" in skipped.summary
    assert await hub.of(goal_id, GatePassed) == []


async def test_an_agent_that_goes_round_in_circles_ends_at_a_person(misbehaving: MisbehavingModel) -> None:
    hub, goal_id = misbehaving.hub, misbehaving.goals[m.CIRCLE]
    await hub.wait_for(goal_id, "awaiting_human")
    (question,) = hub.questions(goal_id)
    assert (question["task_id"], question["reason"]) == ("t-circle", "loop")
    assert misbehaving.model.turns(goal_id, "t-circle") < 20
