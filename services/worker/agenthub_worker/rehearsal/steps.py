"""The steps that scripts are made of, and how they read what the tools answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from agenthub_worker.rehearsal.conversation import Conversation, ToolOutcome
from agenthub_worker.rehearsal.turns import Outcomes, Performance, Script, ToolCall, Turn, call, play

CHECKED = "CHECK-OK"

_EXIT = re.compile(r"^exit code (-?\d+)", re.M)
_COUNTS = re.compile(r"(\d+) passed, (\d+) failed, (\d+) errors?, (\d+) skipped")
_COVERAGE = re.compile(r"^coverage ([\d.]+)\s?%", re.M)
_TEST_ID = re.compile(r"^\s*-?\s*(\S+(?:::|\.)\S+)\s*$")


class SampleGoal(msgspec.Struct, frozen=True, kw_only=True):
    """A goal that the rehearsal can play. `wordings` are its texts in the spelling that people see first."""

    name: str
    wordings: tuple[str, ...]
    requirements: tuple[str, ...]
    shows: str

    @property
    def goal(self) -> str:
        """The text to submit."""
        return self.wordings[0]


class SampleScenario:
    """A `Scenario` for one sample goal: finds the script of a task, and asks a person when there is none."""

    def __init__(self, sample: SampleGoal, script_for: Callable[[Conversation], Script | None]) -> None:
        self._known = {normal(wording) for wording in sample.wordings}
        self._script_for = script_for

    def step(self, conversation: Conversation) -> Turn | None:
        """The next turn of the task's script; None for another goal."""
        if normal(conversation.goal) not in self._known:
            return None
        return play(self._script_for(conversation) or _no_script, conversation)


class TestRun(msgspec.Struct, frozen=True, kw_only=True):
    """What `run_tests` reported; `failing` are test ids."""

    __test__ = False

    exit_code: int
    passed: int
    failed: int
    errors: int
    coverage: str = ""
    failing: tuple[str, ...] = ()

    @property
    def green(self) -> bool:
        """Whether something ran and nothing failed."""
        return self.exit_code == 0 and self.passed > 0 and not self.failed and not self.errors

    @property
    def counts(self) -> str:
        """The counts for a report, with the coverage when it was measured."""
        errors = f", {self.errors} errors" if self.errors else ""
        coverage = f", coverage {self.coverage}%" if self.coverage else ""
        return f"{self.passed} passed, {self.failed} failed{errors}{coverage}"


def normal(text: str) -> str:
    """`text` as goals and requirements are compared: without case, extra spaces and a final full stop."""
    return " ".join(text.casefold().split()).rstrip(".")


def read_test_run(outcome: ToolOutcome) -> TestRun | None:
    """The counts in the answer of `run_tests`; None when it holds none."""
    exit_code, counts = _EXIT.search(outcome.text), _COUNTS.search(outcome.text)
    if exit_code is None or counts is None:
        return None
    coverage = _COVERAGE.search(outcome.text)
    return TestRun(
        exit_code=int(exit_code.group(1)),
        passed=int(counts.group(1)),
        failed=int(counts.group(2)),
        errors=int(counts.group(3)),
        coverage=coverage.group(1) if coverage else "",
        failing=_failing(outcome.text),
    )


def _failing(text: str) -> tuple[str, ...]:
    _, marker, rest = text.partition("failing:")
    found: list[str] = []
    for line in rest.splitlines()[1:] if marker else []:
        test_id = _TEST_ID.match(line)
        if test_id is None:
            break
        found.append(test_id.group(1))
    return tuple(found)


def line_of(outcome: ToolOutcome, path: str) -> int | None:
    """The first line number that `grep` found in `path`."""
    found = re.search(rf"{re.escape(path)}:(\d+)", outcome.text)
    return int(found.group(1)) if found else None


def create(contents: Mapping[str, str]) -> tuple[ToolCall, ...]:
    """Calls that write whole files (path → text)."""
    return tuple(
        ToolCall("str_replace_based_edit_tool", {"command": "create", "path": path, "file_text": text})
        for path, text in contents.items()
    )


def replace(path: str, old: str, new: str) -> ToolCall:
    """A call that changes one place of a file."""
    return ToolCall(
        "str_replace_based_edit_tool", {"command": "str_replace", "path": path, "old_str": old, "new_str": new}
    )


def report(text: str, summary: str, **fields: Any) -> Turn:
    """The turn that hands in the result of a task."""
    return call("report_result", text=text, status="done", summary=summary, **fields)


def ask(question: str, *, evidence: str, options: Mapping[str, str] | None = None) -> Turn:
    """The turn that asks a person; `options` with what follows from each."""
    offered = options or {}
    return call(
        "ask_human",
        text=question,
        question=question,
        options=list(offered),
        consequences=list(offered.values()),
        evidence=evidence[-2_000:],
    )


def stuck(what: str, evidence: str) -> Performance:
    """Something came out differently from what the script was written for: ask, then hand in as failed."""
    outcomes = yield ask(
        f"{what} My script does not go on from here. What should happen?",
        evidence=evidence,
        options={
            "give this task up": "The task is handed in as failed, with this answer.",
            "try it again with a configured provider": "The script ends all the same: start the hub with a real"
            " model, then retry the task.",
        },
    )
    yield call("report_result", status="failed", summary=f"{what} The answer was: {outcomes[0].text[:300]}")


def first_error(outcomes: Outcomes) -> str:
    """The text of the first call that went wrong; empty when all went well."""
    return next((outcome.text for outcome in outcomes if outcome.is_error), "")


def sources(package: str, paths: Sequence[str]) -> dict[str, str]:
    """Files that a pack keeps in its `files` folder (each with `.txt` after its name): path → text."""
    folder = files(package) / "files"
    return {path: folder.joinpath(f"{path.lstrip('.')}.txt").read_text("utf-8") for path in paths}


def _no_script(conversation: Conversation) -> Performance:
    what = f"I have no script for task {conversation.task_id} ({conversation.kind}) of this goal."
    yield from stuck(what, conversation.details)


def read_on(first: ToolOutcome) -> Generator[Turn, Outcomes, None]:
    """Read the pages of a `git_diff` after its first one."""
    found = re.match(r"\[page 1 of (\d+)", first.text)
    if found:
        rest = range(2, int(found[1]) + 1)
        yield Turn("I read on.", tuple(ToolCall("git_diff", {"page": number}) for number in rest))
