"""What was read of the reports of a run in another language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from agenthub_worker.evidence.reports import ELEMENTS_READ, Case, Outcome, ReportRefused, read_report, report_in

_T = TypeVar("_T")

RANK: tuple[Outcome, ...] = ("passed", "skipped", "failed", "error")
"""The outcomes of a test, the worst one last."""


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage as a tool tells it: what there was to be covered, what was, and the lines that ran by path."""

    counted: int
    covered: int
    executed: Mapping[str, frozenset[int]] = {}

    def joined(self, other: Lines | None) -> Lines:
        """Both together."""
        if other is None:
            return self
        both = self.executed.keys() | other.executed.keys()
        return Lines(
            counted=self.counted + other.counted,
            covered=self.covered + other.covered,
            executed={
                path: self.executed.get(path, frozenset()) | other.executed.get(path, frozenset()) for path in both
            },
        )


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """The tests of a run, `lines` where coverage was measured.

    `build_failed`: at least a part of the code was not compiled, so its tests did not run. `log` is what the tool
    has written into its report instead of its output. `told`: a tool has reported, be it that there are no tests.
    """

    cases: tuple[Case, ...] = ()
    lines: Lines | None = None
    build_failed: bool = False
    log: str = ""
    told: bool = False

    def joined(self, other: Read) -> Read:
        """Both together."""
        lines = other.lines if self.lines is None else self.lines.joined(other.lines)
        return Read(
            cases=(*self.cases, *other.cases),
            lines=lines,
            build_failed=self.build_failed or other.build_failed,
            log=self.log + other.log,
            told=self.told or other.told,
        )


def once(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Each test once: of several outcomes under the same name the worst one counts, so that none hides another."""
    found: dict[str, Case] = {}
    for case in cases:
        known = found.get(case.id)
        if known is None or RANK.index(case.outcome) > RANK.index(known.outcome):
            found[case.id] = case
    return tuple(found.values())


def node_id(file: str, names: Sequence[str]) -> str:
    """The id of a test of node's in `file`, below the names that it stands under."""
    # A bracket would make of the rest of a name the parameters of a test.
    return f"{file}::{' > '.join(names)}".replace("[", "(").replace("]", ")")


def json_lines(path: Path, kind: type[_T]) -> Iterator[_T]:
    """The values of a report with one on each line. Raises `ReportRefused`; lines that are none are left out."""
    for number, row in enumerate((report_in(path) or b"").splitlines()):
        if number > ELEMENTS_READ * 5:
            raise ReportRefused(f"it has more than {ELEMENTS_READ * 5} lines")
        try:
            yield msgspec.json.decode(row, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue


def text_of(path: Path) -> str:
    """The text of a plain file of a workspace or report; empty for what is none."""
    return (read_report(path) or b"").decode("utf-8", "replace")
