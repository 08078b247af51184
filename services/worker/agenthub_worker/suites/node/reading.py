"""What node's own runner, vitest, jest, mocha, tape and ava have reported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from agenthub_worker.evidence.reports import Case, Outcome, ReportRefused, report_in
from agenthub_worker.suites.node.mocha import read_mocha
from agenthub_worker.suites.node.tap import read_tap
from agenthub_worker.suites.read import Lines, Read, json_lines, node_id, once, text_of
from agenthub_worker.suites.test_files import belongs_to_foreign_tests, sets_foreign_tests

REPORTER = """\
// Says how every test ended, a line each, beside what the runner prints for people.
import { appendFileSync, mkdirSync } from 'node:fs'
const folder = `${process.env.AGENTHUB_REPORTS}/node`
const wanted = ['test:start', 'test:pass', 'test:fail', 'test:coverage']
// What tests run themselves is none of the project's tests.
const inside = process.env.AGENTHUB_INSIDE
process.env.AGENTHUB_INSIDE = '1'
const plain = (_, value) => (typeof value === 'bigint' ? String(value) : value)
export default async function * (source) {
  for await (const { type, data } of source) {
    if (inside || !wanted.includes(type)) continue
    const { name, nesting, file, skip, todo, details, summary } = data
    const shown = { type, name, nesting, file, skip, todo, kind: details?.type, summary }
    mkdirSync(folder, { recursive: true })
    appendFileSync(`${folder}/${process.pid}.jsonl`, `${JSON.stringify(shown, plain)}\\n`)
  }
}
"""

SHIM = """\
#!/bin/bash
# Coverage of node's own runner is an option that it takes from its command line alone.
node="$(PATH="${PATH//"$AGENTHUB_SHIMS":/}" command -v node)" || exit 127
words=" $* "
if [ -n "$AGENTHUB_MEASURED" ] && [[ $words = *" --test "* && $words != *" --experimental-test-coverage "* ]]; then
    exec "$node" --experimental-test-coverage "$@"
fi
exec "$node" "$@"
"""

# The words of a report in the form that jest has made usual; all others mean that it did not run.
_OUTCOMES: Mapping[str, Outcome] = {"passed": "passed", "failed": "failed"}
_SCRIPT = re.compile(r"\.[cm]?[jt]sx?$")
_ISTANBUL = "node-coverage*/coverage-final.json"
_REASON_MAX = 200


class _Event(msgspec.Struct):
    type: str
    name: str = ""
    nesting: int = 0
    file: str | None = None
    skip: Any = None
    todo: Any = None
    kind: str | None = None
    summary: dict[str, Any] | None = None


class _Assertion(msgspec.Struct, rename="camel"):
    status: str = ""
    title: str = ""
    ancestor_titles: list[str] = []


class _File(msgspec.Struct, rename="camel"):
    name: str = ""
    status: str = ""
    assertion_results: list[_Assertion] = []


class _Report(msgspec.Struct, rename="camel"):
    test_results: list[_File] = []


class _Place(msgspec.Struct):
    line: int | None = None


class _Span(msgspec.Struct):
    start: _Place
    end: _Place


class _Statements(msgspec.Struct, rename="camel"):
    statement_map: dict[str, _Span] = {}
    s: dict[str, int] = {}


def read_node(reports: Path, workspace: Path, root: str, files: Iterable[str]) -> Read:
    """What the runners have written. `root` is the workspace as they saw it. Raises `ReportRefused`."""
    cases, own = list[Case](), list(files)
    counted = dict[str, Lines]()
    sources = [path for path in own if _is_code(path)]
    others = [path for path in own if _SCRIPT.search(path) and path not in sources]
    told = read_tap(reports, workspace, [*sorted(others), *sorted(sources)])
    for path in sorted(reports.glob("node/*.jsonl")):
        cases += _own(path, root, counted, sources)
    for pattern in ("node-vitest*.json", "node-jest*.json"):
        for written in sorted(reports.glob(pattern)):
            cases += _of_report(written, root)
    cases += [*read_mocha(reports, root), *(told or ())]
    told_apart = (_istanbul(path, root, sources) for path in sorted(reports.glob(_ISTANBUL)))
    found = [*_whole(counted, workspace, sources), *(covered for covered in told_apart if covered)]
    joined = found[0] if found else None
    for other in found[1:]:
        joined = other.joined(joined)
    is_told = told is not None or any(reports.glob("mocha/*.jsonl"))
    return Read(cases=once(cases), lines=joined, told=is_told)


def _is_code(path: str) -> bool:
    pure = PurePosixPath(path)
    known = pure.suffix in (".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".mts", ".cts")
    is_setting = sets_foreign_tests(path) or ".config." in pure.name or ".d." in pure.name
    return known and not belongs_to_foreign_tests(path) and not is_setting


def _own(path: Path, root: str, counted: dict[str, Lines], sources: Sequence[str]) -> Iterator[Case]:
    above, failed = dict[str, list[str]](), list[str]()
    for event in json_lines(path, _Event):
        if event.type == "test:coverage":
            _count(event.summary or {}, root, counted, sources)
            continue
        file = _below(event.file or "", root)
        names = above.setdefault(file, [])
        del names[event.nesting :]
        names += [""] * (event.nesting - len(names)) + [event.name]
        if event.type == "test:start" or (event.kind == "suite" and event.type == "test:pass"):
            continue
        if event.kind == "suite" and any(name.startswith(f"{node_id(file, names)} > ") for name in failed):
            continue
        if _below(event.name, root) == file:
            # The file itself: it stands in the report alone where it could not be run.
            if event.type == "test:fail":
                yield Case(file, "error")
            continue
        said = event.skip if isinstance(event.skip, str) else event.todo if isinstance(event.todo, str) else ""
        if event.skip or event.todo:
            yield Case(node_id(file, names), "skipped", said[:_REASON_MAX])
        else:
            failed += [node_id(file, names)] if event.type == "test:fail" else []
            yield Case(node_id(file, names), "passed" if event.type == "test:pass" else "failed")


def _of_report(path: Path, root: str) -> Iterator[Case]:
    data = report_in(path)
    if data is None:
        return
    try:
        report = msgspec.json.decode(data, type=_Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ReportRefused("it is no report of a test runner") from None
    for file in report.test_results:
        name = _below(file.name, root)
        if file.status == "failed" and not file.assertion_results:
            yield Case(name, "error")
        for test in file.assertion_results:
            outcome = _OUTCOMES.get(test.status, "skipped")
            yield Case(node_id(name, [*test.ancestor_titles, test.title]), outcome)


def _below(path: str, root: str) -> str:
    plain = path.removeprefix("file://")
    return plain.removeprefix(f"{root}/")


def _count(summary: Mapping[str, Any], root: str, counted: dict[str, Lines], sources: Sequence[str]) -> None:
    """Add what a run of node's has counted of each of the `sources`: of several runs that which covers most."""
    wanted = set(sources)
    for file in summary.get("files", ()) if isinstance(summary.get("files"), list) else ():
        path = _below(str(file.get("path", "")), root) if isinstance(file, dict) else ""
        if path not in wanted:
            continue
        rows = [row for row in file.get("lines") or () if isinstance(row, dict)]
        ran = frozenset(_number(row.get("line")) for row in rows if row.get("count"))
        known = counted.get(path, Lines(counted=0, covered=0))
        counted[path] = Lines(
            counted=max(known.counted, _number(file.get("totalLineCount"))),
            covered=max(known.covered, _number(file.get("coveredLineCount"))),
            executed={path: ran | known.executed.get(path, frozenset())} if rows else known.executed,
        )


def _whole(counted: Mapping[str, Lines], workspace: Path, sources: Sequence[str]) -> Iterator[Lines]:
    """The same over all `sources`, each once: a file that nothing has loaded counts, too."""
    if not counted:
        return
    unseen = sum(len(text_of(workspace / path).splitlines()) for path in {*sources} - counted.keys())
    total = sum(file.counted for file in counted.values()) + unseen
    yield Lines(
        counted=total,
        covered=min(total, sum(file.covered for file in counted.values())),
        executed={path: lines for file in counted.values() for path, lines in file.executed.items()},
    )


def _istanbul(path: Path, root: str, sources: Sequence[str]) -> Lines | None:
    data = report_in(path)
    if data is None:
        return None
    try:
        report = msgspec.json.decode(data, type=dict[str, _Statements])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    counted = covered = 0
    executed: dict[str, frozenset[int]] = {}
    for name, file in report.items():
        place = _below(name, root)
        if place not in sources:
            continue
        counted += len(file.statement_map)
        ran = [file.statement_map[key] for key, count in file.s.items() if count and key in file.statement_map]
        covered += len(ran)
        executed[place] = frozenset(line for span in ran for line in _span(span))
    return Lines(counted=counted, covered=covered, executed=executed) if executed else None


def _span(span: _Span) -> range:
    first = span.start.line or 0
    return range(first, min((span.end.line or first), first + 10_000) + 1)


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
