"""Looks for insecure code and for credentials in the files that a goal has changed.

bandit reads Python, and ast-grep other languages, in the sandbox, and neither runs anything. Comments that would
silence them do not count.
"""

from __future__ import annotations

import asyncio
import posixpath
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from agenthub_events.catalogue.values import Finding, Severity
from agenthub_events.secret_shapes import find_shapes
from agenthub_runtime.repository.trees import delete_tree
from agenthub_worker.errors import ScanFailed
from agenthub_worker.evidence.layout import belongs_to_tests
from agenthub_worker.evidence.patch import Touched
from agenthub_worker.evidence.reports import read_report
from agenthub_worker.evidence.scanning.patterns import found_patterns, is_read
from agenthub_worker.sandbox.port import Bind, Sandbox

_FILES_A_RUN = 400
_TEXT_BYTES = 1 << 20
_SEVERITIES: dict[str, Severity] = {"LOW": "low", "MEDIUM": "medium", "HIGH": "high"}
# Asserts and made-up passwords are what tests consist of.
_FINE_IN_TESTS = frozenset({"B101", "B105", "B106", "B107"})
_LANGUAGES = {
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), "JavaScript"),
    **dict.fromkeys((".ts", ".tsx", ".mts", ".cts"), "TypeScript"),
    **dict.fromkeys((".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".hh"), "C and C++"),
    **dict.fromkeys((".sh", ".bash"), "shell"),
    **dict.fromkeys((".kt", ".kts"), "Kotlin"),
    **dict.fromkeys((".ex", ".exs"), "Elixir"),
    **dict.fromkeys((".m", ".mm"), "Objective-C"),
    **dict.fromkeys((".pl", ".pm"), "Perl"),
    ".go": "Go",
    ".rs": "Rust",
    ".java": "Java",
    ".cs": "C#",
    ".php": "PHP",
    ".rb": "Ruby",
    ".swift": "Swift",
    ".scala": "Scala",
    ".dart": "Dart",
    ".lua": "Lua",
    ".vue": "Vue",
    ".svelte": "Svelte",
    ".groovy": "Groovy",
    ".sql": "SQL",
}
_QUOTED = re.compile(r": '.*'$", re.DOTALL)


_Found: TypeAlias = tuple[Finding, Sequence[int]]
"""A finding and the lines that it speaks of; none: the whole file."""


class _Issue(msgspec.Struct):
    filename: str
    issue_severity: str
    issue_text: str
    line_number: int
    test_id: str
    test_name: str
    line_range: list[int] = []


class _Unread(msgspec.Struct):
    filename: str
    reason: str


class _BanditReport(msgspec.Struct):
    results: list[_Issue]
    errors: list[_Unread]


async def security_scan(
    sandbox: Sandbox, workspace: Path, changed: Sequence[str], *, timeout_s: float, touched: Touched | None = None
) -> list[Finding]:
    """What bandit, ast-grep and a search for credentials find in the `changed` files, worst first.

    `touched` tells the old lines from those of the change; what is not in it counts as changed. Paths are relative
    to the workspace; links and files that are gone are skipped. Raises `ScanFailed` when one
    of them gives no result.
    """
    present = await asyncio.to_thread(_plain_files, workspace, changed)
    python = [name for name in present if name.endswith(".py")]
    findings = await asyncio.to_thread(_credentials, workspace, present)
    for start in range(0, len(python), _FILES_A_RUN):
        findings += await _bandit(sandbox, workspace, python[start : start + _FILES_A_RUN], timeout_s)
    findings += await found_patterns(sandbox, workspace, present, timeout_s)
    return worst_first(_settled(found, lines, touched or {}) for found, lines in findings)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """What the change has touched first, and of it the gravest."""
    order = ("critical", "high", "medium", "low", "info")
    return sorted(
        findings, key=lambda found: (not found.touched, order.index(found.severity), found.file, found.line)
    )


def not_scanned(changed: Sequence[str]) -> tuple[str, ...]:
    """What a scan of these files does not show, in plain words; credentials are looked for in all of them."""
    partly = _counted(path for path in changed if is_read(path))
    unread = _counted(path for path in changed if not is_read(path))
    said = [f"read by rules for a few certain mistakes alone: {partly}"] if partly else []
    said += [f"not scanned, for no scanner of theirs is here: {unread}"] if unread else []
    return tuple(said)


def _counted(paths: Iterable[str]) -> str:
    found = Counter(named for path in paths if (named := _LANGUAGES.get(posixpath.splitext(path)[1].lower())))
    return ", ".join(f"{name} ({number})" for name, number in sorted(found.items()))


def _settled(found: Finding, lines: Sequence[int], touched: Touched) -> Finding:
    known = touched.get(found.file)
    if known is None or not lines or not known.isdisjoint(lines):
        return found
    return msgspec.structs.replace(found, touched=False)


async def _bandit(sandbox: Sandbox, workspace: Path, files: Sequence[str], timeout_s: float) -> list[_Found]:
    # In a folder that only this account may enter: what the run makes of its own is nobody else's.
    outer = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-scan-"))
    folder = outer / "reports"
    try:
        await asyncio.to_thread(folder.mkdir)
        report = folder / "bandit.json"
        # Isolated mode: a module of the workspace cannot stand in for one of bandit's.
        command = ["python", "-I", "-m", "bandit", "--quiet", "--ignore-nosec", "--format", "json"]
        ran = await sandbox.run(
            [*command, "--output", str(report), *(f"./{name}" for name in files)],
            workspace=workspace,
            timeout_s=timeout_s,
            binds=[Bind(folder, writable=True)],
        )
        data = await asyncio.to_thread(read_report, report)
    finally:
        await asyncio.to_thread(delete_tree, outer)
    try:
        parsed = msgspec.json.decode(data or b"", type=_BanditReport)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        ending = "ran out of time" if ran.timed_out else f"ended with exit code {ran.exit_code}"
        raise ScanFailed(f"bandit {ending} without a report: {ran.text[-500:]}") from error
    return [*_issues(parsed), *((_unread(entry), ()) for entry in parsed.errors)]


def _issues(report: _BanditReport) -> Iterator[_Found]:
    for issue in report.results:
        file = posixpath.normpath(issue.filename)
        if issue.test_id in _FINE_IN_TESTS and belongs_to_tests(file):
            continue
        found = Finding(
            file=file,
            line=issue.line_number,
            severity=_SEVERITIES.get(issue.issue_severity, "medium"),
            # The quoted part of a message would carry the password that it warns of into the log.
            message=f"{issue.test_id} {issue.test_name}: {_QUOTED.sub('', issue.issue_text)}",
            source="bandit",
        )
        yield found, issue.line_range or [issue.line_number]


def _unread(entry: _Unread) -> Finding:
    return Finding(
        file=posixpath.normpath(entry.filename),
        severity="medium",
        message=f"This file cannot be scanned: {entry.reason}",
        source="bandit",
    )


def _plain_files(workspace: Path, names: Sequence[str]) -> list[str]:
    root = workspace.resolve()
    return [name for name in sorted(set(names)) if _is_plain(root / name)]


def _is_plain(path: Path) -> bool:
    """Whether it is a file that is reached without a link."""
    return path.is_file() and path.resolve() == path


def _credentials(workspace: Path, names: Sequence[str]) -> list[_Found]:
    return [found for name in names for found in _credentials_in(name, _text(workspace / name))]


def _credentials_in(name: str, text: str) -> Iterator[_Found]:
    for number, line in enumerate(text.split("\n"), start=1):
        shapes = find_shapes(line)
        if shapes:
            kinds = ", ".join(dict.fromkeys(place.name for place in shapes))
            found = Finding(
                file=name,
                line=number,
                # An address with a password in it, for one, is as often an example as a leak.
                severity="low" if all(place.example for place in shapes) else "high",
                message=f"This line holds what looks like a credential ({kinds}): take it out and read it from the"
                " environment.",
                source="credentials",
            )
            yield found, [number]


def _text(path: Path) -> str:
    """The file's text; empty for a binary or a very large file."""
    data = read_report(path)
    if data is None or len(data) > _TEXT_BYTES or b"\0" in data[:8192]:
        return ""
    return data.decode("utf-8", "replace")
