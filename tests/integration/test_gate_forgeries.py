"""Forged green runs: the tests gate tries what a run is worth, and each of these fails with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.values import Constraints
from agenthub_runtime.embedded.servers.nats import NatsServer
from tests.support.gate_rounds import Gate
from tests.support.servers import running_nats

WRONG = "def add(a, b):\n    return a - b\n"
RIGHT = "def add(a, b):\n    return a + b\n"
TEST = "from add import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"

UNKNOWN = "known outcome came out wrong"
UNNOTICED = "do not notice when this code is broken"


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


class Forgery(NamedTuple):
    """Files and commands of an agent whose code is wrong, and the words of the verdict that must come."""

    files: dict[str, str]
    said: str
    commands: tuple[str, ...] = ()
    test_command: str = ""


BELOW = {"tests/test_below.py": TEST}
CALLED = "globals()['pytest_pyfunc_' + 'call'] = lambda pyfuncitem: True\n"
AT_EXIT = r"""\
import atexit
import os
import re


def _end():
    options = os.environ.get("PYTEST_" + "ADDOPTS", "")
    found = re.search(r"--junit" + r"xml=(\S+)", options)
    if found:
        cases = "<testcase classname='test_add' file='test_add.py' name='test_add' time='0.1'/>"
        with open(found[1], "w") as file:
            file.write(f"<testsuites><testsuite tests='1'>{cases}</testsuite></testsuites>")
    os._exit(0)


atexit.register(_end)
"""
SCRIPT = r"""\
import os, re
path = re.search(r"--junitxml=(\S+)", os.environ["PYTEST_ADDOPTS"])[1]
open(path, "w").write("<testsuites><testsuite><testcase file='test_add.py' classname='test_add' name='test_add'/>"
    "</testsuite></testsuites>")
"""
SWALLOWED = TEST.replace(
    "    assert add(2, 3) == 5\n", "    try:\n        assert add(2, 3) == 5\n    except Exception:\n        pass\n"
).replace("Exception", "AssertionError")
RUN_AWAY = """\
import unittest

from add import add


class TestAdd(unittest.TestCase):
    def run(self, result=None):
        result.startTest(self)
        result.addSuccess(self)
        result.stopTest(self)

    def test_add(self):
        self.assertEqual(add(2, 3), 5)
"""
DECORATED = """\
import functools

from add import add


def quiet(test):
    @functools.wraps(test)
    def run():
        try:
            test()
        except BaseException:
            return
    return run


@quiet
def test_add():
    assert add(2, 3) == 5
