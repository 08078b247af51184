"""What tox and nox would run for a project's tests is what is run."""

from __future__ import annotations

import sys

import pytest

from agenthub_worker.automation.tox import tox_of
from agenthub_worker.evidence.layout import TestCommand, detect_test_command
from agenthub_worker.experiments.protected import changed_settings
from agenthub_worker.experiments.steering import steering_of
from agenthub_worker.suites.detect import says_how

PYTHON = f"py{sys.version_info.major}{sys.version_info.minor}"
TESTS = "tests/test_a.py"
PLAIN = "python -m pytest"


def command_of(files: dict[str, str]) -> TestCommand:
    assert all(map(says_how, files)), files
    found = detect_test_command([TESTS, *files], files)
    assert isinstance(found, TestCommand)
    return found


def tox(text: str) -> dict[str, str]:
    return {"tox.ini": f"[testenv]\n{text}"}


def nox(text: str) -> dict[str, str]:
    return {"noxfile.py": f"import nox\n\n@nox.session\ndef tests(session):\n    {text}\n"}


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (tox("commands = pytest {posargs:tests/unit} --strict\n"), "pytest tests/unit --strict"),
        (
            tox("commands =\n  coverage erase\n  - coverage run -m pytest\n  coverage report\n"),
            "coverage run -m pytest",
        ),
        (tox("setenv =\n  LEVEL = two words\n  PYTHONPATH = x\ncommands = pytest\n"), "LEVEL='two words' pytest"),
        (
            tox("changedir = sub\ncommands = {envpython} -m unittest discover\n"),
            "cd sub && python -m unittest discover",
        ),
        (tox("commands = pytest {env:ARGS:-q}\n[testenv:lint]\ncommands = ruff\n"), "pytest -q"),
        (
            tox("deps = x\n[testenv:unit]\ncommands = pytest -x\n[testenv:cov]\ncommands = pytest --cov\n"),
            "pytest -x",
        ),
        (tox("commands = pytest $(rm x)\n"), "pytest '$(rm' 'x)'"),
        (
            tox("commands = pytest --basetemp={envtmpdir} {posargs}\n"),
            "mkdir -p /tmp/tox && pytest --basetemp=/tmp/tox",
        ),
        (
            tox("setenv = D={envtmpdir}/d\n  HOME={envtmpdir}\nchangedir = t\ncommands = pytest -q\n"),
            "mkdir -p /tmp/tox && cd t && D=/tmp/tox/d pytest -q",
        ),
        (
            {"tox.toml": '[env_run_base]\ncommands=[["pytest", "--basetemp={env_tmp_dir}/x", "-v"]]\n'},
            "mkdir -p /tmp/tox && pytest --basetemp=/tmp/tox/x -v",
        ),
        ({"setup.cfg": "[testenv]\ncommands = pytest -ra\n"}, "pytest -ra"),
        ({"tox.toml": '[env.py]\ncommands=[["pytest", {replace="posargs", default=["a b"]}]]\n'}, "pytest 'a b'"),
        ({"pyproject.toml": '[tool.tox.env.test]\ncommands=[["python","-m","unittest"]]\n'}, "python -m unittest"),
        (nox("session.run('pytest', '--strict', *session.posargs, env={'A': '1'})"), "A=1 pytest --strict"),
        (nox("session.run('python', '-m', 'unittest')"), "python -m unittest"),
    ],
)
def test_the_command_of_tox_and_nox_is_run_with_its_options(files: dict[str, str], line: str) -> None:
    assert command_of(files).text == line


@pytest.mark.parametrize(
    "files",
    [
        tox("commands = pytest {posargs}\n"),
        tox("commands = python -m pytest\n"),
        tox("commands = {unheard} pytest -x\n"),
        tox("commands = make check\n"),
        tox("commands = pytest; rm -rf x\n"),
        tox("changedir = ../other\ncommands = pytest -x\n"),
        tox("commands = {"),
        {"tox.ini": "no ini"},
        {"tox.toml": "no = [toml"},
        nox("session.run('make')"),
        nox("session.run(*words)"),
        {"noxfile.py": "def ("},
        {"noxfile.py": f"@{'a.' * 5_000}b\ndef tests(session):\n    session.run('pytest', '-x')\n"},
        nox(f"{'session.' * 5_000}run('pytest', '-x')"),
    ],
)
def test_what_says_no_more_or_cannot_be_read_leaves_pytest_as_it_is(files: dict[str, str]) -> None:
    assert command_of(files).text == PLAIN


