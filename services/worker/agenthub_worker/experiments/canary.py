"""Tests whose outcome is known: one that must pass and one that must fail, under names that nobody can know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import msgspec

from agenthub_worker.evidence.layout import TestCommand, is_test_file
from agenthub_worker.evidence.testing import TestReport

_FOLDERS_MAX = 5
# An empty expression takes back one that the settings bring; the names and files are ours.
OPTIONS = ("-k", "", "-m", "", "-o", "python_functions=test_*", "-o", "python_files=test_*.py")

_TEXT = """\
import importlib

for name in {modules!r}:
    try:
        importlib.import_module(name)
    except BaseException:
        pass


def test_{good}():
    assert [1, 2] == [1, 2]


def test_{bad}():
    assert [1, 2] == [2, 1]
"""


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """One file with a test that must pass and one that must fail."""

    path: str
    good: str
    bad: str
    text: str


def canaries(ran: Iterable[str], modules: Iterable[str], token: str) -> list[Canary]:
    """A canary for each folder in which tests of these ids ran, so that whatever rules there rules it, too.

    `modules` are the paths of changed files that the tests load: the canary loads them, so that what they do to
    pytest is done to it. `token` is random.
    """
    files = {name.split("::", 1)[0] for name in ran}
    folders = sorted(
        {str(PurePosixPath(file).parent) for file in files if is_test_file(file) or file.endswith(".py")}
    )
    names = sorted({name for path in modules for name in _module_names(path)})
    found = []
    for number, folder in enumerate(folders[:_FOLDERS_MAX] or ["."]):
        good, bad = f"{token}_{number}a", f"{token}_{number}b"
        text = _TEXT.format(modules=names, good=good, bad=bad)
        path = str(PurePosixPath(folder) / f"test_{token}_{number}.py")
        found.append(Canary(path=path, good=f"{path}::test_{good}", bad=f"{path}::test_{bad}", text=text))
    return found


def can_be_asked(command: TestCommand) -> bool:
    """Whether a file can be added to the command: not where the goal itself picks tests by an expression."""
    options = command.text.rpartition("pytest")[2].split()
    return command.takes_paths and not any(word.startswith(("-k", "-m")) for word in options)


def distrust(planted: Sequence[Canary], report: TestReport) -> str:
    """Why nothing that this run reports counts; empty when every canary ended as it must."""
    outcomes = {case.id: case.outcome for case in report.cases or ()}
    wrong = ["with one that must fail the run ended with exit code 0"] if report.exit_code == 0 else []
    wrong += [
        f"one that must {must} {_ended(outcomes.get(name, ''))}"
        for canary in planted
        for name, must, wanted in ((canary.good, "pass", "passed"), (canary.bad, "fail", "failed"))
        if outcomes.get(name) != wanted
    ]
    if not wrong:
        return ""
    return (
        f"Tests of our own with a known outcome came out wrong ({', '.join(dict.fromkeys(wrong))}): something in"
        " the repository decides what runs of these tests report."
    )


def _ended(outcome: str) -> str:
    return {"": "is not in the report", "error": "could not run"}.get(outcome, f"was reported as {outcome}")


def _module_names(path: str) -> list[str]:
    """The names under which a file may be imported: from the root, and from a `src` folder."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if parts[-1:] == ["__init__"]:
        parts.pop()
    if not parts or not all(part.isidentifier() for part in parts):
        return []
    names = [".".join(parts)]
    return [".".join(parts[1:])] if parts[0] == "src" and len(parts) > 1 else names