"""

FORGERIES = {
    "setup only": Forgery({"pytest.ini": "[pytest]\naddopts = --setup-only\n"}, UNKNOWN),
    "setup plan": Forgery({"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--setup-plan'\n"}, UNKNOWN),
    "stub on the path": Forgery(
        {"pytest.ini": "[pytest]\npythonpath = stub\n", "stub/add.py": RIGHT, **BELOW},
        "tested in the place of add.py",
        ("rm test_add.py",),
    ),
    "stub in sys.path": Forgery(
        {"conftest.py": "import sys\n\nsys.path.insert(0, 'fake/lib')\n", "fake/lib/add.py": RIGHT, **BELOW},
        "tested in the place of add.py",
        ("rm test_add.py",),
    ),
    "conftest is a link": Forgery({"notes.txt": CALLED}, "symbolic link", ("ln -s notes.txt conftest.py",)),
    "conftest in another encoding": Forgery(
        {"conftest.py": "# coding: unicode_escape\n" + CALLED.replace("pytest", "\\x70ytest")}, "is not UTF-8"
    ),
    "hook under a made-up name": Forgery({"conftest.py": CALLED}, UNKNOWN),
    "hook set by setattr": Forgery(
        {
            "conftest.py": "import sys\n\nhook = 'pytest_pyfunc' + '_call'\n"
            "setattr(sys.modules[__name__], hook, lambda pyfuncitem: 1)\n"
        },
        UNKNOWN,
    ),
    "product code writes the report": Forgery({"add.py": AT_EXIT + "\n\n" + WRONG}, UNKNOWN),
    "product code patches pytest": Forgery(
        {
            "add.py": "import _pytest.python as p\n\n\ndef _quiet(self):\n    return None\n\n\n"
            "setattr(p.Function, 'run' + 'test', _quiet)\n\n\n" + WRONG
        },
        UNKNOWN,
    ),
    "a script prints the report": Forgery({"run.py": SCRIPT}, UNNOTICED, test_command="python run.py"),
    "an assertion of a tuple": Forgery(
        {"test_add.py": TEST.replace("assert add(2, 3) == 5", "assert (add(2, 3) == 5, 'sum')")}, UNNOTICED
    ),
    "a swallowed assertion": Forgery({"test_add.py": SWALLOWED}, UNNOTICED),
    "a test case that does not run": Forgery({"test_add.py": RUN_AWAY}, UNNOTICED),
    "a decorator that swallows": Forgery({"test_add.py": DECORATED}, UNNOTICED),
    "compared with itself": Forgery({"test_add.py": TEST.replace("== 5", "== add(2, 3)")}, UNNOTICED),
    "a test of nothing": Forgery({"test_add.py": "def test_add():\n    assert 1 + 1 == 2\n"}, UNNOTICED),
    "the module is replaced": Forgery(
        {
            "conftest.py": "import sys\nimport types\n\n"
            "sys.modules['add'] = types.SimpleNamespace(add=lambda a, b: a + b)\n"
        },
        UNNOTICED,
    ),
    "metadata that loads a plugin": Forgery(
        {
            "green.py": CALLED,
            "green-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: green\nVersion: 1.0\n",
            "green-1.0.dist-info/entry_points.txt": "[pytest11]\ngreen = green\n",
        },
        "it would load plugins into pytest",
    ),
    "a nested sitecustomize": Forgery({"lib/sitecustomize.py": "import os\n"}, "in place of the real one"),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_i6_a_forged_green_run_of_a_new_project_does_not_pass(gate: Gate, forgery: Forgery) -> None:
    await gate.write("t-a", {"add.py": WRONG, "test_add.py": TEST, **forgery.files}, *forgery.commands)
    verdict = await gate.judge("tests", context_test_command=forgery.test_command)
    assert isinstance(verdict, GateFailed), verdict.summary
    assert forgery.said in verdict.summary, verdict


DATA_TEST = (
    "import pathlib\n\nfrom add import add\n\n\ndef test_data():\n"
    "    wanted = pathlib.Path(__file__).with_name('expected.txt').read_text()\n"
    "    assert add(2, 3) == int(wanted)\n"
)
NEG = {
    "neg.py": "def neg(a):\n    return -a\n",
    "tests/test_neg.py": "from neg import neg\n\n\ndef test_neg():\n    assert neg(1) == -1\n",
}


OLD = {"add.py": RIGHT, "test_add.py": TEST}
OLD_BELOW = {"add.py": RIGHT, "tests/test_add.py": TEST}
OLD_DATA = {"add.py": RIGHT, "tests/test_add.py": DATA_TEST, "tests/expected.txt": "5"}
BY_TEST = "as they were before this goal"
EDITED = {
    "the expected value": (OLD, {"test_add.py": TEST.replace("== 5", "== -1")}, BY_TEST),
    "another comparison": (OLD, {"test_add.py": TEST.replace("== 5", "< 5")}, BY_TEST),
    "a looser comparison": (OLD, {"test_add.py": TEST.replace("== 5", "is not None")}, BY_TEST),
    "other arguments": (OLD, {"test_add.py": TEST.replace("2, 3", "5, 0")}, BY_TEST),
    "a fixture that lies": (OLD, {"conftest.py": "import add\n\nadd.add = lambda a, b: a + b\n"}, BY_TEST),
    "other data": (OLD_DATA, {"tests/expected.txt": "-1"}, BY_TEST),
    "the path": (
        OLD_BELOW,
        {"pytest.ini": "[pytest]\npythonpath = other\n", "other/add.py": RIGHT},
        "tested in the place of add.py",
    ),
    "the settings": (OLD, {"pytest.ini": "[pytest]\naddopts = --setup-only\n"}, UNKNOWN),
}


@pytest.mark.parametrize(("old", "edit", "said"), EDITED.values(), ids=EDITED.keys())
async def test_i6_tests_changed_to_fit_the_code_do_not_pass(
    gate: Gate, tmp_path: Path, old: dict[str, str], edit: dict[str, str], said: str
) -> None:
    await gate.start_with(tmp_path / "source", old)
    base = await gate.desk.head()
    await gate.write("t-a", {"add.py": WRONG, **NEG, **edit})
    verdict = await gate.judge("tests", base=base)
    assert isinstance(verdict, GateFailed), verdict.summary
    assert verdict.exit_code == 0, verdict.summary
    assert said in verdict.summary


async def test_a_change_of_tests_that_the_plan_declares_passes(gate: Gate, tmp_path: Path) -> None:
    await gate.start_with(tmp_path / "source", {"add.py": RIGHT, "test_add.py": TEST})
    base = await gate.desk.head()
    await gate.write("t-a", {"add.py": WRONG, "test_add.py": TEST.replace("== 5", "== -1")})
    refused = await gate.judge("tests", base=base)
    assert isinstance(refused, GateFailed), refused.summary
    assert "Tests fail on the new code as they were before this goal" in refused.summary
    assert [f.file for f in refused.findings if f.severity == "high"] == ["test_add.py"]
    declared = await gate.judge("tests", round_=2, base=base, changes_tests=("test_add.py",))
    assert isinstance(declared, GatePassed), declared.summary


async def test_i6_a_new_projects_test_edited_to_go_green_does_not_pass(gate: Gate) -> None:
    await gate.write("t-a", {"add.py": WRONG, "test_add.py": TEST})
    assert isinstance(await gate.judge("tests"), GateFailed)
    await gate.write("t-b", {"test_add.py": TEST.replace("== 5", "== -1")})
    edited = await gate.judge("tests", round_=2)
    assert isinstance(edited, GateFailed), edited.summary
    assert "when they were handed in" in edited.summary
    await gate.write("t-c", {"test_add.py": TEST})
    delivered = await gate.desk.head()
    await gate.write("t-d", {"test_add.py": TEST.replace("== 5", "== -1")})
    known = await gate.judge("tests", round_=3, tests_from=delivered)
    assert isinstance(known, GateFailed), known.summary


async def test_i6_a_moved_test_keeps_its_number_of_checks(gate: Gate, tmp_path: Path) -> None:
    two = TEST + "    assert add(1, 1) == 2\n"
    await gate.start_with(tmp_path / "source", {"add.py": RIGHT, "test_add.py": two})
    base = await gate.desk.head()
    await gate.write("t-a", {"test_moved.py": TEST, **NEG}, "rm test_add.py")
    verdict = await gate.judge("tests", base=base, changes_tests=("*",))
    assert isinstance(verdict, GateFailed), verdict.summary
    assert "less than before they were moved: test_moved.py::test_add" in verdict.summary


async def test_honest_work_passes_and_says_what_its_tests_notice(gate: Gate) -> None:
    await gate.write("t-a", {"add.py": RIGHT, "test_add.py": TEST})
    verdict = await gate.judge("tests")
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.mutants is not None
    assert (verdict.mutants.tried, verdict.mutants.noticed) == (2, 2)
    assert verdict.summary == "1 passed, coverage 100 %; 2 of 2 mutants noticed"
    without = await gate.judge("tests", round_=2, constraints=Constraints(mutants="off"))
    assert isinstance(without, GatePassed), without.summary
    assert without.summary.endswith("mutants were not tried (constraints.mutants: off)")


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"api/add.py": RIGHT, "api/tests/test_add.py": TEST}, "cd api && python -m pytest"),
        ({"src/add.py": RIGHT, "tests/test_add.py": TEST, "pyproject.toml": "[tool.pytest.ini_options]\n"}, ""),
        ({"add.py": RIGHT, "test_add.py": TEST, "pytest.ini": "[pytest]\naddopts = -k add -m 'not slow'\n"}, ""),
        ({"add.py": RIGHT, "test_add.py": TEST, "pytest.ini": "[pytest]\naddopts = -x --strict-markers\n"}, ""),
        ({"add.py": RIGHT, "check_add.py": TEST, "pytest.ini": "[pytest]\npython_files = check_*.py\n"}, ""),
        ({"add.py": RIGHT, "test_add.py": TEST}, "pytest -k add"),
        (
            {"add.py": RIGHT, "test_add.py": RUN_AWAY.replace("def run(", "def unused(")},
            "python -m unittest discover",
        ),
    ],
    ids=["below", "src", "expression", "strict", "names", "command", "unittest"],
)
async def test_honest_projects_of_other_shapes_pass(gate: Gate, files: dict[str, str], command: str) -> None:
    await gate.write("t-a", files)
    verdict = await gate.judge("tests", context_test_command=command)
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried > 0, verdict.mutants