def test_paths_follow_where_pytest_takes_them() -> None:
    assert command_of(tox("commands = pytest -ra\n")).takes_paths
    assert not command_of(tox("commands = python -m unittest\n")).takes_paths


@pytest.mark.parametrize(
    ("path", "now"),
    [
        ("tox.ini", "[testenv]\ncommands = pytest -k adds\n"),
        ("tox.toml", 'commands = [["pytest", "--deselect", "tests/test_a.py::test_b"]]\n'),
        ("noxfile.py", "session.run('pytest', '-m', 'not slow')\n"),
    ],
)
def test_a_change_that_picks_tests_there_is_refused(path: str, now: str) -> None:
    assert steering_of({}, {path: now})
    assert not steering_of({path: now}, {path: f"{now}\n"})
    assert not steering_of({}, {path: "commands = pytest --strict-markers -ra\n"})


def test_what_a_change_makes_of_these_settings_is_named() -> None:
    before, now = tox("commands = pytest\n")["tox.ini"].encode(), tox("commands = pytest -x\n")["tox.ini"].encode()
    assert changed_settings({"tox.ini": before}, {"tox.ini": now}) == ["tox.ini: commands"]
    assert changed_settings({"noxfile.py": b"a"}, {"noxfile.py": b"b"}) == ["noxfile.py: content"]


LISTED = f"[tox]\nenvlist = docs, pypy3, py20-old, {{{PYTHON},py99}}-{{new,old}}\n  lint\n[testenv:docs]\n"


@pytest.mark.parametrize(
    ("deps", "needs"),
    [
        (f"{PYTHON}: a\n  py99: b\n  !{PYTHON}: c\n  d", ("a", "d")),
        ("new: a\n  old: b\n  new,old: c\n  !old-new: d", ("a", "c", "d")),
        (f"py{{20-29,99}}: a\n  {PYTHON[:3]}{{{PYTHON[3:]},99}}-{{new,x}}: b", ("b",)),
        ("{[more]deps}\n  https://example.org/x.whl", ("e", "https://example.org/x.whl")),
        ("x", ("x",)),
    ],
)
def test_conditions_of_tox_hold_for_the_first_environment_that_is_for_this_python(
    deps: str, needs: tuple[str, ...]
) -> None:
    text = f"{LISTED}[testenv]\ndeps =\n  {deps}\ncommands =\n  old: pytest -k old\n  new: pytest -k new\n"
    for named in (text, text.replace("[tox]\nenvlist", "[tox]\nenv_list")):
        found = tox_of({"tox.ini": f"{named}[more]\ndeps =\n  old: d\n  new: e\n"})
        assert found is not None
        assert (found.needs, found.tests) == (needs, "pytest -k new")


@pytest.mark.parametrize("listed", ["", "envlist = py99-a", "envlist = {", "envlist = plain"])
def test_without_an_environment_for_this_python_its_own_factor_and_plain_ones_hold(listed: str) -> None:
    text = f"[tox]\n{listed}\n[testenv]\ndeps =\n  {PYTHON}: a\n  py99: b\n  plain: c\ncommands = pytest -x\n"
    found = tox_of({"tox.ini": text})
    assert found is not None
    assert found.needs == (("a", "c") if "plain" in listed else ("a",))


def test_an_environment_by_its_name_has_the_factors_of_that() -> None:
    text = "[testenv]\ndeps =\n  cov: a\n  b: b\ncommands = make\n[testenv:test-cov]\ncommands = pytest --cov\n"
    found = tox_of({"tox.ini": text})
    assert found is not None
    assert (found.needs, found.tests) == (("a",), "pytest --cov")
