"""Gates judge a clean checkout by what the system finds; no words of an agent open one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.gate import GateFailed, GatePassed, GateVerdict
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskCompleted, TaskFailed
from agenthub_runtime.embedded.nats import NatsServer
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_worker.rehearsal.scripted import Reply, ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import Turn, call
from tests.support.servers import running_nats
from tests.support.workbench import Desk, running_worker

CODE = "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a - b\n"
GOOD = """\
from add import add, sub


def test_add():
    assert add(1, 2) == 3


def test_sub():
    assert sub(3, 2) == 1
"""
BAD = GOOD.replace("== 1", "== 2")
SKIPPED = "import pytest\n" + BAD.replace("def test_sub", "@pytest.mark.skip\ndef test_sub")
FEWER = GOOD.split("\n\n\ndef test_sub", maxsplit=1)[0] + "\n"
DONE = call("report_result", status="done", summary="everything passes", tests_run="2 passed")


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for the module: every test has a goal of its own and leaves no order behind."""
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


def write(path: str, text: str) -> Turn:
    return call("str_replace_based_edit_tool", command="create", path=path, file_text=text)


class Gate:
    """One goal whose tests were written by an agent, and gates on it."""

    def __init__(self, bus: Client, folder: Path) -> None:
        self.bus = bus
        self.folder = folder
        self.desk = Desk(bus)
        self.replies: dict[str, list[Reply]] = {}

    async def work(self, task: str, **files: str) -> None:
        """Let an agent write `files` and say that all is well."""
        self.replies[task] = [*(write(f"{name}.py", text) for name, text in files.items()), DONE]
        async with self.model_and_worker():
            await self.desk.order(task)
            assert isinstance(await self.desk.ended(task), TaskCompleted)

    async def judge(self, gate: str, *replies: Reply, round_: int = 1, **order: Any) -> Any:
        """The event that ends a round of `gate`."""
        task = f"gate-{gate}-{round_}"
        self.replies[task] = list(replies)
        told = {"gate": gate, "round": round_, "commit": await self.desk.head(), "base": ROOT_COMMIT, **order}
        async with self.model_and_worker():
            agent = "testing" if gate == "tests" else gate
            await self.desk.order(task, agent, context={"gate": told})
            return await self.desk.ended(task)

    @asynccontextmanager
    async def model_and_worker(self) -> AsyncIterator[None]:
        """A worker, and the model that plays `replies`."""
        model = ScriptedModelServer([ScriptedReplies(self.replies)])
        async with model, running_worker(self.bus, model, self.folder):
            yield


@pytest.fixture
async def gate(bus: Client, tmp_path: Path) -> Gate:
    made = Gate(bus, tmp_path)
    await made.desk.accept()
    return made


async def test_green_tests_pass_with_all_their_evidence(gate: Gate) -> None:
    await gate.work("t-a", add=CODE, test_add=GOOD)
    verdict = await gate.judge("tests", min_coverage=80.0)
    assert isinstance(verdict, GatePassed), verdict
    assert (verdict.exit_code, verdict.counts.passed, verdict.coverage_percent) == (0, 2, 100.0)
    assert (verdict.gate, verdict.round, verdict.commit) == ("tests", 1, await gate.desk.head())
    assert verdict.coverage_required == 80.0
    assert b"2 passed" in await gate.desk.artifacts.get(verdict.log_ref)
    assert await gate.desk.of(LlmCalled, "gate-tests-1") == []


async def test_a_gate_before_the_first_merge_judges_the_root_commit(gate: Gate) -> None:
    verdict = await gate.judge("tests", commit="", base="")
    assert isinstance(verdict, GateFailed), verdict
    assert verdict.commit == ROOT_COMMIT
    assert "no test" in verdict.summary.lower()


async def test_i6_a_claim_of_success_without_evidence_passes_no_gate(gate: Gate) -> None:
    await gate.work("t-a", add=CODE, test_add=BAD)
    verdict = await gate.judge("tests")
    assert isinstance(verdict, GateFailed)
    assert verdict.exit_code == 1
    assert verdict.failing == ("test_add.py::test_sub",)
    assert verdict.blocking


async def test_code_without_tests_does_not_pass(gate: Gate) -> None:
    await gate.work("t-a", add=CODE)
    verdict = await gate.judge("tests")
    assert isinstance(verdict, GateFailed)
    assert "No test" in verdict.summary


