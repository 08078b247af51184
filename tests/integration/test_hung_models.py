"""A model server that hangs, attempt after attempt: the third call in a row asks a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.task import TaskCompleted, TaskParked, TaskTimedOut
from agenthub_events.ports import Stored
from agenthub_events.runs import RunId, TurnFailed, TurnIntent
from agenthub_runtime.embedded.servers.nats import NatsServer
from tests.support.odd_model import Habit, OddModel, hangs, reports
from tests.support.servers import running_nats
from tests.support.workbench import Desk, running_worker

TASK = "t-add"


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


async def over(desk: Desk, *faults: str, ended: Event | None = None) -> None:
    """An attempt that is over, with these faults of its calls in its record."""
    attempt = await desk.order()
    run, last = RunId(desk.goal_id, TASK, attempt), 0
    for tries, fault in enumerate(faults, 1):
        for step in (
            TurnIntent(turn=1, tries=tries, request_hash="h", model="m"),
            TurnFailed(turn=1, tries=tries, may_be_billed=True, reason="nothing came", fault=fault),
        ):
            stored = await desk.runs.append(run, step, expected=last)
            assert isinstance(stored, Stored)
            last = stored.seq
    late = TaskTimedOut(task_id=TASK, attempt=attempt, limit_s=300, worker="Worker-9")
    await desk.say(late if ended is None else ended, f"end-{attempt}", TASK)


async def next_ended(bus: Client, desk: Desk, folder: Path, *habits: Habit, resumes: int = 0) -> tuple[Event, int]:
    """How the next attempt ends on a server with these habits, and how many calls it made."""
    async with OddModel(*habits) as model, running_worker(bus, model, folder, idle_timeout_s=2.0):
        attempt = await desk.order(resumes=resumes)
        ended = await desk.ended(attempt=attempt)
    return ended, len(model.requests)


@pytest.fixture
async def desk(bus: Client) -> Desk:
    desk = Desk(bus)
    await desk.accept()
    return desk


@pytest.mark.parametrize("resumes", [0, 1])
async def test_the_third_hung_call_in_a_row_asks_a_person_also_over_attempts(
    bus: Client, desk: Desk, tmp_path: Path, resumes: int
) -> None:
    await over(desk, "hung", "hung")
    ended, calls = await next_ended(bus, desk, tmp_path, hangs, resumes=resumes)
    assert isinstance(ended, AgentBlocked), ended
    assert "hung 3 times in a row" in ended.question
    assert calls == 1


async def test_one_hung_call_in_each_of_three_attempts_asks_a_person(
    bus: Client, desk: Desk, tmp_path: Path
) -> None:
    await over(desk, "hung")
    await over(desk, "hung", ended=TaskParked(task_id=TASK, attempt=2, reason="restart"))
    ended, calls = await next_ended(bus, desk, tmp_path, hangs)
    assert isinstance(ended, AgentBlocked), ended
    assert calls == 1


async def test_another_fault_or_an_answer_of_the_server_ends_the_row(
    bus: Client, desk: Desk, tmp_path: Path
) -> None:
    await over(desk, "hung", "hung", "transient")
    ended, calls = await next_ended(bus, desk, tmp_path, hangs, hangs, reports())
    assert isinstance(ended, TaskCompleted), ended
    assert calls == 3


async def test_who_has_decided_to_try_again_gets_three_calls_again(
    bus: Client, desk: Desk, tmp_path: Path
) -> None:
    asked = AgentBlocked(question="It hung", task_id=TASK, attempt=1, reason="provider", worker="Worker-9")
    await over(desk, "hung", "hung", "hung", ended=asked)
    blocked_seq = (await desk.messages(TASK))[-1].seq
    await desk.say(AgentAnswered(action="retry", by="anna", blocked_seq=blocked_seq), "answer", TASK)
    ended, calls = await next_ended(bus, desk, tmp_path, hangs)
    assert isinstance(ended, AgentBlocked), ended
    assert calls == 3
