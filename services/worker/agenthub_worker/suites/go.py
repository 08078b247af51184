"""Go: `go test` is told to write what it does as JSON, and the tests are found in their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from agenthub_worker.evidence.reports import Case, Outcome
from agenthub_worker.suites.read import Lines, Read, json_lines, once, text_of

CACHE = "/environment/go/build"
"""What the setup of an environment has compiled; a run begins with a copy of it."""

SHIM = f"""\
#!/bin/bash
# Puts the reports of `go test` where the system reads them; every other command is go's own.
PATH="${{PATH#"$AGENTHUB_SHIMS":}}"
[ "$1" = test ] || exec go "$@"
shift
here="$(go env GOCACHE)"
[ -d "$here" ] || [ ! -d {CACHE} ] || cp -r {CACHE} "$here"
reports="$AGENTHUB_REPORTS/go"
mkdir -p "$reports"
cover=()
[ -z "$AGENTHUB_MEASURED" ] || cover=("-coverprofile=$reports/$$.cover" -coverpkg=./...)
go test -json -count=1 "${{cover[@]}}" "$@" > "$reports/$$.jsonl"
"""

_MODULE = re.compile(r"^module\s+\"?([^\s\"]+)", re.M)
_FUNCTION = re.compile(r"^func ((?:Test|Example|Fuzz|Benchmark)\w*)\(", re.M)
_OUTCOMES: Mapping[str, Outcome] = {"pass": "passed", "fail": "failed", "skip": "skipped"}
_BROKEN = re.compile(r"\[(?:build|setup) failed\]")
_BLOCK = re.compile(r"^(.+):(\d+)\.\d+,(\d+)\.\d+ (\d+) (\d+)$")
_REASON_MAX = 200


class _Event(msgspec.Struct, rename="pascal"):
    action: str = ""
    package: str = ""
    test: str = ""
    output: str = ""


class _Package:
    def __init__(self) -> None:
        self.ended: dict[str, Outcome] = {}
        self.begun: set[str] = set()
        self.said: dict[str, list[str]] = {}
        self.broken = False
        self.failed = False


class Modules:
    """The modules of a workspace: where the packages are, and in which file each test is."""

    def __init__(self, workspace: Path, files: Iterable[str]) -> None:
        self._workspace = workspace
        self._roots: dict[str, str] = {}
        self._tests: dict[str, list[str]] = {}
        self._found: dict[str, dict[str, str]] = {}
        for path in files:
            pure = PurePosixPath(path)
            if pure.name == "go.mod" and (named := _MODULE.search(text_of(workspace / path))):
                self._roots[named[1]] = str(pure.parent)
            elif path.endswith("_test.go"):
                self._tests.setdefault(str(pure.parent), []).append(path)

    def place(self, name: str) -> str:
        """The path, from the top, of a package or file under its import path."""
        for module in sorted(self._roots, key=len, reverse=True):
            if name == module or name.startswith(f"{module}/"):
                return str(PurePosixPath(self._roots[module]) / name[len(module) :].lstrip("/"))
        return name

    def id_of(self, package: str, test: str) -> str:
        """File and function; a subtest is a case of its function."""
        folder = self.place(package)
        if folder not in self._found:
            self._found[folder] = {
                name: path
                for path in self._tests.get(folder, ())
                for name in _FUNCTION.findall(text_of(self._workspace / path))
            }
        function, _, inner = test.partition("/")
        file = self._found[folder].get(function, folder)
        return f"{file}::{function}[{inner}]" if inner else f"{file}::{function}"


def read_go(reports: Path, workspace: Path, files: Iterable[str]) -> Read:
    """What `go test` has written, each run in a file of its own. Raises `ReportRefused`."""
    modules, cases, broken, log = Modules(workspace, files), list[Case](), False, list[str]()
    lines: Lines | None = None
    written = sorted(reports.glob("go/*.jsonl"))
    for path in written:
        packages: dict[str, _Package] = {}
        # Go before its version 1.20 says it beside the events.
        broken = broken or _BROKEN.search(text_of(path)) is not None
        for event in json_lines(path, _Event):
            log.append(event.output)
            _take(packages.setdefault(event.package, _Package()), event)
        for name, package in packages.items():
            broken = broken or package.broken
            cases += _cases(modules, name, package)
        covered = _covered(path.with_suffix(".cover"), modules)
        lines = covered if lines is None else lines.joined(covered)
    return Read(cases=once(cases), lines=lines, build_failed=broken, log="".join(log), told=bool(written))


def _take(package: _Package, event: _Event) -> None:
    if event.action == "run":
        package.begun.add(event.test)
    elif event.action in _OUTCOMES and event.test:
        package.ended[event.test] = _OUTCOMES[event.action]
    elif event.action == "fail":
        package.failed = True
    elif event.action == "output":
        package.broken = package.broken or _BROKEN.search(event.output) is not None
        if event.test and not event.output.startswith(("===", "---", "    ---")):
            package.said.setdefault(event.test, []).append(event.output)


def _cases(modules: Modules, name: str, package: _Package) -> Iterator[Case]:
    for test in sorted(package.begun | package.ended.keys()):
        # One that has begun and of which nothing more was heard has taken its process with it.
        outcome = package.ended.get(test, "error")
        said = "".join(package.said.get(test, ())) if outcome == "skipped" else ""
        yield Case(modules.id_of(name, test), outcome, " ".join(said.split())[:_REASON_MAX])
    if package.failed and "failed" not in package.ended.values() and package.begun <= package.ended.keys():
        yield Case(modules.place(name), "error")


def _covered(path: Path, modules: Modules) -> Lines | None:
    """A profile: statements by block, of which a test binary each tells all."""
    blocks: dict[tuple[str, int, int], tuple[int, bool]] = {}
    text = text_of(path)
    if not text.startswith("mode:"):
        return None
    for row in text.split("\n"):
        if found := _BLOCK.match(row):
            key = (modules.place(found[1]), int(found[2]), int(found[3]))
            ran = int(found[5]) > 0 or blocks.get(key, (0, False))[1]
            blocks[key] = (int(found[4]), ran)
    executed: dict[str, set[int]] = {}
    for (file, first, last), (_, ran) in blocks.items():
        executed.setdefault(file, set()).update(range(first, last + 1) if ran else ())
    return Lines(
        counted=sum(number for number, _ in blocks.values()),
        covered=sum(number for number, ran in blocks.values() if ran),
        executed={file: frozenset(lines) for file, lines in executed.items()},
    )
