"""One run of tests in another language: what is put beside the command, and what is read once it has ended."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from agenthub_runtime.repository.trees import walk
from agenthub_worker.projects.test_environment import RunFolders
from agenthub_worker.suites import go, java, rust
from agenthub_worker.suites.node import bun, mocha, reading, runners
from agenthub_worker.suites.node.scripts import scripts_in
from agenthub_worker.suites.read import Read, text_of

_SHIMS: Mapping[str, str] = {
    "go": go.SHIM,
    "cargo": rust.SHIM,
    "mvn": java.SHIM,
    "gradle": java.GRADLE_SHIM,
    "node": reading.SHIM,
    "bun": bun.SHIM,
}
_SKIPPED = frozenset({".git", "node_modules", ".venv", "target", "__pycache__"})
_FILES_MAX = 50_000
_OWN_REPORTER = "--test-reporter"


class ForeignRun(msgspec.Struct, frozen=True, kw_only=True):
    """A line in the folder `folder` of a workspace, which commands see as `root`.

    `files` are those of the workspace before anything has run in it: what a run makes is no test of the project's.
    """

    folders: RunFolders
    workspace: Path
    root: str
    folder: str
    measured: bool
    files: tuple[str, ...]

    def line(self, text: str) -> str:
        """The line with the system's own reporting, where tools take it from nowhere else."""
        place = self.workspace / self.folder
        told = runners.reporting(text, place, str(self.folders.reports), measured=self.measured)
        there = f"cd {shlex.quote(self.folder)} || exit 1\n" if self.folder else ""
        return f'export PATH="{self._shims}:$PATH"\n{there}{told}'

    def variables(self, text: str) -> dict[str, str]:
        """What the tools find in their environment."""
        reporter = f"--test-reporter={self.folders.support}/reporter.mjs --test-reporter-destination=/dev/null"
        plain = "--test-reporter=spec --test-reporter-destination=stdout"
        preload = f"--require={self.folders.support}/{runners.PRELOAD}"
        own = _OWN_REPORTER in text or _OWN_REPORTER in self._script
        return {
            "AGENTHUB_SHIMS": str(self._shims),
            "AGENTHUB_REPORTS": str(self.folders.reports),
            "AGENTHUB_MEASURED": "1" if self.measured else "",
            # Who brings a reporter keeps it: node would want a destination for each.
            "NODE_OPTIONS": preload if own else f"{preload} {plain} {reporter}",
        }

    def begin(self) -> None:
        """Write what stands beside the command."""
        self._shims.mkdir()
        for name, text in _SHIMS.items():
            (self._shims / name).write_text(text)
            (self._shims / name).chmod(0o755)
        (self.folders.support / "reporter.mjs").write_text(reading.REPORTER)
        (self.folders.support / runners.MOCHA_REPORTER).write_text(mocha.REPORTER)
        (self.folders.support / runners.PRELOAD).write_text(runners.PRELOADED)
        (self.folders.support / runners.OPTIONS).write_bytes(msgspec.json.encode(self._told_runners()))

    def read(self, output: bytes) -> Read:
        """What the tools have reported. Raises `ReportRefused`."""
        reports = self.folders.reports
        own = [path for path in self.files if not self.folder or path.startswith(f"{self.folder}/")]
        found = go.read_go(reports, self.workspace, own)
        found = found.joined(reading.read_node(reports, self.workspace, self.root, own))
        found = found.joined(bun.read_bun(reports, self.root))
        found = found.joined(rust.read_rust(reports, self.workspace, own))
        return found.joined(java.read_java(self.workspace, own, output))

    def _told_runners(self) -> Mapping[str, runners.RunnerOptions]:
        return runners.told_runners(
            str(self.folders.reports),
            str(self.folders.support),
            measured=self.measured,
            vitest_measures=runners.vitest_measures(self.workspace / self.folder),
        )

    @property
    def _shims(self) -> Path:
        return self.folders.support / "shims"

    @property
    def _script(self) -> str:
        return "\n".join(scripts_in(text_of(self.workspace / self.folder / "package.json")).values())


def files_in(workspace: Path) -> tuple[str, ...]:
    """The files of a workspace, of a huge one the first, without what tools have put there."""
    return tuple(_walked(workspace))


def _walked(workspace: Path) -> Iterator[str]:
    left = _FILES_MAX
    for folder, names, files in walk(workspace):
        names[:] = [name for name in names if name not in _SKIPPED]
        for name in sorted(files):
            left -= 1
            if left < 0:
                return
            yield Path(folder, name).relative_to(workspace).as_posix()


def percent(reads: Iterable[Read]) -> float | None:
    """The share of what the tools have counted; None where none of them has."""
    lines = [read.lines for read in reads if read.lines is not None]
    counted = sum(line.counted for line in lines)
    return round(100 * sum(line.covered for line in lines) / counted, 2) if counted else None
