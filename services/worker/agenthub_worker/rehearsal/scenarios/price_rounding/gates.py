"""The judging agents of the price calculator."""

from __future__ import annotations

from collections.abc import Generator

from agenthub_events.task_ids import gate_of
from agenthub_worker.rehearsal.conversation import Conversation, ToolOutcome
from agenthub_worker.rehearsal.steps import read_on, read_test_run, report, stuck
from agenthub_worker.rehearsal.turns import Outcomes, Performance, Script, ToolCall, Turn, call


def script_for(task_id: str) -> Script | None:
    """The script of a gate's round."""
    named = gate_of(task_id)
    return _SCRIPTS.get(named[0]) if named else None


def _testing(_: Conversation) -> Performance:
    ran = yield call("run_tests", text="I run all tests on the clean checkout.")
    run = read_test_run(ran[0])
    counts = run.counts if run else "no counts"
    verdict = "approve" if run and run.green else "request_changes"
    yield report("These are the numbers.", counts, tests_run=counts, verdict=verdict)


def _auditing(_: Conversation) -> Performance:
    if (yield from _reading()) is None:
        return
    yield report("No input, no files, no network.", "Security audit passed, no vulnerabilities", verdict="approve")


def _reviewing(_: Conversation) -> Performance:
    tests = yield from _reading()
    if tests is None:
        return
    if "test_vat" not in tests.text:
        yield report("A change without tests.", "There are no tests in tests/", verdict="request_changes")
    else:
        yield report("Small, exact, tested.", "Code review approved, ready for deployment", verdict="approve")


def _reading() -> Generator[Turn, Outcomes, ToolOutcome | None]:
    """Read the change; which tests there are, None when the change is not the one that was expected."""
    diff, tests = yield Turn(
        "I read the whole change.", (ToolCall("git_diff", {}), ToolCall("glob", {"pattern": "tests/test_*.py"}))
    )
    yield from read_on(diff)
    if diff.is_error or "pricing/" not in diff.text:
        yield from stuck("The change does not hold what I expected.", diff.text)
        return None
    return tests


_SCRIPTS: dict[str, Script] = {"tests": _testing, "security": _auditing, "review": _reviewing}
