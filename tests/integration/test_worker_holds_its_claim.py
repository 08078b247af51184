"""What others say while a worker works: cancel, pause, notes, take-overs, time, money, and its own end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from agenthub_events.base import Fence
from agenthub_events.catalogue.goal import GoalCancelled, GoalPaused
from agenthub_events.catalogue.money import BudgetReserved, LlmCalled
from agenthub_events.catalogue.task import (
    KnowledgeRecorded,
    TaskCancelled,
    TaskCompleted,
    TaskEnqueued,
    TaskFailed,
    TaskNoted,
    TaskParked,
    TaskStarted,
    TaskTimedOut,
)
from agenthub_events.runs import Resumed, ToolIntent, TurnIntent, TurnReply
from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.faults import Fault
from agenthub_worker.rehearsal.scripted import Reply, ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import ToolCall, Turn, call
from tests.support.stopwatch import Stopwatch
from tests.support.until import until
from tests.support.workbench import Desk, running_worker

SLEEP = call("bash", command="sleep 5831 & echo begun; wait")
LOOK = call("glob", pattern="*")
DONE = call("report_result", status="done", summary="done")
WRITE_A = call("str_replace_based_edit_tool", command="create", path="a.txt", file_text="a\n")


def script(*replies: Reply) -> ScriptedModelServer:
    return ScriptedModelServer([ScriptedReplies({"*": list(replies)})])


def in_a_tool(desk: Desk) -> Callable[[], object]:
    async def begun() -> bool:
        return any(isinstance(r.step, ToolIntent) for r in await desk.steps())

    return begun


async def claimed(desk: Desk) -> bool:
    return bool(await desk.of(TaskStarted))


async def sleepers() -> bool:
    process = await asyncio.create_subprocess_exec(
        "pgrep", "-f", "^sleep 5831$", stdout=asyncio.subprocess.DEVNULL
    )
    return await process.wait() == 0


async def test_i8_a_cancelled_goal_makes_no_model_call_two_seconds_later(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()

    def look_elsewhere(conversation: Conversation) -> Turn:
        return call("glob", pattern=f"{conversation.assistant_messages}*")

    async with script(look_elsewhere) as model, running_worker(bus, model, tmp_path) as runner:
        await desk.order()
        await until(lambda: len(model.requests) > 2, 300, "a run in full swing")
        await desk.say(GoalCancelled(by="ann"), "cancel")
        with Stopwatch() as watch:
            await until(lambda: not runner.held(), 300, "the end of the run")
            made = len(model.requests)
            assert watch.seconds < 2.0
            # The promise is about time: only time shows that no call is made after it.
            await until(lambda: watch.seconds > 2.5)
        assert len(model.requests) == made
    assert not await desk.of(TaskCompleted)


@pytest.mark.parametrize("what", ["goal cancelled", "goal paused", "task cancelled"])
async def test_a_running_tool_is_killed_with_everything_it_started(bus: Client, tmp_path: Path, what: str) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(SLEEP) as model, running_worker(bus, model, tmp_path) as runner:
        await desk.order()
        await until(in_a_tool(desk), 300, "the tool")
        if what == "goal cancelled":
            await desk.say(GoalCancelled(by="ann"), "cancel")
        elif what == "goal paused":
            await desk.say(GoalPaused(by="ann"), "pause")
        else:
            await desk.say(TaskCancelled(task_id="t-add", reason="dropped"), "1", "t-add")
        await until(lambda: not runner.held(), 300, "the end of the run")
        assert not await sleepers()
        info = await bus.jetstream().consumer_info("EVENTS", "work-coding-p2")
        assert info.num_ack_pending == 1


async def test_a_hanging_model_call_is_dropped_when_the_goal_is_cancelled(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(DONE) as model, running_worker(bus, model, tmp_path, idle_timeout_s=60) as runner:
        model.faults.add(Fault(kind="hang"))
        await desk.order()
        await until(lambda: model.requests, 300, "the call")
        await desk.say(GoalCancelled(by="ann"), "cancel")
        await until(lambda: not runner.held(), 300, "the end of the run")


async def test_a_note_is_put_before_the_next_model_call(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    noted = asyncio.Event()

    def read(conversation: Conversation) -> Turn:
        return DONE if noted.is_set() else call("glob", pattern=f"{conversation.assistant_messages}*")

    async with script(read) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        await until(lambda: model.requests, 300, "a run")
        await until(_say_note(desk), 300, "the note")
        await until(
            lambda: any("use tabs" in str(r.body["messages"]) for r in model.requests), 60, "the note read"
        )
        noted.set()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted)
    assert sum(str(model.requests[-1].body["messages"]).count(word) for word in ("use tabs",)) == 1


def _say_note(desk: Desk) -> Callable[[], object]:
    async def said() -> bool:
        try:
            await desk.say(TaskNoted(task_id="t-add", by="ann", text="use tabs"), "note-1", "t-add")
        except AssertionError:
            return False
        return True

    return said


async def test_an_attempt_ends_when_its_time_is_over(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(LOOK, SLEEP) as model, running_worker(bus, model, tmp_path):
        await desk.order(timeout_s=4)
        ended = await desk.ended(deadline_s=300)
        assert not await sleepers()
    assert isinstance(ended, TaskTimedOut), ended
    assert ended.limit_s == 4


async def test_a_worker_that_is_told_to_stop_parks_its_work_and_acknowledges(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(SLEEP) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        await until(in_a_tool(desk), 300, "the tool")
    parked = await desk.ended(deadline_s=300)
    assert isinstance(parked, TaskParked)
    assert parked.reason == "restart"
    info = await bus.jetstream().consumer_info("EVENTS", "work-coding-p2")
    assert info.num_ack_pending == 0


async def test_i12_a_second_delivery_takes_over_and_fences_the_first_worker(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    block = asyncio.Event()

    def once(conversation: Conversation) -> Turn:
        return DONE if block.is_set() else SLEEP

    async with (
        script(LOOK, once) as model,
        running_worker(bus, model, tmp_path / "1", name="W1", slots=1) as first,
    ):
        await desk.order()
        await until(lambda: len(model.requests) == 2, 300, "the second turn")
        await until(sleepers, 300, "the first worker's tool")
        block.set()
        (subject,) = first.held().values()
        async with running_worker(bus, model, tmp_path / "2", name="W2"):
            await bus.publish(subject, b"-NAK")
            ended = await desk.ended()
        await until(lambda: not first.held(), 300, "the first worker's surrender")
        assert not await sleepers()
    assert isinstance(ended, TaskCompleted), ended
    assert ended.worker == "W2"
    assert [(s.worker, s.delivery) for s in await desk.of(TaskStarted)] == [("W1", 1), ("W2", 2)]
    steps = [r.step for r in await desk.steps()]
    assert [s.worker for s in steps if isinstance(s, Resumed)] == ["W1", "W2"]
    assert [s.turn for s in steps if isinstance(s, TurnReply)] == [1, 2, 3]


async def test_an_order_that_stands_in_for_a_lost_one_goes_on_in_its_run_also_on_the_same_worker(
    bus: Client, tmp_path: Path
) -> None:
    """The worker was taken for dead, and is not: it gives the first claim up and takes the second."""
    desk = Desk(bus)
    await desk.accept()
    block = asyncio.Event()

    def once(conversation: Conversation) -> Turn:
        return DONE if block.is_set() else SLEEP

    async with script(LOOK, once) as model, running_worker(bus, model, tmp_path, slots=2) as runner:
        await desk.order()
        await until(lambda: len(model.requests) == 2, 300, "the second turn")
        await until(sleepers, 300, "its tool")
        block.set()
        order, seq = next((m.event, m.seq) for m in await desk.messages() if isinstance(m.event, TaskEnqueued))
        again = msgspec.structs.replace(order, instead_of=seq)
        fence = Fence().after(await desk.messages())
        await desk.store(fence.draft(desk.goal_id, "t-add", again, f"1-{seq}", route=("coding", "p2")))
        ended = await desk.ended_by(TaskCompleted)
        await until(lambda: not runner.held(), 300, "the end of the second claim")

        async def given_up() -> bool:
            return not await sleepers()

        await until(given_up, 300, "the end of the first claim's tool")
    assert ended.attempt == 1
    assert [s.delivery for s in await desk.of(TaskStarted)] == [1, 1]
    steps = [r.step for r in await desk.steps()]
    assert [s.turn for s in steps if isinstance(s, TurnReply)] == [1, 2, 3]
    assert len([s for s in steps if isinstance(s, Resumed)]) == 2
    assert [called.turn for called in await desk.of(LlmCalled)] == [1, 2, 3]


async def test_the_fourth_claim_of_an_attempt_is_a_crash(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    attempt = await desk.order()
    for delivery in (1, 2, 3):
        started = TaskStarted(
            task_id="t-add",
            attempt=attempt,
            worker=f"gone-{delivery}",
            agent="coding",
            instance=f"gone-{delivery}",
            delivery=delivery,
            ack_subject="",
        )
        await desk.say(started, f"{attempt}-{delivery}-gone", "t-add")
    for _ in range(3):
        message = (await (await bus.jetstream().pull_subscribe_bind("work-coding-p2", "EVENTS")).fetch(1))[0]
        await message.nak()
    async with script(DONE) as model, running_worker(bus, model, tmp_path):
        failed = await desk.ended()
        assert model.requests == []
    assert isinstance(failed, TaskFailed)
    assert failed.failure_class == "crash"


async def test_knowledge_is_recorded_once(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    fact = {"kind": "decision", "text": "tokens live for an hour"}
    tell = Turn(calls=(ToolCall("record_knowledge", fact),))
    async with script(tell, DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        assert isinstance(await desk.ended(), TaskCompleted)
    assert [k.text for k in await desk.of(KnowledgeRecorded)] == ["tokens live for an hour"]


async def test_i7_sixteen_attempts_at_once_spend_no_call_beyond_the_limit(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    limit = 20
    await desk.accept(max_llm_calls=limit)

    def look(conversation: Conversation) -> Turn:
        return call("glob", pattern=f"{conversation.assistant_messages}*")

    tasks = [f"t-{number}" for number in range(16)]
    async with script(look) as model, running_worker(bus, model, tmp_path, slots=16):
        for task in tasks:
            await desk.order(task)
        ends = [await desk.ended(task, deadline_s=300) for task in tasks]
        made = len(model.requests)
    assert all(isinstance(end, TaskParked) and end.reason == "budget" for end in ends)
    assert made == limit
    ledger = [m.event for m in await desk.log.read(f"{desk.goal_id}._.budget")]
    assert sum(event.calls for event in ledger if isinstance(event, BudgetReserved)) >= made
    calls = [event for task in tasks for event in await desk.of(LlmCalled, task)]
    assert len(calls) == limit


async def test_every_call_was_reserved_before_it_was_made(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept(max_llm_calls=64)
    looks = [call("glob", pattern=f"{n}*") for n in range(5)]
    async with script(*looks, DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        assert isinstance(await desk.ended(), TaskCompleted)
    turns = [r.step for r in await desk.steps() if isinstance(r.step, TurnIntent)]
    reserved = [
        m.event for m in await desk.log.read(f"{desk.goal_id}._.budget") if isinstance(m.event, BudgetReserved)
    ]
    assert len(turns) == 6
    assert sum(piece.calls for piece in reserved) >= 6


@pytest.mark.parametrize("place", ["after-turn-reply", "after-tool-run", "before-merge-batch"])
async def test_a_fault_of_the_worker_itself_ends_the_attempt_with_its_own_words_and_costs_one_claim(
    bus: Client, tmp_path: Path, place: str
) -> None:
    def breaks(name: str) -> None:
        if name == place:
            raise AttributeError("'NoneType' object has no attribute 'strip'")

    desk = Desk(bus)
    await desk.accept()
    async with script(WRITE_A, DONE) as model, running_worker(bus, model, tmp_path, crash_point=breaks):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskFailed), ended
    assert ended.failure_class == "crash"
    assert ended.reason.endswith("AttributeError: 'NoneType' object has no attribute 'strip'")
    assert len(await desk.of(TaskStarted)) == 1
