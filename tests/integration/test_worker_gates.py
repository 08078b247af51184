"""Gates judge a clean checkout by what the system finds; no words of an agent open one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.gate import GateFailed, GatePassed, GateVerdict
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskCompleted, TaskFailed
from agenthub_events.catalogue.values import TestCounts
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_worker.rehearsal.turns import call
from tests.support.gate_rounds import DONE, Gate, write
from tests.support.servers import running_nats

pytestmark = pytest.mark.extra

CODE = "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a - b\n"
GOOD = """\
from add import add, sub


def test_add():
    assert add(1, 2) == 3


def test_sub():
    assert sub(3, 2) == 1
"""
BAD = GOOD.replace("== 1", "== 2")
NEG = "from neg import neg\n\n\ndef test_neg():\n    assert neg(1) == -1\n"
SKIPPED = "import pytest\n" + BAD.replace("def test_sub", "@pytest.mark.skip\ndef test_sub")
FEWER = GOOD.split("\n\n\ndef test_sub", maxsplit=1)[0] + "\n"
SKIPPING = "import pytest\n" + BAD.replace("    assert sub", "    why = 'later'; pytest.skip(why)\n    assert sub")
FIXTURE = """\
import pytest


@pytest.fixture(autouse=True)
def _mood(request):
    if request.node.name == "test_sub":
        pytest.skip("not today")
"""
HOOK = "def pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if i.name != 'test_sub']\n"
OLD = """\
import time

import pytest

from add import add, sub


@pytest.mark.parametrize("now", [time.time_ns()])
def test_add(now):
    assert add(now, 1) == now + 1


def test_sub():
    assert sub(3, 2) == 1


@pytest.mark.skip(reason="was so before")
def test_later():
    assert sub(1, 1) == 7
"""


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for the module: every test has a goal of its own and leaves no order behind."""
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
async def gate(bus: Client, tmp_path: Path) -> Gate:
    made = Gate(bus, tmp_path)
    await made.desk.accept()
    return made


async def test_green_tests_pass_with_all_their_evidence(gate: Gate) -> None:
    await gate.work("t-a", add=CODE, test_add=GOOD)
    verdict = await gate.judge("tests", min_coverage=80.0)
    assert isinstance(verdict, GatePassed), verdict
    assert verdict.counts is not None
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


@pytest.mark.parametrize("command", ["true", "echo 3 passed", "python -m unittest discover"])
async def test_a_command_that_runs_no_test_passes_no_gate(bus: Client, tmp_path: Path, command: str) -> None:
    gate = Gate(bus, tmp_path)
    await gate.desk.accept(test_command=command)
    await gate.work("t-a", add=CODE)
    verdict = await gate.judge("tests", context_test_command=command)
    assert isinstance(verdict, GateFailed), verdict
    counted = command.startswith("python")
    assert verdict.needs_person is not counted
    assert verdict.cause.startswith("No test was found" if counted else "Not counted")


async def test_documents_have_nothing_that_tests_could_show(gate: Gate, tmp_path: Path) -> None:
    await gate.start_with(tmp_path / "source", {"README.md": "# Rules\n"})
    base = await gate.desk.head()
    gate.replies["t-a"] = [write("guide.md", "# Guide\n"), DONE]
    async with gate.model_and_worker():
        await gate.desk.order("t-a")
        await gate.desk.ended("t-a")
    verdict = await gate.judge("tests", base=base)
    assert isinstance(verdict, GatePassed), verdict
    assert verdict.nothing_to_do
    assert verdict.summary.startswith("Nothing to test: the goal changed 1 document(s)")
    await gate.work("t-b", add=CODE)
    code = await gate.judge("tests", round_=2, base=base)
    assert isinstance(code, GateFailed), "code among documents wants tests"


async def test_too_little_coverage_does_not_pass(gate: Gate) -> None:
    await gate.work("t-a", add=CODE, test_add=FEWER.replace(", sub", ""))
    verdict = await gate.judge("tests", min_coverage=90.0)
    assert isinstance(verdict, GateFailed)
    assert "Coverage is 75 %" in verdict.summary


@pytest.mark.parametrize(
    ("cheat", "said"),
    [
        ({"test_add": SKIPPED}, "are skipped now: test_add.py::test_sub (failed in round 1"),
        ({"test_add": FEWER}, "are deleted: test_add.py::test_sub (failed in round 1)"),
        (
            {"test_add": SKIPPING},
            "are skipped now: test_add.py::test_sub (failed in round 1; skipped because: later)",
        ),
        (
            {"conftest": FIXTURE},
            "are skipped now: test_add.py::test_sub (failed in round 1; skipped because: not today)",
        ),
        ({"conftest": HOOK}, "did not run: test_add.py::test_sub (failed in round 1)"),
    ],
    ids=["mark", "deletion", "call", "fixture", "collection"],
)
async def test_i6_tests_deleted_or_skipped_to_go_green_do_not_pass(
    gate: Gate, cheat: dict[str, str], said: str
) -> None:
    await gate.work("t-a", add=CODE, test_add=BAD)
    assert isinstance(await gate.judge("tests"), GateFailed)
    await gate.work("t-b", **cheat)
    verdict = await gate.judge("tests", round_=2)
    assert isinstance(verdict, GateFailed), verdict
    assert verdict.exit_code == 0
    assert said in verdict.summary
    assert [(f.file, f.severity) for f in verdict.findings if "test_sub" in f.message] == [("test_add.py", "high")]


