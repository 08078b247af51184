"""Runs ast-grep with rules of the system's own over changed files, inside the sandbox.

It sees copies: comments that would silence it are made to say something else, and no settings of the repository
are beside them. Its parsers are C and read what strangers have written, so they never run in the worker itself.
"""

from __future__ import annotations

import asyncio
import functools
import json
import posixpath
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import yaml

from agenthub_events.catalogue.values import Finding, Severity
from agenthub_runtime.repository.trees import delete_tree
from agenthub_worker.errors import ScanFailed
from agenthub_worker.evidence.layout import belongs_to_tests
from agenthub_worker.evidence.reports import read_report
from agenthub_worker.sandbox.port import Bind, ExecResult, Sandbox

READ = frozenset(
    {
        *(".js", ".jsx", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".go", ".rs", ".java"),
        *(".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".php", ".rb", ".sh", ".bash"),
    }
)
"""Endings of the files that the rules speak of."""

SOURCE = "ast-grep"

_PROGRAM = str(Path(sys.prefix, "bin", "ast-grep"))
# Rules for the one hold for the others, whose syntax has the same names.
_ALSO: Mapping[str, tuple[str, ...]] = {"JavaScript": ("TypeScript", "Tsx"), "C": ("Cpp",)}
_SEVERITIES: Mapping[str, Severity] = {"error": "high", "warning": "medium"}
_SILENCING, _SILENCED = b"ast-grep-ignore", b"ast-grep_ignore"
_FINE_IN_TESTS = frozenset({"certificate-not-checked", "weak-hash-of-password"})
_FILE_BYTES = 1 << 20


class _Place(msgspec.Struct):
    line: int


class _Range(msgspec.Struct):
    start: _Place
    end: _Place


class _Match(msgspec.Struct, rename="camel"):
    file: str
    rule_id: str
    severity: str
    message: str
    range: _Range


async def found_patterns(
    sandbox: Sandbox, workspace: Path, files: Sequence[str], timeout_s: float
) -> list[tuple[Finding, range]]:
    """Places in these plain files, relative to `workspace`, that a rule speaks of, each with its lines.

    Raises `ScanFailed` when ast-grep gives no result.
    """
    wanted = [name for name in files if is_read(name)]
    if not wanted:
        return []
    # In a folder that only this account may enter: what the run makes of its own is nobody else's.
    outer = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-scan-"))
    try:
        unread = await asyncio.to_thread(_lay, workspace, wanted, outer)
        ran = await sandbox.run(
            _command(outer),
            workspace=outer / "files",
            timeout_s=timeout_s,
            binds=[Bind(outer / "rules"), Bind(outer / "reports", writable=True)],
            writable=False,
        )
        report = await asyncio.to_thread(read_report, outer / "reports" / "found.json")
    finally:
        await asyncio.to_thread(delete_tree, outer)
    return [*_findings(report, ran), *((_too_large(name), range(0)) for name in unread)]


def is_read(path: str) -> bool:
    """Whether the rules speak of files with this name."""
    return posixpath.splitext(path)[1].lower() in READ


@functools.cache
def rules_text() -> str:
    """All rules, as ast-grep reads them: one JSON document each."""
    folder = resources.files(__package__) / "rules"
    named = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".yml")), key=lambda one: one.name)
    return "\n---\n".join(json.dumps(rule) for entry in named for rule in _rules(entry.read_text("utf-8")))


def _rules(text: str) -> Iterator[dict[str, Any]]:
    for rule in yaml.safe_load_all(text):
        for language in (rule["language"], *_ALSO.get(rule["language"], ())):
            yield {**rule, "id": f"{rule['id']}/{language}", "language": language}


def _lay(workspace: Path, files: Sequence[str], outer: Path) -> list[str]:
    """Put copies of the files beside the rules; those that are too large for it."""
    for name in ("files", "rules", "reports"):
        (outer / name).mkdir()
    (outer / "rules" / "rules.yml").write_text(rules_text())
    unread = []
    for name in files:
        data = read_report(workspace / name)
        if data is None or len(data) > _FILE_BYTES:
            unread.append(name)
            continue
        place = outer / "files" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data.replace(_SILENCING, _SILENCED))
    return unread


def _command(outer: Path) -> list[str]:
    line = '"$0" scan --rule "$1" --no-ignore hidden --no-ignore vcs --no-ignore dot --json=stream . > "$2"'
    # It ends with 1 where a rule of severity error has found something.
    said = f"{line}; [ $? -le 1 ]"
    rules, report = str(outer / "rules" / "rules.yml"), str(outer / "reports" / "found.json")
    return ["bash", "-c", said, _PROGRAM, rules, report]


def _findings(report: bytes | None, ran: ExecResult) -> Iterator[tuple[Finding, range]]:
    if report is None or ran.exit_code:
        ending = "ran out of time" if ran.timed_out else f"ended with exit code {ran.exit_code}"
        raise ScanFailed(f"ast-grep {ending} without a report: {ran.text[-500:]}")
    for row in report.splitlines():
        try:
            match = msgspec.json.decode(row, type=_Match)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ScanFailed(f"ast-grep has written what is no report: {row[:200]!r}") from error
        file, rule = posixpath.normpath(match.file), match.rule_id.partition("/")[0]
        if rule in _FINE_IN_TESTS and belongs_to_tests(file):
            continue
        lines = range(match.range.start.line + 1, match.range.end.line + 2)
        found = Finding(
            file=file,
            line=lines[0],
            severity=_SEVERITIES.get(match.severity, "medium"),
            message=f"{rule}: {match.message}.",
            source=SOURCE,
        )
        yield found, lines


def _too_large(name: str) -> Finding:
    return Finding(file=name, severity="low", message="This file is too large to be scanned.", source=SOURCE)
