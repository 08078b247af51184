"""A worker does what an order says, with real tools in a real workspace, and says in the log what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.money import BudgetReserved, LlmCalled
from agenthub_events.catalogue.task import TaskCompleted, TaskFailed, TaskStarted
from agenthub_events.rules.budget import Spent
from agenthub_events.runs import ToolReceipt
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_worker.rehearsal.scripted import Reply, ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import Turn, call
from tests.support.servers import running_nats
from tests.support.until import until
from tests.support.workbench import Desk, running_worker

WRITE = call(
    "str_replace_based_edit_tool", command="create", path="add.py", file_text="def add(a, b):\n    return a + b\n"
)
WRITE_TEST = call(
    "str_replace_based_edit_tool",
    command="create",
    path="test_add.py",
    file_text="from add import add\n\n\ndef test_adds():\n    assert add(1, 2) == 3\n",
)
DONE = call("report_result", status="done", summary="add.py adds", insights=["plain Python"])


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for the module: every test has a goal of its own and leaves no order behind."""
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


def script(*replies: Reply) -> ScriptedModelServer:
    return ScriptedModelServer([ScriptedReplies({"*": list(replies)})])


async def test_work_is_written_tested_merged_and_reported_with_evidence(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(WRITE, WRITE_TEST, DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    result = ended.result
    assert result.summary == "add.py adds"
    assert result.insights == ("plain Python",)
    assert result.evidence is not None
    assert result.evidence.counts is not None
    assert (result.evidence.exit_code, result.evidence.counts.passed) == (0, 1)
    assert result.tests_run == "1 passed, 0 failed"
    assert {change.path for change in result.files} == {"add.py", "test_add.py"}
    merges = await desk.merges()
    assert [merge.base for merge in merges] == [ROOT_COMMIT]
    assert result.commit == merges[0].head
    calls = await desk.of(LlmCalled)
    assert [(c.turn, c.provider, c.cost_usd) for c in calls] == [
        (1, "rehearsal", 0.0),
        (2, "rehearsal", 0.0),
        (3, "rehearsal", 0.0),
    ]
    assert ended.usage.calls == 3
    money = [m.event for m in await desk.log.read(f"{desk.goal_id}._.budget")]
    assert [type(event) for event in money] == [BudgetReserved]
    assert await desk.spent() == Spent(calls=3)
    assert not list((tmp_path / "workspaces" / "Worker-1").iterdir())


async def test_what_is_left_out_of_the_result_is_told_to_the_agent_and_stands_in_the_log(
    bus: Client, tmp_path: Path
) -> None:
    rule = call(
        "str_replace_based_edit_tool", command="create", path=".gitignore", file_text="build/\n*.log\ndata/\n"
    )
    lost = call("str_replace_based_edit_tool", command="create", path="app/data/x.csv", file_text="1,2\n")
    pyc = call("str_replace_based_edit_tool", command="create", path="app/m.pyc", file_text="x")
    odd = call("bash", command="mkdir -p app/empty sub && git init -q sub && echo 1 >sub/a && mkfifo app/pipe")
    desk = Desk(bus)
    await desk.accept()
    said = script(rule, lost, pyc, odd, call("bash", command="true"), DONE)
    async with said as model, running_worker(bus, model, tmp_path):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    told = {left.path: left.reason for left in ended.result.left_out}
    assert told == {
        "app/data/x.csv": "ignored by .gitignore line 3",
        "app/empty/": "an empty folder, which git does not keep",
        "app/pipe": "a pipe, socket or device",
        "sub/.git": "removed: a nested repository becomes plain files, without its history",
    }
    assert {change.path for change in ended.result.files} == {".gitignore", "sub/a"}
    receipts = [recorded.step.text for recorded in await desk.steps() if isinstance(recorded.step, ToolReceipt)]
    assert "NOT part of the result" not in receipts[0]
    assert "app/data/x.csv: ignored by .gitignore line 3" in receipts[1]
    assert "app/m.pyc: left out always" in receipts[2]
    assert "sub/.git: removed" in receipts[3]
    assert "x.csv" not in receipts[3] + receipts[4]


async def test_files_with_names_outside_utf8_are_merged_and_reported(bus: Client, tmp_path: Path) -> None:
    odd = call("bash", command="printf 'caf\\351' >$'caf\\351.txt'; ls")
    desk = Desk(bus)
    await desk.accept()
    async with script(odd, call("git_diff"), DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    assert [change.path for change in ended.result.files] == ["caf\\xe9.txt"]
    receipts = [recorded.step.text for recorded in await desk.steps() if isinstance(recorded.step, ToolReceipt)]
    assert "+caf\\xe9" in receipts[1]


async def test_a_noop_order_is_claimed_and_completed_without_anything_else(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order(agent="noop")
        ended = await desk.ended()
        assert model.requests == []
    assert isinstance(ended, TaskCompleted)
    assert [type(event) for event in await desk.events()][1:] == [TaskStarted, TaskCompleted]
    assert await desk.steps() == []


async def test_an_agent_that_changes_nothing_completes_without_moving_the_branch(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(call("glob", pattern="**/*"), DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order("t-look", "architect")
        ended = await desk.ended("t-look")
    assert isinstance(ended, TaskCompleted)
    assert ended.result.commit == ROOT_COMMIT
    assert await desk.merges() == []


async def test_a_question_closes_the_attempt_and_its_answer_is_the_result_of_the_call(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()

    def finish(conversation: object) -> Turn:
        outcome = conversation.turns[-1][-1]  # type: ignore[attr-defined]
        return call("report_result", status="done", summary=f"told: {outcome.text}")

    ask = call("ask_human", question="Which rounding?", options=["up", "even"])
    async with script(WRITE, ask, finish) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        asked = await desk.ended()
        assert isinstance(asked, AgentBlocked)
        assert (asked.question, asked.options, asked.reason) == ("Which rounding?", ("up", "even"), "question")
        assert asked.checkpoint
        await desk.order(
            resumes=1,
            context={
                "answered": {"tool_use_id": asked.tool_use_id, "question": asked.question, "answer": "even"},
                "checkpoint": {"attempt": 1, "commit": asked.checkpoint, "bundle_ref": asked.bundle_ref},
            },
        )
        ended = await desk.ended(attempt=2)
    assert isinstance(ended, TaskCompleted), ended
    assert ended.result.summary == "told: even"
    assert [change.path for change in ended.result.files] == ["add.py"]
    assert len(model.requests) == 3


async def test_a_report_of_failure_fails_the_attempt_and_keeps_its_work(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    given_up = call("report_result", status="failed", summary="no idea")
    async with script(WRITE, given_up) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskFailed)
    assert "no idea" in ended.reason
    assert ended.checkpoint
    assert await desk.artifacts.get(ended.bundle_ref)


async def test_the_order_is_acknowledged_after_its_end_and_never_comes_again(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        await desk.ended()

        async def nothing_pending() -> bool:
            info = await bus.jetstream().consumer_info("EVENTS", "work-coding-p2")
            return bool(info.num_ack_pending == 0)

        await until(nothing_pending, 300, "the acknowledgement")


async def test_a_change_that_cannot_be_saved_is_told_to_the_model_which_mends_it(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    small = call("bash", command="echo 1 > model.bin")
    bulk = call("bash", command="truncate -s 65M model.bin")
    mend = call("bash", command="rm model.bin; echo 'x = 1' > x.py")
    async with script(small, bulk, mend, DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    assert [change.path for change in ended.result.files] == ["x.py"]
    receipts = [recorded.step for recorded in await desk.steps() if isinstance(recorded.step, ToolReceipt)]
    assert [receipt.is_error for receipt in receipts] == [False, True, False]
    assert "model.bin" in receipts[1].text
    assert [bool(receipt.commit) for receipt in receipts] == [True, False, True]