async def test_i6_a_test_that_failed_when_it_was_merged_cannot_be_skipped_before_the_first_round(
    gate: Gate,
) -> None:
    await gate.work("t-a", add=CODE, test_add=BAD)
    await gate.work("t-b", test_add=SKIPPING)
    verdict = await gate.judge("tests")
    assert isinstance(verdict, GateFailed), verdict
    assert "test_add.py::test_sub (failed when t-a was merged" in verdict.summary


async def test_i6_what_ran_before_the_goal_has_to_run_and_what_was_skipped_may_stay_so(
    gate: Gate, tmp_path: Path
) -> None:
    await gate.start_with(tmp_path / "source", {"add.py": CODE, "test_add.py": OLD})
    base = await gate.desk.head()
    silent = OLD.replace("    assert sub", "    why = 'x'; pytest.skip(why)\n    assert sub")
    await gate.work("t-a", add=CODE.replace("a - b", "b - a"), test_add=silent)
    refused = await gate.judge("tests", base=base)
    assert isinstance(refused, GateFailed), refused
    assert "test_add.py::test_sub (passed before this goal" in refused.summary
    neg = NEG.replace("from neg", "from add")
    await gate.work("t-b", add=f"{CODE}\n\ndef neg(a):\n    return -a\n", test_add=OLD, test_neg=neg)
    passed = await gate.judge("tests", round_=2, base=base)
    assert isinstance(passed, GatePassed), passed.summary
    called = "1 of 1 calls gave the same outside of tests"
    said = f"3 passed, 1 skipped, coverage 100 %; {called}; 1 of 1 mutants noticed"
    assert (passed.summary, passed.findings) == (said, ())
    # The names of its cases tell when it ran.
    assert passed.base_report_ref == refused.base_report_ref != "", "the base is run once"


OLD_RED = """\
from add import add, sub


def test_add():
    assert add(1, 2) == 3


def test_old():
    assert sub(1, 1) == 7
"""


async def test_what_was_red_before_the_goal_is_said_and_does_not_block(gate: Gate, tmp_path: Path) -> None:
    broken = "import nothing_like_this\n\n\ndef test_there():\n    assert 1\n"
    await gate.start_with(tmp_path / "source", {"add.py": CODE, "test_old.py": OLD_RED, "test_broken.py": broken})
    base = await gate.desk.head()
    (imported,) = await gate.desk.of(TaskCompleted, "prepare")
    assert "2 failed before your goal: " in imported.result.summary
    assert "test_old.py::test_old" in imported.result.summary
    (merge,) = await gate.desk.merges()
    assert merge.tests is not None
    assert merge.tests.counts == TestCounts(passed=1, failed=1, errors=1)
    await gate.work("t-a", neg="def neg(a):\n    return -a\n", test_neg=NEG)
    passed = await gate.judge("tests", base=base)
    assert isinstance(passed, GatePassed), passed.summary
    assert passed.base_report_ref == merge.tests.report_ref, "the base is not run again"
    assert set(passed.failed_before) == {"test_old.py::test_old", "test_broken.py"}
    assert "2 failed before this goal and fail still" in passed.summary
    await gate.work("t-b", add=CODE.replace("a + b", "a - b"))
    failed = await gate.judge("tests", round_=2, base=base)
    assert isinstance(failed, GateFailed), failed.summary
    assert failed.failing == ("test_old.py::test_add",)
    assert failed.cause.startswith("test_old.py::test_add fails: "), failed.cause


async def test_a_goal_whose_every_test_failed_before_proves_nothing(gate: Gate, tmp_path: Path) -> None:
    await gate.start_with(tmp_path / "source", {"add.py": CODE, "test_old.py": OLD_RED.replace("== 3", "== 4")})
    base = await gate.desk.head()
    await gate.work("t-a", neg="def neg(a):\n    return -a\n")
    verdict = await gate.judge("tests", base=base)
    assert isinstance(verdict, GateFailed), verdict.summary
    assert "Not one test passed" in verdict.summary


async def test_new_tests_that_are_skipped_are_counted_and_named(gate: Gate) -> None:
    new = "\n\ndef test_more():\n    pytest.importorskip('no_such_module')\n    assert add(1, 1) == 2\n"
    await gate.work("t-a", add=CODE, test_add=f"import pytest\n{GOOD}{new}")
    verdict = await gate.judge("tests")
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.summary.startswith("2 passed, 1 skipped (1 of them new)")
    assert [(f.file, f.severity) for f in verdict.findings] == [("test_add.py", "info")]
    assert "test_more is new and was skipped" in verdict.findings[0].message


