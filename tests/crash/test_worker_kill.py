"""kill -9 of a worker between any two steps of a run: the next one goes on, and the effect is the same, once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import KnowledgeRecorded, TaskCompleted, TaskStarted
from agenthub_events.runs import ToolReceipt, TurnIntent, TurnReply
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus
from agenthub_worker.domain.run import INTERRUPTED
from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scripted import ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import ToolCall, Turn, call
from tests.support.until import until
from tests.support.workbench import Desk, running_worker

pytestmark = pytest.mark.extra

LINE = "echo line >> log.txt"
APPEND = call("bash", command=LINE)
TELL = Turn(calls=(ToolCall("record_knowledge", {"kind": "fact", "text": "it logs"}),))
DONE = call("report_result", status="done", summary="logged")
PLACES = (
    "after-turn-intent",
    "after-turn-reply",
    "after-tool-intent",
    "after-tool-run",
    "after-tool-receipt",
    "before-merge-batch",
    "after-merge-batch",
)


def play(conversation: Conversation) -> Turn:
    """Append one line, tell a fact, report; make a lost call again."""
    done = Counter(o.name for turn in conversation.turns for o in turn if not o.lost)
    if not done["bash"]:
        return APPEND
    return DONE if done["record_knowledge"] else TELL


@asynccontextmanager
async def doomed_worker(
    server: NatsServer, model: ScriptedModelServer, folder: Path, place: str, nth: int, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process that kills itself at `place`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.crashing_worker", place, str(nth)),
        env={
            "PATH": os.environ["PATH"],
            "NATS_URL": server.authorised_url,
            "AGENT_TYPE": "coding",
            "AGENTHUB_WORKER_NAME": "Doomed",
            "AGENTHUB_DATA_DIR": str(folder),
            "AGENTHUB_PROVIDER": "rehearsal",
            "ANTHROPIC_BASE_URL": model.url,
            **more,
        },
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def hand_back(bus: Client, desk: Desk, task_id: str = "t-add") -> None:
    """What the supervisor does when it sees a worker die."""
    claims = await desk.of(TaskStarted, task_id)
    await NatsFleet(bus).publish(WorkerStatus(worker="Doomed", instance="", types=(), slots=0))
    await bus.publish(claims[-1].ack_subject, b"-NAK")


@pytest.mark.parametrize("place", PLACES)
async def test_i2_a_killed_worker_is_succeeded_without_a_turn_repeated_and_with_one_effect(
    nats_server: NatsServer, bus: Client, tmp_path: Path, place: str
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with ScriptedModelServer([ScriptedReplies({"*": [play]})]) as model:
        async with doomed_worker(nats_server, model, tmp_path / "one", place, 1) as process:
            await desk.order()
            assert await asyncio.wait_for(process.wait(), 120) == -signal.SIGKILL
        await hand_back(bus, desk)
        async with running_worker(bus, model, tmp_path / "two", name="Heir"):
            ended = await desk.ended(deadline_s=300)
            await until(_all_acknowledged(bus), 300, "the acknowledgement")
        asked = len(model.requests)
    assert isinstance(ended, TaskCompleted), ended
    steps = [recorded.step for recorded in await desk.steps()]
    turns = [s.turn for s in steps if isinstance(s, TurnReply)]
    assert turns == sorted(set(turns)), "a recorded turn was asked again"
    intents = sum(isinstance(s, TurnIntent) for s in steps)
    assert asked <= intents <= asked + 1
    lost = sum(isinstance(s, ToolReceipt) and s.text == INTERRUPTED for s in steps)
    assert len(turns) == 3 + lost
    assert [k.text for k in await desk.of(KnowledgeRecorded)] == ["it logs"]
    assert [(c.turn) for c in await desk.of(LlmCalled)] == turns
    assert len([e for e in await desk.events() if isinstance(e, TaskCompleted)]) == 1
    merges = await desk.merges()
    assert [merge.tree for merge in merges] == [TREE]
    spent = await desk.spent()
    assert (spent.calls, spent.unknown_calls) == (len(turns), intents - len(turns))


TREE = "e2f79d763ef4ebc3268d1652a8e9c4c1666931cb"
"""The tree that holds one file `log.txt` with one line: what an undisturbed run leaves."""


def _all_acknowledged(bus: Client) -> Callable[[], Awaitable[bool]]:
    async def none_pending() -> bool:
        info = await bus.jetstream().consumer_info("EVENTS", "work-coding-p2")
        return bool(info.num_ack_pending == 0)

    return none_pending


async def test_a_worker_killed_while_it_appended_knowledge_does_not_append_it_twice(
    nats_server: NatsServer, bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with ScriptedModelServer([ScriptedReplies({"*": [play]})]) as model:
        async with doomed_worker(nats_server, model, tmp_path / "one", "after-event-of-tool", 1) as process:
            await desk.order()
            assert await asyncio.wait_for(process.wait(), 120) == -signal.SIGKILL
        assert len(await desk.of(KnowledgeRecorded)) == 1
        await hand_back(bus, desk)
        async with running_worker(bus, model, tmp_path / "two", name="Heir"):
            assert isinstance(await desk.ended(deadline_s=300), TaskCompleted)
    assert len(await desk.of(KnowledgeRecorded)) == 1


async def test_a_killed_server_costs_a_running_attempt_nothing(
    nats_server: NatsServer, bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    slow = call("bash", command="touch begun; until rm go 2> /dev/null; do sleep 0.05; done; rm begun; " + LINE)
    async with (
        ScriptedModelServer([ScriptedReplies({"*": [slow, TELL, DONE]})]) as model,
        running_worker(bus, model, tmp_path),
    ):
        await desk.order()
        (begun,) = await until(lambda: list(tmp_path.glob("workspaces/*/*/begun")), 60, "the tool runs")
        assert nats_server.process is not None
        os.kill(nats_server.process.pid, signal.SIGKILL)
        await nats_server.stop()
        begun.with_name("go").touch()
        # It ends while nothing can be stored: this line is the last that it does.
        await until(begun.with_name("log.txt").exists, 300, "the tool has ended")
        await nats_server.start()
        ended = await desk.ended(deadline_s=300)
    assert isinstance(ended, TaskCompleted), ended
    turns = [r.step.turn for r in await desk.steps() if isinstance(r.step, TurnReply)]
    assert turns == [1, 2, 3]
    assert [merge.tree for merge in await desk.merges()] == [TREE]
    assert [s.delivery for s in await desk.of(TaskStarted)] == [1]


async def test_a_worker_that_is_told_to_stop_parks_and_ends_within_eight_seconds(
    nats_server: NatsServer, bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    sleep = call("bash", command="sleep 500")
    async with (
        ScriptedModelServer([ScriptedReplies({"*": [sleep]})]) as model,
        doomed_worker(nats_server, model, tmp_path, "never", 1) as process,
    ):
        await desk.order()
        await until(lambda: model.requests, 300, "the run")
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 120) == 0
    ended = await desk.ended(deadline_s=300)
    assert ended.type == "task.parked"


async def test_a_worker_without_a_model_refuses_to_start_and_names_the_setting(nats_server: NatsServer) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "agenthub_worker", "coding"),
        env={"PATH": os.environ["PATH"], "NATS_URL": nats_server.authorised_url},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 1
    assert b"ANTHROPIC_API_KEY" in said
