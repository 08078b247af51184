"""Diagnosis and repair of the bug, from what the tests and the file really say."""

from __future__ import annotations

from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scenarios.auth_jwt.work import FAILS_BY_THE_BUG, name_of
from agenthub_worker.rehearsal.steps import line_of, read_test_run, replace, report, stuck
from agenthub_worker.rehearsal.turns import Performance, Turn, call

PATH = "auth/jwt.py"
BROKEN = "        if session.rotated_at is not None and session.rotated_at > now:\n"
MENDED = "        if session.rotated_at is not None:\n"
_CAUSE = (
    "the moment of the rotation is compared with the present as if it were an expiry: it is never in the future,"
    " so a used refresh token is never recognised"
)


def diagnosing(_: Conversation) -> Performance:
    """Run the tests, read the place that they point at, and name the cause."""
    ran = yield call("run_tests", text="First I see for myself what fails.")
    run = read_test_run(ran[0])
    if run is not None and run.green:
        yield report("Nothing fails any more.", f"All tests pass now ({run.counts}); nothing to debug")
        return
    if run is None or not run.failing or not {name_of(test_id) for test_id in run.failing} <= FAILS_BY_THE_BUG:
        yield from stuck("These failures are not the ones I know.", ran[0].text)
        return
    found = yield call(
        "grep",
        text="A token that was used before is accepted: where is that recognised?",
        pattern="rotated_at is not None",
        path="auth",
    )
    line = line_of(found[0], PATH)
    if line is None:
        yield from stuck(f"The check for used tokens is not where I expected it in {PATH}.", found[0].text)
        return
    around = [max(1, line - 8), line + 6]
    seen = yield call("str_replace_based_edit_tool", command="view", path=PATH, view_range=around)
    if "rotated_at > now" not in seen[0].text:
        yield from stuck(f"{PATH}:{line} does not hold the comparison that would explain this.", seen[0].text)
        return
    yield report(
        "The cause is clear.",
        f"Found issue in token refresh logic ({PATH}:{line}): {_CAUSE}",
        tests_run=run.counts,
        findings=[
            {"file": PATH, "line": line, "severity": "high", "message": f"Refresh tokens can be reused: {_CAUSE}"}
        ],
    )


def mending(_: Conversation) -> Performance:
    """Change the line, run the tests again, and report what they say."""
    yield Turn("I let only the fact of the rotation decide.", (replace(PATH, BROKEN, MENDED),))
    ran = yield call("run_tests", text="Bug fixed, running the tests again.")
    run = read_test_run(ran[0])
    if run is None or not run.green:
        yield from stuck("The tests still fail after the repair.", ran[0].text)
        return
    yield report(
        "All tests pass.",
        f"Bug fixed in {PATH}: a refresh token that was rotated is refused. All tests passing ({run.counts})",
        tests_run=run.counts,
    )
