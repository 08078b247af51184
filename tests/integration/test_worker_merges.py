"""The work of many attempts on one branch: nothing is lost, nothing lands twice, conflicts are said."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.catalogue.task import MergeConflicted, TaskCompleted, TaskFailed
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository, Link
from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scripted import Reply, ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import Turn, call
from tests.support.servers import running_nats
from tests.support.workbench import Desk, running_worker

DONE = call("report_result", status="done", summary="done")


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for the module: every test has a goal of its own and leaves no order behind."""
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


def write(path: str, text: str) -> Turn:
    return call("str_replace_based_edit_tool", command="create", path=path, file_text=text)


def by_task(**replies: list[Reply]) -> ScriptedModelServer:
    return ScriptedModelServer([ScriptedReplies({key.replace("_", "-"): value for key, value in replies.items()})])


async def branch_of(desk: Desk, folder: Path) -> GoalRepository:
    repository = await GoalRepository.open(folder / "elsewhere.git", desk.artifacts)
    await repository.materialise([Link(m.bundle_ref, m.head) for m in await desk.merges()])
    return repository


async def test_i5_every_completed_commit_is_on_the_branch_when_many_finish_at_once(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    tasks = [f"t-{number}" for number in range(6)]

    def step(conversation: Conversation) -> Turn:
        return DONE if conversation.turns else write(f"{conversation.task_id}.txt", "x\n")

    model = ScriptedModelServer([ScriptedReplies({"*": [step]})])
    async with model, running_worker(bus, model, tmp_path, slots=6):
        for task in tasks:
            await desk.order(task)
        ends: list[Event] = [await desk.ended(task, deadline_s=300) for task in tasks]
    repository = await branch_of(desk, tmp_path)
    head = await desk.head()
    assert {entry.path for entry in await repository.files(head)} == {f"{task}.txt" for task in tasks}
    merges = await desk.merges()
    assert [merge.base for merge in merges] == [ROOT_COMMIT, *(merge.head for merge in merges[:-1])]
    assert sorted(merge.task_id for merge in merges) == tasks
    for end in ends:
        assert isinstance(end, TaskCompleted), end
        assert await repository.is_ancestor(end.result.commit, head)


async def test_work_that_does_not_fit_is_said_as_a_conflict_and_saved(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    replies: dict[str, list[Reply]] = {
        "t_a": [write("x.py", "a = 1\n"), DONE],
        "t_b": [write("x.py", "b = 2\n"), DONE],
    }
    async with by_task(**replies) as model, running_worker(bus, model, tmp_path):
        await desk.order("t-a")
        first = await desk.ended("t-a")
        # As if it had been ordered before the first one was merged.
        await desk.order("t-b", workspace_commit=ROOT_COMMIT)
        second = await desk.ended("t-b")
    assert isinstance(first, TaskCompleted)
    assert isinstance(second, MergeConflicted), second
    assert second.files == ("x.py",)
    assert second.head == await desk.head()
    repository = await branch_of(desk, tmp_path)
    assert second.commit in await repository.absorb(second.bundle_ref)


async def test_a_merge_task_is_given_both_sides_and_lands(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()

    def resolve(conversation: Conversation) -> Turn:
        if conversation.turns:
            return DONE
        assert "+b = 2" in conversation.details
        return write("x.py", "a = 1\nb = 2\n")

    async with (
        by_task(
            t_a=[write("x.py", "a = 1\n"), DONE], t_b=[write("x.py", "b = 2\n"), DONE], merge_t_b_1=[resolve]
        ) as model,
        running_worker(bus, model, tmp_path),
    ):
        await desk.order("t-a")
        await desk.ended("t-a")
        await desk.order("t-b", workspace_commit=ROOT_COMMIT)
        lost = await desk.ended("t-b")
        assert isinstance(lost, MergeConflicted)
        told = {
            "task_id": "t-b",
            "attempt": 1,
            "base": lost.base,
            "head": lost.head,
            "commit": lost.commit,
            "bundle_ref": lost.bundle_ref,
            "files": lost.files,
            "intent": "set b",
            "others": ("set a",),
        }
        await desk.order("merge-t-b-1", context={"merge": told})
        ended = await desk.ended("merge-t-b-1")
    assert isinstance(ended, TaskCompleted), ended
    repository = await branch_of(desk, tmp_path)
    assert await repository.show(await desk.head(), "x.py") == b"a = 1\nb = 2\n"


async def test_a_diagnosis_leaves_nothing_of_its_experiments(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    report = call(
        "report_result",
        status="done",
        summary="found it",
        findings=[{"file": "x.py", "line": 3, "severity": "high", "message": "off by one"}],
    )
    async with (
        by_task(debug_tests_1=[call("bash", command="echo junk > junk.txt"), report]) as model,
        running_worker(bus, model, tmp_path),
    ):
        await desk.order("debug-tests-1", "debug")
        ended = await desk.ended("debug-tests-1")
    assert isinstance(ended, TaskCompleted), ended
    assert [(f.file, f.line, f.source) for f in ended.result.findings] == [("x.py", 3, "debug")]
    assert await desk.merges() == []


OUR_AGENT = """---
name: coding
description: ours
agenthub: {limits: {max_tokens: 1234}}
---
You code in our house style.
"""


async def test_a_local_repository_is_imported_before_the_work_and_its_agents_are_used(
    bus: Client, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    agents = source / ".agenthub" / "agents"
    agents.mkdir(parents=True)
    (source / "x.py").write_text("x = 1\n")
    (agents / "coding.md").write_text(OUR_AGENT)
    git = ["git", "-C", str(source), "-c", "user.name=n", "-c", "user.email=e@x"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        await asyncio.to_thread(subprocess.run, [*git, *words], check=True)
    desk = Desk(bus)
    await desk.accept()
    async with by_task(t_add=[write("y.py", "y = 2\n"), DONE]) as model, running_worker(bus, model, tmp_path):
        await desk.order("prepare", context={"repository": str(source)})
        prepared = await desk.ended("prepare")
        assert isinstance(prepared, TaskCompleted), prepared
        await desk.order("t-add")
        ended = await desk.ended("t-add")
    assert isinstance(ended, TaskCompleted), ended
    assert [merge.origin for merge in await desk.merges()] == ["prepare", "task"]
    repository = await branch_of(desk, tmp_path)
    assert {"x.py", "y.py"} < {entry.path for entry in await repository.files(await desk.head())}
    assert "our house style" in str(model.requests[-1].body["system"])
    assert model.requests[-1].body["max_tokens"] == 1234


async def test_a_repository_that_is_none_is_said_in_plain_words(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with by_task(t_add=[DONE]) as model, running_worker(bus, model, tmp_path):
        await desk.order("prepare", context={"repository": str(tmp_path / "nowhere")})
        failed = await desk.ended("prepare")
    assert isinstance(failed, TaskFailed)
    assert failed.failure_class == "refused"
    assert "There is no git repository at" in failed.reason
