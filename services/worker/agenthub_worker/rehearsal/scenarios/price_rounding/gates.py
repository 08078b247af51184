"""The judging agents of the price calculator."""

from __future__ import annotations

from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.steps import read_test_run, report, stuck
from agenthub_worker.rehearsal.turns import Performance, ToolCall, Turn, call


def judging(conversation: Conversation) -> Performance:
    """Read the change and judge it as the gate's name asks."""
    gate = conversation.task_id.removeprefix("gate-").partition("-")[0]
    if gate == "tests":
        ran = yield call("run_tests", text="I run all tests on the clean checkout.")
        run = read_test_run(ran[0])
        counts = run.counts if run else "no counts"
        verdict = "approve" if run and run.green else "request_changes"
        yield report("These are the numbers.", counts, tests_run=counts, verdict=verdict)
        return
    diff, tests = yield Turn(
        "I read the whole change.", (ToolCall("git_diff", {}), ToolCall("glob", {"pattern": "tests/test_*.py"}))
    )
    if diff.is_error or "pricing/" not in diff.text:
        yield from stuck("The change does not hold what I expected.", diff.text)
        return
    if gate == "security":
        yield report(
            "No input, no files, no network.", "Security audit passed, no vulnerabilities", verdict="approve"
        )
    elif "test_vat" not in tests.text:
        yield report("A change without tests.", "There are no tests in tests/", verdict="request_changes")
    else:
        yield report("Small, exact, tested.", "Code review approved, ready for deployment", verdict="approve")
