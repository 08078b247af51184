"""What calls are charged that brought no answer, over real HTTP: nothing, unless the provider may bill them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.money import BudgetReserved
from agenthub_events.catalogue.task import TaskCompleted, TaskParked
from agenthub_events.ports import Recorded
from agenthub_events.rules.budget import Spent, spent_in
from agenthub_events.runs import TurnFailed, TurnReply
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_worker.rehearsal.faults import Fault
from agenthub_worker.rehearsal.scripted import Reply, ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import call
from tests.support.servers import running_nats
from tests.support.workbench import Desk, running_worker

WRITE = call("str_replace_based_edit_tool", command="create", path="a.txt", file_text="a\n")
DONE = call("report_result", status="done", summary="done")
PRICED = "claude-opus-5-5"
TASKS = [f"t-{number}" for number in range(10)]


class QuickClock(SystemClock):
    """Pauses between tries are a twentieth as long."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 20)


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for the module: every test has a goal of its own."""
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


def script(*replies: Reply) -> ScriptedModelServer:
    return ScriptedModelServer([ScriptedReplies({"*": list(replies)})])


async def budget_of(desk: Desk) -> list[Recorded]:
    return await desk.log.read(f"{desk.goal_id}._.budget")


@pytest.mark.parametrize(("outage", "reason"), [("refused", "unreachable"), ("overloaded", "overload")])
async def test_thirty_calls_into_an_outage_cost_nothing(
    bus: Client, tmp_path: Path, outage: str, reason: str
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with (
        script(DONE) as model,
        running_worker(bus, model, tmp_path, slots=8, priced_as=PRICED, clock=QuickClock()),
    ):
        if outage == "refused":
            await model.aclose()
        else:
            model.faults.add(Fault(kind="overloaded", times=999))
        for task_id in TASKS:
            await desk.order(task_id)
        ends = [await desk.ended(task_id) for task_id in TASKS]
    assert {end.reason for end in ends if isinstance(end, TaskParked)} == {reason}
    failed = [r.step for task_id in TASKS for r in await desk.steps(task_id) if isinstance(r.step, TurnFailed)]
    assert len(failed) >= 30
    assert not any(step.may_be_billed for step in failed)
    told = await budget_of(desk)
    assert max(m.event.cost_usd for m in told if isinstance(m.event, BudgetReserved)) > 0
    assert [await desk.spent(task_id) for task_id in TASKS] == [Spent()] * len(TASKS)


async def test_a_call_cut_in_mid_stream_is_charged_once_as_unknown(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(WRITE, DONE) as model, running_worker(bus, model, tmp_path, priced_as=PRICED):
        model.faults.add(Fault(kind="cut", turn=1))
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    steps = [recorded.step for recorded in await desk.steps()]
    assert [(s.turn, s.tries, s.may_be_billed) for s in steps if isinstance(s, TurnFailed)] == [(2, 1, True)]
    known = sum(step.usage.cost_usd or 0.0 for step in steps if isinstance(step, TurnReply))
    spent = spent_in(steps, worst_call_usd=0.5)
    assert (spent.calls, spent.unknown_calls) == (2, 1)
    assert spent.cost_usd == pytest.approx(known + 0.5)
    assert known > 0


async def test_each_overload_in_a_row_parks_the_task_for_longer(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    rests = []
    async with script(DONE) as model, running_worker(bus, model, tmp_path):
        model.faults.add(Fault(kind="overloaded", retry_after_s=6, times=99))
        for attempt in (1, 2, 3):
            await desk.order()
            parked = await desk.ended(attempt=attempt)
            assert isinstance(parked, TaskParked), parked
            assert parked.until is not None
            rests.append(parked.until - parked.timestamp)
    for rest, least in zip(rests, (20, 40, 80), strict=True):
        assert timedelta(seconds=least * 0.4) < rest < timedelta(seconds=least * 1.25 + 1)


async def test_a_model_without_a_price_works_unless_a_person_has_limited_the_money(
    bus: Client, tmp_path: Path
) -> None:
    ends = []
    async with script(DONE) as model, running_worker(bus, model, tmp_path, priced_as="of-our-own"):
        cases: tuple[dict[str, Any], ...] = ({}, {"max_cost_usd": 5.0})
        for limits in cases:
            desk = Desk(bus)
            await desk.accept(**limits)
            await desk.order()
            ends.append(await desk.ended())
    assert isinstance(ends[0], TaskCompleted)
    assert isinstance(ends[1], TaskParked)
    assert (ends[1].reason, "price of the model is not known" in ends[1].detail) == ("budget", True)
