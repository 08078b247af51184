"""Java: the reports that Maven's Surefire and Gradle leave beside what they have built."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from agenthub_worker.evidence.reports import Case, ReportRefused, parse_junit, report_in
from agenthub_worker.suites.read import Lines, Read, once

SHIM = """\
#!/bin/bash
# Maven before its version 3.9 takes from no variable that nothing can be fetched.
PATH="${PATH#"$AGENTHUB_SHIMS":}"
find . -path '*/target/surefire-reports' -prune -exec rm -rf {} + 2>/dev/null
exec mvn -B -o "$@"
"""

GRADLE_SHIM = """\
#!/bin/bash
# Nothing can be fetched, and what an earlier run has left is no report of this one.
PATH="${PATH#"$AGENTHUB_SHIMS":}"
find . -path '*/build/test-results' -prune -exec rm -rf {} + 2>/dev/null
exec gradle --offline --no-daemon "$@"
"""

_REPORTS = (
    *("target/surefire-reports/TEST-*.xml", "target/failsafe-reports/TEST-*.xml"),
    "build/test-results/*/TEST-*.xml",
)
_FOLDERS_DEEP = 4
_REPORTS_READ = 5_000
_ROOT = re.compile(
    r"^(?P<module>.*?)(?:^|/)src/(?:test|it)/(?:java|kotlin|groovy)/(?P<name>.+)\.(?:java|kt|groovy)$"
)
_UNCOMPILED = (b"COMPILATION ERROR", b"Compilation failed; see the compiler")


def read_java(workspace: Path, files: Iterable[str], output: bytes) -> Read:
    """What a run of Maven or Gradle has left in the workspace. Raises `ReportRefused`."""
    classes: dict[str, dict[str, str]] = {}
    for path in files:
        if found := _ROOT.match(path):
            classes.setdefault(found["name"].replace("/", "."), {})[found["module"]] = path
    cases = list[Case]()
    for report in _reports(workspace):
        data = report_in(report)
        is_of_gradle = report.parts[-4:-2] == ("build", "test-results")
        module = report.parents[3 if is_of_gradle else 2].relative_to(workspace).as_posix().removeprefix(".")
        cases += [_named(case, classes, module) for case in (parse_junit(data) if data else None) or ()]
    sources = [path for path in files if path.endswith((".java", ".kt")) and _ROOT.match(path) is None]
    return Read(
        cases=once(cases),
        lines=_jacoco(workspace, sources) if cases else None,
        build_failed=any(words in output for words in _UNCOMPILED),
    )


def _reports(workspace: Path) -> Iterator[Path]:
    number = 0
    for pattern in _REPORTS:
        for depth in range(_FOLDERS_DEEP):
            for path in sorted(workspace.glob("*/" * depth + pattern)):
                number += 1
                if number > _REPORTS_READ:
                    raise ReportRefused(f"there are more than {_REPORTS_READ} of them")
                if not any(folder.is_symlink() for folder in path.parents if folder.is_relative_to(workspace)):
                    yield path


def _named(case: Case, classes: dict[str, dict[str, str]], module: str) -> Case:
    """The entry of a module's report under its file; several modules may have a class of one name.

    A report names the class, and of an inner one the class around it with `$`.
    """
    owner, _, name = case.id.partition("::")
    outer, *inner = owner.split("$")
    files = classes.get(outer, {})
    file = files.get(module) or next(iter(files.values()), outer)
    parts = [part for part in (*inner, name) if part]
    return Case("::".join((file, *parts)), case.outcome, case.reason)


def _jacoco(workspace: Path, sources: list[str]) -> Lines | None:
    """The report of a project that measures its coverage itself; None where it does not."""
    found: Lines | None = None
    for depth in range(_FOLDERS_DEEP):
        for path in sorted(workspace.glob("*/" * depth + "target/site/jacoco/jacoco.xml")):
            module = path.relative_to(workspace).as_posix().removesuffix("target/site/jacoco/jacoco.xml")
            lines = _of_report(report_in(path) or b"", [name for name in sources if name.startswith(module)])
            found = lines.joined(found) if lines else found
    return found


def _of_report(data: bytes, sources: list[str]) -> Lines | None:
    try:
        report = defusedxml.ElementTree.fromstring(data)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return None
    counted = covered = 0
    executed: dict[str, frozenset[int]] = {}
    for package in report.iter("package"):
        for file in package.iter("sourcefile"):
            ends = posixpath.join(package.get("name", ""), file.get("name", ""))
            path = next((name for name in sources if name.endswith(f"/{ends}")), None)
            rows = [(_number(row, "nr"), _number(row, "ci")) for row in file.iter("line")]
            if path is not None:
                counted += len(rows)
                covered += sum(1 for _, ran in rows if ran)
                executed[path] = frozenset(line for line, ran in rows if ran)
    return Lines(counted=counted, covered=covered, executed=executed) if counted else None


def _number(element: Element, name: str) -> int:
    text = element.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
