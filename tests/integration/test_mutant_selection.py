"""For a mutant only the tests that cover its line run, and what is red among them without it does not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.port import ExecResult, Shell
from tests.support.forgeries.kinds import RIGHT, TEST, UNNOTICED
from tests.support.judging import Bench

NEG = "def neg(a):\n    return -a - 0\n"
FILES = {
    "add.py": RIGHT,
    "neg.py": NEG,
    "tests/test_add.py": TEST,
    "tests/test_neg.py": "from neg import neg\n\n\ndef test_neg():\n    assert neg(1) == -1\n",
}
BOTH = "tests/test_add.py::test_add", "tests/test_neg.py::test_neg"


class SlowSandbox:
    """A sandbox in which every command takes 20 seconds more than it does, as its clock tells it."""

    def __init__(self) -> None:
        self._real = Bubblewrap()
        self.name, self.root = self._real.name, self._real.root
        self.ran: list[str] = []

    def shell(self, **given: Any) -> Shell:
        """One that lasts is as quick as it is."""
        return self._real.shell(**given)

    async def run(self, command: Sequence[str] | str, **given: Any) -> ExecResult:
        """Run it, and remember what it was with what it was told about pytest."""
        env: Mapping[str, str] = given.get("env") or {}
        self.ran.append(f"{command} {env.get('PYTEST_ADDOPTS', '')}")
        result = await self._real.run(command, **given)
        return msgspec.structs.replace(result, duration_s=result.duration_s + 20)

    @property
    def trials(self) -> list[set[str]]:
        """What each run with or without a mutant named: such a run stops at the first test that is red."""
        return [{name for name in BOTH if f"{name}" in line} for line in self.ran if " -x" in line]


@pytest.fixture
def sandbox() -> SlowSandbox:
    return SlowSandbox()


async def test_each_mutant_is_tried_with_the_tests_of_its_line(tmp_path: Path, sandbox: SlowSandbox) -> None:
    bench = await Bench.begin(tmp_path, sandbox)
    await bench.commit(FILES)
    verdict = await bench.judge()
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried - len(verdict.mutants.survivors) > 2
    assert {frozenset(names) for names in sandbox.trials} == {frozenset({name}) for name in BOTH}
    assert len(sandbox.trials) == verdict.mutants.tried + 2, "and each selection once without a mutant"


@pytest.mark.extra
async def test_what_runs_as_a_module_is_imported_is_tried_with_all_tests(
    tmp_path: Path, sandbox: SlowSandbox
) -> None:
    bench = await Bench.begin(tmp_path, sandbox)
    await bench.commit({**FILES, "add.py": "FIVE = 2 + 3\n\n\ndef add(a, b):\n    return FIVE\n"})
    verdict = await bench.judge()
    assert isinstance(verdict, GatePassed), verdict.summary
    assert set() in sandbox.trials


async def test_i6_a_test_that_is_red_alone_notices_nothing(tmp_path: Path, sandbox: SlowSandbox) -> None:
    bench = await Bench.begin(tmp_path, sandbox)
    await bench.commit(
        {
            "add.py": RIGHT.replace("+", "-"),
            "tests/test_add.py": "import builtins\n\n\ndef test_a():\n    builtins.known = True\n\n\n"
            "def test_add():\n    from add import add\n\n    add(2, 3)\n    assert builtins.known\n",
        }
    )
    verdict = await bench.judge()
    assert isinstance(verdict, GateFailed), verdict.summary
    assert UNNOTICED in verdict.summary
    assert {BOTH[0]} in sandbox.trials
    assert set() in sandbox.trials, "before that is said, all tests were tried"


async def test_a_quick_suite_is_run_whole(tmp_path: Path) -> None:
    class Watched(SlowSandbox):
        async def run(self, command: Sequence[str] | str, **given: Any) -> ExecResult:
            result = await super().run(command, **given)
            return msgspec.structs.replace(result, duration_s=result.duration_s - 20)

    sandbox = Watched()
    bench = await Bench.begin(tmp_path, sandbox)
    await bench.commit(FILES)
    verdict = await bench.judge()
    assert isinstance(verdict, GatePassed), verdict.summary
    assert {frozenset(names) for names in sandbox.trials} == {frozenset()}
    assert not any("contexts.json" in line for line in sandbox.ran)


class Slowing(SlowSandbox):
    """A sandbox by whose clock the runs with and without a mutant take so long; the first ones are the slowest.

    The others take `quick_s` fewer seconds than in the slow one.
    """

    def __init__(self, first_s: float, later_s: float, quick_s: float = 0) -> None:
        super().__init__()
        self._first_s, self._later_s, self._quick_s = first_s, later_s, quick_s

    async def run(self, command: Sequence[str] | str, **given: Any) -> ExecResult:
        result = await super().run(command, **given)
        if " -x" not in self.ran[-1]:
            return msgspec.structs.replace(result, duration_s=result.duration_s - self._quick_s)
        takes = self._first_s if len(self.trials) <= 2 else self._later_s
        if takes < given["timeout_s"]:
            return msgspec.structs.replace(result, duration_s=takes)
        return msgspec.structs.replace(result, duration_s=given["timeout_s"], timed_out=True, exit_code=124)


@pytest.mark.extra
@pytest.mark.parametrize(
    "slowing", [(130, 70), (45, 45, 18), (130, 130, 18), (130, 2, 18), (300, 250, 18)], ids=str
)
async def test_a_machine_that_has_become_slower_is_no_fault_of_the_tests(
    tmp_path: Path, slowing: tuple[float, ...]
) -> None:
    bench = await Bench.begin(tmp_path, Slowing(*slowing))
    await bench.commit({path: text for path, text in FILES.items() if "neg" not in path})
    verdict = await bench.judge()
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried > 0


@pytest.mark.extra
async def test_i6_tests_that_do_not_end_again_are_refused(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path, Slowing(10_000, 10_000))
    await bench.commit({path: text for path, text in FILES.items() if "neg" not in path})
    verdict = await bench.judge()
    assert isinstance(verdict, GateFailed), verdict.summary
    assert "do not end, as soon as they run again" in verdict.summary
