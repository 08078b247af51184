"""An attempt goes on from what earlier attempts have recorded, however many there were and however they ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued, TaskNoted, TaskParked, TaskStarted
from agenthub_events.context import TroubleReport
from agenthub_events.ports import StepConflict
from agenthub_events.runs import Closed, Nudge, RunId
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_worker.rehearsal.scripted import Reply, ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import call
from tests.support.workbench import Desk, running_worker

FIRST = call("ask_human", question="Which rounding?")
SECOND = call("ask_human", question="Which places?")
LOOK = call("glob", pattern="**/*")
DONE = call("report_result", status="done", summary="rounded")


def script(*replies: Reply) -> ScriptedModelServer:
    return ScriptedModelServer([ScriptedReplies({"*": list(replies)})])


def answer_to(asked: AgentBlocked, text: str) -> dict[str, str]:
    return {"tool_use_id": asked.tool_use_id, "question": asked.question, "answer": text}


def results_behind_calls(messages: list[dict[str, Any]]) -> list[str]:
    """The text of each result. Every call must have exactly one, in the very next message."""
    told: list[str] = []
    for message, following in zip(messages, [*messages[1:], {"content": []}], strict=True):
        asked = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        results = [block for block in following["content"] if block["type"] == "tool_result"]
        if asked or results:
            assert [block["tool_use_id"] for block in results] == asked
        told += [str(block["content"]) for block in results]
    return told


async def test_an_attempt_behind_two_answered_ones_tells_the_model_every_answer_in_its_place(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(FIRST, LOOK, SECOND, DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        first = await desk.ended()
        assert isinstance(first, AgentBlocked)
        await desk.order(resumes=1, context={"answered": answer_to(first, "even")})
        second = await desk.ended(attempt=2)
        assert isinstance(second, AgentBlocked)
        await desk.order(resumes=2, context={"answered": answer_to(second, "two")}, changed=("a line",))
        ended = await desk.ended(attempt=3)
    assert isinstance(ended, TaskCompleted), ended
    told = results_behind_calls(model.requests[-1].body["messages"])
    assert [told[0], told[2]] == ["even", "two"]


async def test_an_answer_is_not_lost_with_an_attempt_that_ended_before_it_began(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(FIRST, DONE) as model:
        async with running_worker(bus, model, tmp_path):
            await desk.order()
            first = await desk.ended()
            assert isinstance(first, AgentBlocked)
        await desk.order(resumes=1, lane="p3", context={"answered": answer_to(first, "even")})
        claimed = TaskStarted(
            task_id="t-add", attempt=2, worker="w", agent="coding", instance="i", delivery=1, ack_subject="a"
        )
        await desk.say(claimed, "2-1-i", "t-add")
        await desk.say(TaskParked(task_id="t-add", attempt=2, reason="paused"), "2", "t-add")
        async with running_worker(bus, model, tmp_path):
            await desk.order(resumes=2)
            ended = await desk.ended(attempt=3)
    assert isinstance(ended, TaskCompleted), ended
    assert results_behind_calls(model.requests[-1].body["messages"]) == ["even"]


async def test_nobody_adds_to_a_run_from_which_another_attempt_has_gone_on(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(FIRST, DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        first = await desk.ended()
        assert isinstance(first, AgentBlocked)
        before = (await desk.steps())[-1].seq
        await desk.order(resumes=1, context={"answered": answer_to(first, "even")})
        assert isinstance(await desk.ended(attempt=2), TaskCompleted)
    assert isinstance((await desk.steps())[-1].step, Closed)
    late = await desk.runs.append(RunId(desk.goal_id, "t-add", 1), Nudge(text="late"), expected=before)
    assert isinstance(late, StepConflict)
    assert [order.resumes for order in await desk.of(TaskEnqueued)] == [0, 1]


async def test_a_note_that_nobody_read_before_its_attempt_ended_is_read_by_the_next(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with script(LOOK, DONE) as model:
        await desk.order(lane="p3")
        await desk.say(TaskNoted(task_id="t-add", by="ann", text="use tabs"), "note-1", "t-add")
        await desk.say(TaskParked(task_id="t-add", attempt=1, reason="paused"), "1", "t-add")
        async with running_worker(bus, model, tmp_path):
            await desk.order()
            assert isinstance(await desk.ended(attempt=2), TaskCompleted)
    assert "A note from ann: use tabs" in str(model.requests[0].body["messages"])
    notes = [r.step for r in await desk.steps(attempt=2) if isinstance(r.step, Nudge) and r.step.note_seq]
    assert len(notes) == 1


async def test_commands_of_an_attempt_share_a_sandbox_and_the_next_attempt_is_told_that_it_is_gone(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    leave = call("bash", command="export A=kept; mkdir d; cd d; (sleep 600; echo late) & true")
    find = call("bash", command="echo $A; pwd; jobs; pgrep -c sleep; git -C .. log --format=%s")
    async with (
        script(leave, find, FIRST, find, find, DONE) as model,
        running_worker(bus, model, tmp_path),
    ):
        await desk.order()
        asked = await desk.ended()
        assert isinstance(asked, AgentBlocked)
        await desk.order(resumes=1, context={"answered": answer_to(asked, "even")})
        ended = await desk.ended(attempt=2)
    assert isinstance(ended, TaskCompleted), ended
    _, before, _, after, again, *_ = results_behind_calls(model.requests[-1].body["messages"])
    assert before == "kept\n/workspace/d\n1\nStart from nothing\n[exit code 0]"
    assert after.startswith("[a new sandbox: the one before ended with its worker, or with its attempt; working")
    assert (
        again
        == "\n/workspace\n0\nfatal: not a git repository (or any of the parent directories): .git\n[exit code 128]"
    )


async def test_a_debugger_may_change_its_copy_and_nothing_of_it_is_kept(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    try_it = call("bash", command="echo 1 >tried.txt; cat tried.txt")
    async with script(try_it, DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order("debug-tests-1", "debug")
        ended = await desk.ended("debug-tests-1")
    assert isinstance(ended, TaskCompleted), ended
    assert results_behind_calls(model.requests[-1].body["messages"])[0] == "1\n[exit code 0]"
    assert [left.path for left in ended.result.left_out] == ["tried.txt"]
    assert await desk.merges() == []


async def test_who_looks_for_a_cause_reads_the_gates_log_and_no_other_object(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    log_ref = await desk.artifacts.put(b"the first line of the log\n" + b"x" * 20_000)
    other = await desk.artifacts.put(b"of somebody else\n")
    trouble = TroubleReport(gate="tests", round=1, commit=ROOT_COMMIT, log_ref=log_ref)
    read = call("more", id=log_ref[:12])
    async with (
        script(read, call("more", id=other[:12]), call("more", id=other), DONE) as model,
        running_worker(bus, model, tmp_path),
    ):
        await desk.order("debug-tests-1", "debug", context={"trouble": trouble})
        ended = await desk.ended("debug-tests-1")
    assert isinstance(ended, TaskCompleted), ended
    messages = model.requests[-1].body["messages"]
    assert f"Its whole log: `more` with id `{log_ref[:12]}`" in str(messages[0])
    page, *refused = results_behind_calls(messages)[:3]
    assert page.startswith("[page 1 of 2; go on with page 2]\nthe first line of the log\n")
    assert all("There is no output with the id" in text for text in refused)