async def test_i6_a_plugin_that_rewrites_results_passes_no_gate(gate: Gate) -> None:
    hook = (
        "import pytest\n\n\n@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport():\n"
        "    report = yield\n    report.outcome = 'passed'\n    return report\n"
    )
    await gate.work("t-a", add=CODE, test_add=BAD, green=hook, conftest="pytest_plugins = ['green']\n")
    verdict = await gate.judge("tests")
    assert isinstance(verdict, GateFailed), verdict
    assert verdict.counts is not None
    assert (verdict.exit_code, verdict.counts.failed) == (0, 0), "the forged report is green"
    assert "green.py:5: `pytest_runtest_makereport` decides" in verdict.summary


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


OLD_SHELL = "import subprocess\n\n\ndef run(x):\n    subprocess.call(\n        x, shell=True\n    )\n"


async def test_a_scanners_finding_blocks_only_on_lines_that_the_change_touched(gate: Gate, tmp_path: Path) -> None:
    await gate.start_with(tmp_path / "source", {"run.py": OLD_SHELL})
    base = await gate.desk.head()
    await gate.work("t-a", run=f"{OLD_SHELL}\n\ndef more():\n    return 1\n")
    clean = call("report_result", status="done", summary="all clean")
    verdict = await gate.judge("security", call("git_diff"), clean, base=base)
    assert isinstance(verdict, GatePassed), verdict.summary
    assert {(f.file, f.touched) for f in verdict.findings} == {("run.py", False)}
    assert "on lines that the change did not touch" in verdict.summary


async def test_an_auditor_dismisses_a_scanners_finding_only_by_its_number_and_with_a_reason(gate: Gate) -> None:
    await gate.work("t-a", run=OLD_SHELL)
    wrong = call("report_result", status="done", summary="ok", dismissed=[{"number": 99, "reason": "fine"}])
    empty = call("report_result", status="done", summary="ok", dismissed=[{"number": 1, "reason": " "}])
    right = call("report_result", status="done", summary="ok", dismissed=[{"number": 1, "reason": "x is ours"}])
    verdict = await gate.judge("security", call("git_diff"), wrong, empty, right)
    assert isinstance(verdict, GatePassed), verdict
    assert [f.dismissed for f in verdict.findings if f.severity == "high"] == ["x is ours"]
    assert "dismissed by the auditor: run.py:6" in verdict.summary


@pytest.mark.parametrize("severity", ["critical", "high"])
async def test_an_approval_beside_a_serious_finding_is_mended_in_the_run(gate: Gate, severity: str) -> None:
    await gate.work("t-a", add=CODE)
    found = {"file": "add.py", "line": 2, "severity": severity, "message": "adds wrongly"}
    report: dict[str, Any] = {"status": "done", "summary": "fine", "findings": [found]}
    both = call("report_result", verdict="approve", **report)
    verdict = await gate.judge(
        "review", call("git_diff"), both, call("report_result", verdict="request_changes", **report)
    )
    assert isinstance(verdict, GateFailed), verdict
    assert verdict.summary.startswith("Changes requested")


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
    assert isinstance(blind, TaskFailed)
    assert "You have not read the whole change" in blind.reason
    assert "add.py, page 1 of 1: @@ -0,0 +1,6 @@" in blind.reason
    read = await gate.judge("review", call("git_diff"), approve, round_=2)
    assert isinstance(read, GatePassed), read
    changes = {"file": "add.py", "line": 2, "severity": "medium", "message": "document it"}
    refuse = call("report_result", status="done", summary="not yet", verdict="request_changes", findings=[changes])
    refused = await gate.judge("review", call("git_diff"), refuse, round_=3)
    assert isinstance(refused, GateFailed)
    assert isinstance(refused, GateVerdict)
    assert [f.line for f in refused.findings] == [2]


async def test_a_review_may_read_a_long_change_by_path_and_page_and_is_told_what_it_left_out(gate: Gate) -> None:
    long = "".join(f"n{number} = {number}\n" for number in range(3_000))
    await gate.work("t-a", add=CODE, long=long)
    approve = call("report_result", status="done", summary="fine", verdict="approve")
    rest = [call("git_diff", path="long.py", page=2), call("git_diff", path="long.py", page=3)]
    first = [call("git_diff", path="add.py"), call("git_diff", path="long.py")]
    verdict = await gate.judge("review", *first, approve, *rest, approve)
    assert isinstance(verdict, GatePassed), verdict
    one_page = await gate.judge("review", call("git_diff"), approve, round_=2)
    assert isinstance(one_page, TaskFailed), "the first page is not the change"
    assert "long.py, page 1, 2, 3 of 3" in one_page.reason or "long.py, page 2, 3 of 3" in one_page.reason


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
