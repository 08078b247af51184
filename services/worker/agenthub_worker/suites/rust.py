"""Rust: what `cargo test` prints, section by section, each held against its own closing line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from agenthub_worker.environment.python.tables import rows, table, text, toml_of
from agenthub_worker.evidence.reports import NO_TESTS, Case, Outcome, report_in
from agenthub_worker.suites.read import Read, once, text_of

SHIM = """\
#!/bin/bash
# Keeps what `cargo test` prints where the system reads it; every other command is cargo's own.
PATH="${PATH#"$AGENTHUB_SHIMS":}"
[ "$1" = test ] || [ "$1" = t ] || exec cargo "$@"
shift
reports="$AGENTHUB_REPORTS/rust"
mkdir -p "$reports"
if [ -z "${CARGO_TARGET_DIR:-}" ] && [ -d /environment/cargo/built ]; then
    cp -a /environment/cargo/built "$reports/built"
    export CARGO_TARGET_DIR="$reports/built"
fi
set -o pipefail
CARGO_TERM_COLOR=never RUST_BACKTRACE=0 cargo test --no-fail-fast "$@" 2>&1 | tee "$reports/$$.txt"
"""

_SECTION = re.compile(
    r"^\s+(?:Running (?P<unit>unittests )?(?P<file>\S+\.rs)?\s*\((?P<binary>[^)]+)\)|Doc-tests (?P<docs>\S+))\s*$"
)
_BEGIN = re.compile(r"^running (\d+) tests?$")
_TEST = re.compile(r"^test (?P<name>.+?) \.\.\. (?P<said>.*)$")
_WORD = re.compile(r"\b(ok|FAILED)\s*$")
_RESULT = re.compile(
    r"^test result: (?P<all>ok|FAILED)\. (?P<passed>\d+) passed; (?P<failed>\d+) failed; (?P<ignored>\d+) ignored;"
)
_DOC = re.compile(r"^(?P<file>\S+) - (?P<item>.*?)\s*(?P<line>\(line \d+\))")
_UNCOMPILED = re.compile(r"^error(?:\[E\d+\])?: (?:could not compile|aborting due to)", re.M)
_OUTCOMES: dict[str, Outcome] = {"ok": "passed", "FAILED": "failed"}


class _Section(msgspec.Struct):
    """What one test program has printed. `folder`: of its crate."""

    file: str
    folder: str
    is_unit: bool = False
    is_doc: bool = False
    begun: int | None = None
    told: dict[str, tuple[Outcome, str]] = {}
    result: tuple[int, int, int] | None = None


class Crates:
    """The crates of a workspace by the names of what they build, and its files."""

    def __init__(self, workspace: Path, files: Iterable[str]) -> None:
        paths = list(files)
        self.files = {path for path in paths if path.endswith(".rs")}
        self.folders: dict[str, str] = {}
        self._tops: dict[str, str] = {}
        for path in paths:
            if PurePosixPath(path).name != "Cargo.toml":
                continue
            manifest = toml_of(text_of(workspace / path).encode())
            parent = str(PurePosixPath(path).parent)
            folder = "" if parent == "." else f"{parent}/"
            if name := text(table(manifest, "package").get("name")):
                self._tops[name] = folder
                built = [table(manifest, "lib"), *rows(manifest.get("bin"))]
                for one in (name, *(text(target.get("name")) for target in built)):
                    self.folders.setdefault(one.replace("-", "_"), folder)

    def folder_of(self, binary: str, file: str, is_unit: bool, used: Mapping[str, str]) -> str:
        """The folder, with its slash, of the crate that a program was made of.

        Cargo tells neither, but goes from crate to crate by their names, and begins each with its unit tests.
        `used` are the folders of the programs before it in this run, the last one at its end, by their files.
        """
        name = PurePosixPath(binary).name.rpartition("-")[0].replace("-", "_")
        named = self.folders.get(name, "") if is_unit else ""
        ordered = [named, *list(used.values())[-1:], *(self._tops[name] for name in sorted(self._tops))]
        fitting = [folder for folder in ordered if folder + file in self.files and folder + file not in used]
        return fitting[0] if fitting else named

    def file_named(self, path: str, folder: str) -> str:
        """The file that a doc test stands in, of which cargo tells the path from where it runs."""
        found = sorted(file for file in self.files if file == path or file.endswith(f"/{path}"))
        return next((file for file in found if file.startswith(folder)), found[0] if found else folder + path)

    def file_of(self, section: _Section, test: str) -> str:
        """The file in which a unit test stands, as far as its module says it."""
        modules, source = test.split("::")[:-1], str(PurePosixPath(section.file).parent)
        top = f"{section.folder}{source}/"
        for count in range(len(modules), 0, -1):
            inner = "/".join(modules[:count])
            for path in (f"{top}{inner}.rs", f"{top}{inner}/mod.rs"):
                if path in self.files:
                    return path
        return section.folder + section.file


def read_rust(reports: Path, workspace: Path, files: Iterable[str]) -> Read:
    """What `cargo test` has printed. Raises `ReportRefused`."""
    crates, cases, broken = Crates(workspace, list(files)), list[Case](), False
    written = sorted(reports.glob("rust/*.txt"))
    for path in written:
        printed = (report_in(path) or b"").decode("utf-8", "replace")
        broken = broken or _UNCOMPILED.search(printed) is not None
        for section in _sections(printed, crates):
            cases += _cases(section, crates)
    return Read(cases=once(cases), build_failed=broken, told=bool(written))


def _sections(printed: str, crates: Crates) -> Iterator[_Section]:
    section: _Section | None = None
    used = dict[str, str]()
    for row in printed.split("\n"):
        if found := _SECTION.match(row):
            if section is not None:
                yield section
            file, is_unit = found["file"] or "", bool(found["unit"])
            folder = crates.folder_of(found["binary"] or "", file, is_unit, used)
            used[folder + file] = folder
            section = _Section(file, folder, is_unit, bool(found["docs"]), told={})
            if section.is_doc:
                section.folder = crates.folders.get(found["docs"], "")
        elif section is not None:
            _take(section, row)
    if section is not None:
        yield section


def _take(section: _Section, row: str) -> None:
    if section.result is not None:
        return
    if (begun := _BEGIN.match(row)) and section.begun is None:
        section.begun = int(begun[1])
    elif result := _RESULT.match(row):
        section.result = (int(result["passed"]), int(result["failed"]), int(result["ignored"]))
    elif test := _TEST.match(row):
        name, said = test["name"].removesuffix(" - should panic"), test["said"]
        if said.startswith("ignored"):
            section.told[name] = ("skipped", said.removeprefix("ignored").lstrip(", "))
        elif word := _WORD.search(said):
            section.told[name] = (_OUTCOMES[word[1]], "")


def _cases(section: _Section, crates: Crates) -> Iterator[Case]:
    outcomes = [outcome for outcome, _ in section.told.values()]
    counted = tuple(outcomes.count(word) for word in ("passed", "failed", "skipped"))
    if section.result != counted or section.begun != len(outcomes):
        # It ended in the middle, or something else has printed lines of tests into it.
        yield Case(f"{section.folder}{section.file}" if section.file else NO_TESTS[1], "error")
    for name, (outcome, reason) in section.told.items():
        yield Case(_id(section, crates, name), outcome, reason[:200])


def _id(section: _Section, crates: Crates, name: str) -> str:
    if section.is_doc:
        found = _DOC.match(name)
        if found is None:
            return f"{section.folder}doc-tests::{name}"
        file = crates.file_named(found["file"], section.folder)
        return f"{file}::doc-test {found['item']}[{found['line'].strip('()')}]"
    if section.is_unit:
        return f"{crates.file_of(section, name)}::{name}"
    return f"{section.folder}{section.file}::{name}"