async def test_too_little_coverage_does_not_pass(gate: Gate) -> None:
    await gate.work("t-a", add=CODE, test_add=FEWER.replace(", sub", ""))
    verdict = await gate.judge("tests", min_coverage=90.0)
    assert isinstance(verdict, GateFailed)
    assert "Coverage is 75 %" in verdict.summary


@pytest.mark.parametrize(("cheat", "word"), [(SKIPPED, "skipped"), (FEWER, "deleted")])
async def test_i6_tests_deleted_or_skipped_to_go_green_do_not_pass(gate: Gate, cheat: str, word: str) -> None:
    await gate.work("t-a", add=CODE, test_add=BAD)
    assert isinstance(await gate.judge("tests"), GateFailed)
    await gate.work("t-b", test_add=cheat)
    verdict = await gate.judge("tests", round_=2)
    assert isinstance(verdict, GateFailed), verdict
    assert verdict.exit_code == 0
    assert word in verdict.summary


async def test_a_real_fix_passes_the_next_round(gate: Gate) -> None:
    await gate.work("t-a", add=CODE.replace("a - b", "b - a"), test_add=GOOD)
    assert isinstance(await gate.judge("tests"), GateFailed)
    await gate.work("t-b", add=CODE)
    verdict = await gate.judge("tests", round_=2)
    assert isinstance(verdict, GatePassed), verdict.summary


async def test_a_scanner_outweighs_an_auditor_who_sees_nothing(gate: Gate) -> None:
    await gate.work("t-a", run="import subprocess\n\n\ndef run(x):\n    subprocess.call(x, shell=True)\n")
    clean = call("report_result", status="done", summary="all clean")
    verdict = await gate.judge("security", call("git_diff"), clean)
    assert isinstance(verdict, GateFailed), verdict
    assert [(f.file, f.severity, f.source) for f in verdict.findings if f.severity == "high"] == [
        ("run.py", "high", "bandit")
    ]


async def test_an_audit_of_clean_code_passes_and_carries_what_it_cost(gate: Gate) -> None:
    await gate.work("t-a", add=CODE)
    minor = {"file": "add.py", "line": 1, "severity": "low", "message": "no type hints"}
    report = call("report_result", status="done", summary="nothing serious", findings=[minor])
    verdict = await gate.judge("security", call("git_diff"), report)
    assert isinstance(verdict, GatePassed), verdict
    assert [(f.message, f.source) for f in verdict.findings] == [("no type hints", "security")]
    assert verdict.usage.calls == 2


async def test_a_review_counts_only_from_somebody_who_read_the_change(gate: Gate) -> None:
    await gate.work("t-a", add=CODE)
    approve = call("report_result", status="done", summary="fine", verdict="approve")
    blind = await gate.judge("review", approve)
    assert isinstance(blind, GateFailed)
    assert "without reading" in blind.summary
    read = await gate.judge("review", call("git_diff"), approve, round_=2)
    assert isinstance(read, GatePassed), read
    changes = {"file": "add.py", "line": 2, "severity": "medium", "message": "document it"}
    refuse = call("report_result", status="done", summary="not yet", verdict="request_changes", findings=[changes])
    refused = await gate.judge("review", call("git_diff"), refuse, round_=3)
    assert isinstance(refused, GateFailed)
    assert isinstance(refused, GateVerdict)
    assert [f.line for f in refused.findings] == [2]


async def test_a_review_without_a_verdict_is_asked_for_it(gate: Gate) -> None:
    await gate.work("t-a", add=CODE)
    vague = call("report_result", status="done", summary="looks nice")
    failed = await gate.judge("review", call("git_diff"), vague)
    assert isinstance(failed, TaskFailed)
    assert "verdict" in failed.reason


async def test_nothing_that_a_gates_agent_writes_is_kept(gate: Gate) -> None:
    await gate.work("t-a", add=CODE)
    head = await gate.desk.head()
    approve = call("report_result", status="done", summary="fine", verdict="approve")
    verdict = await gate.judge("review", call("git_diff"), write("add.py", "hacked\n"), approve)
    assert isinstance(verdict, GatePassed)
    assert await gate.desk.head() == head
