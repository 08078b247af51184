"""The judging agents: they read the real change before they say anything about it."""

from __future__ import annotations

import re
from typing import Any

from agenthub_events.task_ids import gate_of
from agenthub_worker.rehearsal.conversation import Conversation, ToolOutcome
from agenthub_worker.rehearsal.steps import line_of, read_on, read_test_run, report, stuck
from agenthub_worker.rehearsal.turns import Performance, Script, ToolCall, Turn, call

_DANGEROUS = r"eval\(|exec\(|shell=True|pickle\.|verify=False|\bmd5\b"
_RACE = ("auth/jwt.py", "self._sessions.mark_rotated")


def script_for(task_id: str) -> Script | None:
    """The script of a gate's round."""
    named = gate_of(task_id)
    return _SCRIPTS.get(named[0]) if named else None


def _testing(_: Conversation) -> Performance:
    ran = yield call("run_tests", text="I run all tests on the clean checkout.")
    run = read_test_run(ran[0])
    if run is None:
        yield from stuck("The tests could not be run.", ran[0].text)
        return
    yield report(
        "These are the numbers.",
        f"{run.counts}" + (f"; failing: {', '.join(run.failing)}" if run.failing else ""),
        tests_run=run.counts,
        verdict="approve" if run.green else "request_changes",
    )


def _auditing(_: Conversation) -> Performance:
    outcomes = yield Turn(
        "I read the whole change and look for dangerous calls.",
        (
            ToolCall("git_diff", {}),
            ToolCall("grep", {"pattern": _DANGEROUS, "path": "auth"}),
            ToolCall("grep", {"pattern": re.escape(_RACE[1]), "path": "auth"}),
        ),
    )
    diff, dangerous, race = outcomes
    if diff.is_error or "auth/" not in diff.text:
        yield from stuck("The change under audit does not hold what I expected.", diff.text)
        return
    found = re.findall(r"(auth/\S+?\.py):(\d+)", dangerous.text)
    if found:
        yield report(
            "There are dangerous calls.",
            f"Security audit failed: {len(found)} dangerous calls",
            findings=[_finding(path, int(line), "high", "dangerous call") for path, line in found],
            verdict="request_changes",
        )
        return
    yield report(
        "Keys, comparisons, lifetimes and hashing are sound.",
        "Security audit passed, no vulnerabilities; one remark for other stores than the one in memory",
        findings=_remarks(race),
        verdict="approve",
    )


def _remarks(race: ToolOutcome) -> list[dict[str, Any]]:
    line = line_of(race, _RACE[0])
    if line is None:
        return []
    message = "Looking a session up and marking it as rotated are two steps; a store on a database must join them."
    return [_finding(_RACE[0], line, "low", message)]


def _finding(path: str, line: int, severity: str, message: str) -> dict[str, Any]:
    return {"file": path, "line": line, "severity": severity, "message": message}


def _reviewing(_: Conversation) -> Performance:
    diff, tests, service = yield Turn(
        "I read the change, its tests, and the class that applications call.",
        (
            ToolCall("git_diff", {}),
            ToolCall("glob", {"pattern": "tests/test_*.py"}),
            ToolCall("str_replace_based_edit_tool", {"command": "view", "path": "auth/service.py"}),
        ),
    )
    yield from read_on(diff)
    if diff.is_error or "auth/" not in diff.text or "class AuthService" not in service.text:
        yield from stuck("The change under review does not hold what I expected.", diff.text)
        return
    if "test_" not in tests.text:
        yield report("A change without tests.", "There are no tests in tests/", verdict="request_changes")
        return
    yield report(
        "Clear names, small parts, errors that say what to do.",
        "Code review approved, ready for deployment",
        verdict="approve",
    )


_SCRIPTS: dict[str, Script] = {"tests": _testing, "security": _auditing, "review": _reviewing}
