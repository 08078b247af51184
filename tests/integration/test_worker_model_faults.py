"""A model that misbehaves over the wire: every kind has its outcome, and no recorded step is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskCompleted, TaskFailed, TaskParked, TaskStarted
from agenthub_events.rules.budget import Spent
from agenthub_events.runs import Nudge, ToolIntent, ToolReceipt, TurnIntent, TurnReply
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_worker.domain.next_step import Bounds
from agenthub_worker.domain.stuck_detection import UNSTICK
from agenthub_worker.rehearsal.faults import Fault, FaultName
from agenthub_worker.rehearsal.scripted import Reply, ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import call
from tests.support.servers import running_nats
from tests.support.workbench import Desk, running_worker

WRITE = call("str_replace_based_edit_tool", command="create", path="a.txt", file_text="a\n")
DONE = call("report_result", status="done", summary="done")


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for the module: every test has a goal of its own and leaves no order behind."""
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


def script(*replies: Reply) -> ScriptedModelServer:
    return ScriptedModelServer([ScriptedReplies({"*": list(replies)})])


@pytest.mark.parametrize(
    "kind", ["server_error", "cut", "early_end", "stream_error", "hang", "stall", "broken_json"]
)
async def test_a_passing_fault_is_tried_again_and_costs_no_attempt(
    bus: Client, tmp_path: Path, kind: FaultName
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with (
        script(WRITE, DONE) as model,
        running_worker(bus, model, tmp_path, idle_timeout_s=2.0),
    ):
        # The SDK tries once more by itself, so only more than that reaches the loop.
        model.faults.add(Fault(kind=kind, turn=1, times=2))
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    steps = [recorded.step for recorded in await desk.steps()]
    assert [s.turn for s in steps if isinstance(s, TurnReply)] == [1, 2]
    asked = Counter(s.turn for s in steps if isinstance(s, TurnIntent))
    assert asked[1] == 1
    assert asked[2] >= 2
    assert sum(isinstance(s, ToolReceipt) for s in steps) == 1
    assert await desk.spent() == Spent(calls=2, unknown_calls=0 if kind == "server_error" else asked[2] - 1)


async def test_a_rate_limit_parks_the_task_for_as_long_as_the_provider_asks(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(WRITE, DONE) as model, running_worker(bus, model, tmp_path):
        model.faults.add(Fault(kind="rate_limit", turn=1, retry_after_s=90, times=9))
        await desk.order()
        parked = await desk.ended()
        assert isinstance(parked, TaskParked), parked
        assert parked.reason == "overload"
        assert parked.until is not None
        assert timedelta(seconds=30) < parked.until - parked.timestamp < timedelta(seconds=130)
        assert parked.checkpoint
        model.faults.clear()
        saved = {"attempt": 1, "commit": parked.checkpoint, "bundle_ref": parked.bundle_ref}
        await desk.order(resumes=1, context={"checkpoint": saved})
        ended = await desk.ended(attempt=2)
    assert isinstance(ended, TaskCompleted), ended
    assert [change.path for change in ended.result.files] == ["a.txt"]
    assert [c.turn for c in await desk.of(LlmCalled)] == [1, 1]


async def test_an_overload_storm_parks_without_losing_a_step(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(WRITE, DONE) as model, running_worker(bus, model, tmp_path):
        model.faults.add(Fault(kind="overloaded", turn=1, times=99))
        await desk.order()
        parked = await desk.ended()
    assert isinstance(parked, TaskParked)
    assert (parked.reason, bool(parked.until), bool(parked.checkpoint)) == ("overload", True, True)
    assert "not this hub's fault" in parked.detail


@pytest.mark.parametrize("kind", ["unauthorized", "unknown_model", "no_credit"])
async def test_a_wrong_configuration_parks_with_a_plain_sentence_after_one_call(
    bus: Client, tmp_path: Path, kind: FaultName
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(DONE) as model, running_worker(bus, model, tmp_path):
        model.faults.add(Fault(kind=kind, times=9))
        await desk.order()
        parked = await desk.ended()
        assert len(model.requests) == 1
    assert isinstance(parked, TaskParked)
    assert (parked.reason, parked.until) == ("config", None)
    assert "settings" in parked.detail


async def test_a_refusal_fails_the_attempt_as_the_models_doing_and_is_counted(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(DONE) as model, running_worker(bus, model, tmp_path):
        model.faults.add(Fault(kind="refusal"))
        await desk.order()
        failed = await desk.ended()
    assert isinstance(failed, TaskFailed)
    assert failed.failure_class == "model"
    assert [c.stop_reason for c in await desk.of(LlmCalled)] == ["refusal"]


async def test_tool_calls_of_a_reply_cut_off_at_its_limit_are_not_run(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(WRITE, WRITE, DONE) as model, running_worker(bus, model, tmp_path):
        model.faults.add(Fault(kind="max_tokens", turn=0))
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    begun = [r.step for r in await desk.steps() if isinstance(r.step, ToolIntent)]
    assert [step.turn for step in begun] == [2]


@pytest.mark.parametrize("kind", ["unknown_tool", "malformed_input"])
async def test_a_call_that_cannot_be_run_is_told_to_the_model_with_the_remedy(
    bus: Client, tmp_path: Path, kind: FaultName
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(WRITE, DONE) as model, running_worker(bus, model, tmp_path):
        model.faults.add(Fault(kind=kind, turn=0))
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    receipts = [r.step for r in await desk.steps() if isinstance(r.step, ToolReceipt)]
    assert receipts[0].is_error
    assert "str_replace_based_edit_tool" in receipts[0].text


async def test_a_bad_report_is_repaired_at_most_three_times(bus: Client, tmp_path: Path) -> None:
    def bad(status: str) -> Reply:
        return call("report_result", status=status)

    desk = Desk(bus)
    await desk.accept()
    words = [bad(status) for status in ("splendid", "fine", "good", "perfect", "over")]
    async with script(*words[:3], DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order("t-mended")
        assert isinstance(await desk.ended("t-mended"), TaskCompleted)
    async with script(*words) as model, running_worker(bus, model, tmp_path):
        await desk.order("t-bad")
        failed = await desk.ended("t-bad")
    assert isinstance(failed, TaskFailed)
    assert failed.failure_class == "invalid"
    assert len(model.requests) == 4


async def test_a_plan_that_breaks_the_rules_is_repaired_at_most_twice(bus: Client, tmp_path: Path) -> None:
    def plan(*tasks: dict[str, object]) -> Reply:
        return call("submit_plan", analysis={"summary": "one step"}, tasks=list(tasks))

    good = plan({"key": "a", "title": "Do a", "agent": "coding"})
    empty = plan()
    unknown = plan(
        {"key": "a", "title": "Do a", "agent": "wizard"}, {"key": "a", "title": "Again", "agent": "coding"}
    )
    desk = Desk(bus)
    await desk.accept()
    async with script(empty, unknown, good) as model, running_worker(bus, model, tmp_path):
        await desk.order("plan-1", "planner")
        planned = await desk.ended("plan-1")
    assert isinstance(planned, TaskCompleted), planned
    assert planned.result.plan is not None
    assert [task.key for task in planned.result.plan.tasks] == ["a"]
    refused = [r.step for r in await desk.steps("plan-1") if isinstance(r.step, ToolReceipt)]
    assert "empty" in refused[0].text
    assert "wizard" in refused[1].text
    assert "used twice" in refused[1].text
    async with script(empty) as model, running_worker(bus, model, tmp_path):
        await desk.order("plan-2", "planner")
        failed = await desk.ended("plan-2")
    assert isinstance(failed, TaskFailed)
    assert len(model.requests) == 3


async def test_an_endless_tool_loop_is_bounded_and_ends_at_a_person(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(call("glob", pattern="*.py")) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        blocked = await desk.ended()
        assert len(model.requests) < Bounds(repairs={}).max_turns
    assert isinstance(blocked, AgentBlocked), blocked
    assert blocked.reason == "loop"
    nudges = [r.step.text for r in await desk.steps() if isinstance(r.step, Nudge)]
    assert nudges == [UNSTICK]


async def test_a_flood_of_tool_output_is_capped_before_it_is_recorded(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    flood = call("bash", command="head -c 50000000 /dev/zero | tr '\\0' x")
    async with script(flood, DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    receipts = [r.step for r in await desk.steps() if isinstance(r.step, ToolReceipt)]
    assert len(receipts[0].text) < 20_000
    assert "cut" in receipts[0].text


async def test_a_lying_report_is_recorded_beside_the_evidence(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    broken = call(
        "str_replace_based_edit_tool",
        command="create",
        path="test_x.py",
        file_text="def test_x():\n    assert 0\n",
    )
    lie = call("report_result", status="done", summary="all tests pass", tests_run="1 passed")
    async with script(broken, lie) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted)
    assert ended.result.evidence is not None
    assert (ended.result.evidence.exit_code, ended.result.tests_run) == (1, "0 passed, 1 failed")
    assert len(await desk.of(TaskStarted)) == 1
