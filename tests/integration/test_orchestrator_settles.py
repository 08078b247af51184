"""What the orchestrator charges for an attempt that it has ended itself: what the closed run shows."""

from __future__ import annotations

from pathlib import Path

from nats.aio.client import Client

from agenthub_events.catalogue.goal import GoalPaused
from agenthub_events.catalogue.money import BudgetReserved, BudgetSettled
from agenthub_events.catalogue.task import TaskParked
from agenthub_events.catalogue.values import PlanTask
from agenthub_events.runs import Closed, TurnFailed, TurnIntent
from agenthub_worker.rehearsal.faults import Fault
from agenthub_worker.rehearsal.scripted import ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import call
from tests.support.deciding import deciding
from tests.support.until import until
from tests.support.workbench import Desk, running_worker

ADD = (PlanTask(key="add", title="Write add.py", agent="coding"),)


async def settled(desk: Desk) -> BudgetSettled:
    async def found() -> BudgetSettled | None:
        told = await desk.log.read(f"{desk.goal_id}._.budget")
        return next((m.event for m in told if isinstance(m.event, BudgetSettled)), None)

    event = await until(found, 300, "the slice is settled")
    assert event is not None
    return event


async def test_i7_calls_that_brought_no_answer_are_charged_when_a_pause_ends_the_attempt(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    replies = ScriptedReplies({"*": [call("report_result", status="done", summary="done")]})
    async with ScriptedModelServer([replies]) as model, running_worker(bus, model, tmp_path):
        model.faults.add(Fault(kind="cut", times=2), Fault(kind="hang", times=99))
        async with deciding(bus):
            await desk.accept(workflow=ADD)

            async def third_try() -> bool:
                steps = await desk.steps()
                return sum(isinstance(recorded.step, TurnIntent) for recorded in steps) == 3

            await until(third_try, 300, "two tries were cut, the third hangs")
            await desk.say(GoalPaused(by="ada"), "pause-1")
            assert isinstance(await desk.ended(), TaskParked)
            event = await settled(desk)
    assert (event.calls, event.unknown_calls) == (0, 3)
    steps = [recorded.step for recorded in await desk.steps()]
    assert [step.may_be_billed for step in steps if isinstance(step, TurnFailed)] == [True, True]
    assert isinstance(steps[-1], Closed)


async def test_i7_a_run_that_cannot_be_read_is_charged_with_its_whole_slice(bus: Client) -> None:
    desk = Desk(bus)
    async with deciding(bus):
        await desk.accept(workflow=ADD)
        await until(desk.events, 300, "the task is enqueued")
        await desk.say(BudgetReserved(task_id="t-add", attempt=1, slice=1, calls=7, cost_usd=0.7), "t-add-1-1")
        step = f"run.{desk.goal_id}.t-add.1.step.from-tomorrow"
        await bus.jetstream().publish(step, b'{"kind": "from-tomorrow"}')
        await desk.say(GoalPaused(by="ada"), "pause-1")
        event = await settled(desk)
    assert (event.calls, event.unknown_calls, event.cost_usd) == (0, 7, 0.7)
