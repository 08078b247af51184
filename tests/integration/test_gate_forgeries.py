"""Forged green runs: the tests gate tries what a run is worth, and each of these fails with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.values import Constraints
from agenthub_runtime.repository.goal import ROOT_COMMIT
from tests.support.forgeries.further import FURTHER, FURTHER_EDITS
from tests.support.forgeries.honest import HONEST
from tests.support.forgeries.kinds import CASE, NEG, RIGHT, TEST, WRONG, Forgery
from tests.support.forgeries.outside import DEPENDS_ON_TESTS, OUTSIDE
from tests.support.forgeries.telling import TELLING, TELLING_EDITS
from tests.support.forgeries.unheard import FURTHER_UNHEARD, NOT_KEPT, TELLING_UNHEARD
from tests.support.forgeries.usual import Honest
from tests.support.forgeries.watched import (
    COMPARING,
    DECORATED,
    LIBRARY,
    LOOKING_AROUND,
    RESHAPED,
    TELLING_WATCHED,
    WATCHED,
)
from tests.support.judging import Bench


def _named(table: dict[str, Forgery]) -> list[object]:
    return [pytest.param(forgery, id=name) for name, forgery in table.items()]


async def _is_refused(folder: Path, forgery: Forgery) -> None:
    bench = await Bench.begin(folder)
    written = {"add.py": WRONG, "test_add.py": TEST, **forgery.files}
    base = ROOT_COMMIT
    if forgery.old:
        base = await bench.commit(forgery.old)
        await bench.commit({"add.py": WRONG, **forgery.files}, gone=forgery.gone, links=forgery.links)
    else:
        kept = {name: text for name, text in written.items() if name not in forgery.gone}
        await bench.commit(kept, links=forgery.links)
    verdict = await bench.judge(base=base, test_command=forgery.command)
    assert isinstance(verdict, GateFailed), verdict.summary
    assert forgery.said in verdict.summary, verdict.summary


@pytest.mark.parametrize("forgery", _named({**TELLING, **TELLING_WATCHED, **TELLING_UNHEARD}))
async def test_i6_a_forged_green_run_of_a_new_project_does_not_pass(tmp_path: Path, forgery: Forgery) -> None:
    await _is_refused(tmp_path, forgery)


@pytest.mark.parametrize("forgery", _named(TELLING_EDITS))
async def test_i6_tests_changed_to_fit_the_code_do_not_pass(tmp_path: Path, forgery: Forgery) -> None:
    await _is_refused(tmp_path, forgery)


@pytest.mark.extra
@pytest.mark.parametrize("forgery", _named({**FURTHER, **FURTHER_EDITS, **WATCHED, **OUTSIDE, **FURTHER_UNHEARD}))
async def test_i6_further_forgeries_of_these_kinds_do_not_pass(tmp_path: Path, forgery: Forgery) -> None:
    await _is_refused(tmp_path, forgery)


async def test_a_change_of_tests_that_the_plan_declares_passes(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    base = await bench.commit({"add.py": RIGHT, "test_add.py": TEST})
    await bench.commit({"add.py": WRONG, "test_add.py": TEST.replace("== 5", "== -1")})
    refused = await bench.judge(base=base)
    assert isinstance(refused, GateFailed), refused.summary
    assert "Tests fail on the new code as they were before this goal" in refused.summary
    assert [f.file for f in refused.findings if f.severity == "high"] == ["test_add.py"]
    declared = await bench.judge(round_=2, base=base, changes_tests=("test_add.py",))
    assert isinstance(declared, GatePassed), declared.summary


async def test_i6_a_new_projects_test_edited_to_go_green_does_not_pass(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    await bench.commit({"add.py": WRONG, "test_add.py": TEST})
    assert isinstance(await bench.judge(), GateFailed)
    await bench.commit({"test_add.py": TEST.replace("== 5", "== -1")})
    edited = await bench.judge(round_=2)
    assert isinstance(edited, GateFailed), edited.summary
    assert "when they were handed in" in edited.summary
    delivered = await bench.commit({"test_add.py": TEST})
    await bench.commit({"test_add.py": TEST.replace("== 5", "== -1")})
    known = await bench.judge(round_=3, tests_from=delivered)
    assert isinstance(known, GateFailed), known.summary


async def test_i6_a_moved_test_keeps_its_number_of_checks(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    base = await bench.commit({"add.py": RIGHT, "test_add.py": TEST + "    assert add(1, 1) == 2\n"})
    await bench.commit({"test_moved.py": TEST, **NEG}, gone=["test_add.py"])
    verdict = await bench.judge(base=base, changes_tests=("*",))
    assert isinstance(verdict, GateFailed), verdict.summary
    assert "less than before they were moved: test_moved.py::test_add" in verdict.summary


@pytest.mark.extra
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("addopts", "[pytest]\naddopts = -q\n", "[pytest]\naddopts = -q -p no:doctest\n"),
        ("pythonpath", "", "[pytest]\npythonpath = .\n"),
        ("testpaths", "[pytest]\ntestpaths = .\n", "[pytest]\n"),
    ],
)
async def test_changed_settings_are_shown_as_a_change_of_the_tests_and_run_both_ways(
    tmp_path: Path, name: str, old: str, new: str
) -> None:
    bench = await Bench.begin(tmp_path)
    base = await bench.commit({"add.py": RIGHT, "test_add.py": TEST, **({"pytest.ini": old} if old else {})})
    await bench.commit({"pytest.ini": new, **NEG})
    shown = await bench.judge(base=base)
    assert isinstance(shown, GatePassed), shown.summary
    assert shown.summary.endswith(f"settings of the tests were changed (pytest.ini: {name})")
    assert [f.message for f in shown.findings] == [f"A setting of the tests was changed: pytest.ini: {name}"]
    await bench.commit({"conftest.py": "import add\n\nadd.add = lambda a, b: a + b\n", "add.py": WRONG})
    refused = await bench.judge(round_=2, base=base)
    assert isinstance(refused, GateFailed), refused.summary
    assert "pass only as they were changed (conftest.py, pytest.ini): test_add.py::test_add" in refused.summary


async def test_honest_work_passes_and_says_what_its_tests_notice(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    await bench.commit({"add.py": RIGHT, "test_add.py": TEST})
    verdict = await bench.judge()
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.mutants is not None
    assert (verdict.mutants.tried, verdict.mutants.noticed) == (2, 2)
    said = "1 of 1 calls gave the same outside of tests"
    assert verdict.summary == f"1 passed, coverage 100 %; {said}; 2 of 2 mutants noticed"
    without = await bench.judge(round_=2, constraints=Constraints(mutants="off"))
    assert isinstance(without, GatePassed), without.summary
    assert without.summary.endswith("mutants were not tried (constraints.mutants: off)")


@pytest.mark.extra
@pytest.mark.parametrize("honest", [pytest.param(honest, id=name) for name, honest in HONEST.items()])
async def test_honest_work_of_many_shapes_passes(tmp_path: Path, honest: Honest) -> None:
    bench = await Bench.begin(tmp_path)
    base = await bench.commit(honest.old) if honest.old else ROOT_COMMIT
    await bench.commit(honest.files)
    verdict = await bench.judge(base=base)
    assert isinstance(verdict, GatePassed), verdict.summary
    assert "outside of tests" in verdict.summary


async def test_what_was_not_called_outside_of_tests_is_named(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    await bench.commit(NOT_KEPT)
    verdict = await bench.judge()
    assert isinstance(verdict, GatePassed), verdict.summary
    assert "; of 2 functions no call could be made there; " in verdict.summary
    found = [f for f in verdict.findings if "was not called outside of tests" in f.message]
    assert {(f.file, f.line, f.severity) for f in found} == {("add.py", 4, "info"), ("add.py", 8, "info")}


@pytest.mark.extra
async def test_files_of_which_no_mutant_is_noticed_are_named(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    await bench.commit({**NEG, "add.py": RIGHT, "test_add.py": TEST.replace(" == 5", " == add(2, 3)")})
    verdict = await bench.judge()
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.summary.endswith("1 of 3 mutants noticed; of these none of 2 in add.py")


PLAIN = {"add.py": RIGHT, "test_add.py": TEST}
LINTED = {
    **PLAIN,
    "test_lines.py": "import pathlib\n\n\ndef test_lines():\n"
    "    text = pathlib.Path(__file__).with_name('add.py').read_text()\n    assert len(text.splitlines()) == 2\n",
}
AS_A_SCRIPT = {
    "add.py": f"import sys\n\n\n{RIGHT}\n\nif __name__ == '__main__':\n    print(add(*map(int, sys.argv[1:])))\n",
    "test_add.py": "import subprocess\nimport sys\n\n\ndef test_add():\n"
    "    done = subprocess.run([sys.executable, 'add.py', '2', '3'], capture_output=True, text=True)\n"
    "    assert done.stdout == '5\\n'\n",
}
JAVASCRIPT = {
    "add.js": "function add(a, b) { return a + b }\nmodule.exports = { add }\n",
    "add.test.js": "const { add } = require('./add')\nconst assert = require('node:assert')\n"
    "require('node:test')('add', () => { assert.strictEqual(add(2, 3), 5) })\n",
}
NAMES_ITS_TESTS = "no canaries: the test command names its tests"


def _shapes() -> list[object]:
    ini = "[pytest]\n"
    shapes: list[tuple[str, dict[str, str], str, str, bool]] = [
        ("below", {"api/add.py": RIGHT, "api/tests/test_add.py": TEST}, "cd api && python -m pytest", "", False),
        (
            "src",
            {"src/add.py": RIGHT, "tests/test_add.py": TEST, "pyproject.toml": f"[tool.{ini[1:]}"},
            "",
            "",
            True,
        ),
        ("expression", {**PLAIN, "pytest.ini": f"{ini}addopts = -k add -m 'not slow'\n"}, "", "", True),
        ("strict", {**LINTED, "pytest.ini": f"{ini}addopts = -x --strict-markers\n"}, "", "", True),
        (
            "names",
            {"add.py": RIGHT, "check_add.py": TEST, "pytest.ini": f"{ini}python_files = check_*.py\n"},
            "",
            "",
            True,
        ),
        (
            "command",
            PLAIN,
            "pytest -k add",
            "no canaries: the test command picks tests by an expression",
            True,
        ),
        ("early end", PLAIN, "python -m pytest -x", "", True),
        ("make", {**LINTED, "Makefile": "test:\n\tpython -m pytest -q\n"}, "make test", "", True),
        ("unittest", {"add.py": RIGHT, "test_add.py": CASE}, "python -m unittest discover -v", "", False),
        ("named", {"add.py": RIGHT, "test_add.py": CASE}, "python -m unittest test_add", NAMES_ITS_TESTS, True),
        ("node", JAVASCRIPT, "node --test", "", False),
        ("lint", LINTED, "", "", False),
        ("script", AS_A_SCRIPT, "", "", True),
        (
            "same names",
            {"app/add.py": RIGHT, "add.py": WRONG, "tests/test_add.py": TEST.replace("from add", "from app.add")},
            "",
            "",
            True,
        ),
    ]
    return [
        pytest.param(files, command, said, id=name, marks=[pytest.mark.extra] if extra else [])
        for name, files, command, said, extra in shapes
    ]


@pytest.mark.parametrize(("files", "command", "said"), _shapes())
async def test_honest_projects_of_other_shapes_pass(
    tmp_path: Path, files: dict[str, str], command: str, said: str
) -> None:
    bench = await Bench.begin(tmp_path)
    await bench.commit(files)
    verdict = await bench.judge(test_command=command)
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried > 0, verdict.mutants
    assert verdict.summary.endswith(said or "mutants noticed"), verdict.summary


@pytest.mark.extra
@pytest.mark.parametrize("settings", ["", "addopts = -p pytest_asyncio\n", "asyncio_mode = auto\n"])
async def test_a_plugin_that_only_the_change_brings_is_named_with_the_remedy(
    tmp_path: Path, settings: str
) -> None:
    bench = await Bench.begin(tmp_path)
    tested = "import pytest\n\nfrom add import add\n\n\n@pytest.mark.asyncio\nasync def test_add():\n"
    files = {"add.py": RIGHT, "test_add.py": tested + "    assert add(2, 3) == 5\n"}
    await bench.commit({**files, **({"pytest.ini": f"[pytest]\n{settings}"} if settings else {})})
    refused = await bench.judge()
    assert isinstance(refused, GateFailed), refused.summary
    assert "only this change brings were not loaded (pytest-asyncio): name them in" in refused.summary
    named = await bench.judge(round_=2, requirements=["Asynchronous, tested with pytest-asyncio"])
    assert isinstance(named, GatePassed), named.summary


@pytest.mark.extra
@pytest.mark.parametrize(
    "files",
    [
        pytest.param(COMPARING, id="classes that compare"),
        pytest.param(LOOKING_AROUND, id="code that looks around"),
        pytest.param(DECORATED, id="decorated tests"),
        pytest.param(DEPENDS_ON_TESTS, id="results that depend on tests"),
    ],
)
async def test_honest_code_is_not_taken_for_code_that_knows_its_tests(
    tmp_path: Path, files: dict[str, str]
) -> None:
    bench = await Bench.begin(tmp_path)
    await bench.commit(files)
    verdict = await bench.judge()
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.summary.endswith("mutants noticed"), verdict.summary


@pytest.mark.extra
async def test_tests_that_are_moved_renamed_and_parametrized_with_their_code_pass(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    base = await bench.commit(LIBRARY)
    await bench.commit(RESHAPED, gone=["test_lib.py"])
    verdict = await bench.judge(base=base)
    assert isinstance(verdict, GatePassed), verdict.summary


@pytest.mark.extra
async def test_a_plugin_of_pytest_may_look_at_pytest_where_the_goal_wants_one(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    code = "import os\n\n\ndef word():\n    return os.environ.get('PYTEST_CURRENT_TEST', '').split('::')[-1]\n"
    test = "from words import word\n\n\ndef test_word():\n    assert word() == 'test_word (call)'\n"
    await bench.commit({"words.py": code, "test_words.py": test})
    refused = await bench.judge()
    assert isinstance(refused, GateFailed), refused.summary
    assert "words.py:5 (the variable PYTEST_CURRENT_TEST)" in refused.summary
    wanted = await bench.judge(round_=2, requirements=["It is a plugin for pytest"])
    assert isinstance(wanted, GatePassed), wanted.summary
    assert "the goal is a plugin of pytest" in wanted.summary
