"""The Test Anything Protocol, as tape, ava and node-tap print it, each test under its file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from agenthub_worker.evidence.reports import ELEMENTS_READ, NO_TESTS, Case, Outcome, ReportRefused, report_in
from agenthub_worker.suites.node.subtests import SUBTEST, cases_of_subtests
from agenthub_worker.suites.read import node_id, once, text_of

OUTPUT = "node-tap.txt"
"""What a command printed, in the folder of the reports."""

_BEGIN = re.compile(r"^TAP version \d+$", re.M)
_POINT = re.compile(
    r"^(?P<not>not )?ok (?P<number>\d+)(?: -)?(?: (?P<said>.*?))?(?:\s+# (?P<word>SKIP|TODO)\b.*)?$", re.I
)
_PLAN = re.compile(r"^1\.\.(\d+)")
_COMMENT = re.compile(r"^# (?P<skip>SKIP |TODO )?(?P<name>.+)$")
_CLOSING = re.compile(r"^(?:(?:tests|pass|fail|skip|todo) +\d+|ok)$")
_ARROW = " › "


class _Point(msgspec.Struct, frozen=True):
    outcome: Outcome
    said: str
    under: str


def read_tap(reports: Path, workspace: Path, files: Iterable[str]) -> tuple[Case, ...] | None:
    """The tests in what a command has printed; None: it is no such output. Raises `ReportRefused`.

    `files` are those in which its tests can stand, the likely ones first.
    """
    text = (report_in(reports / OUTPUT) or b"").decode("utf-8", "replace")
    begin = _BEGIN.search(text)
    if begin is None:
        return None
    points, skipped, numbers, plan = _points(text[begin.end() :])
    texts = {path: text_of(workspace / path) for path in files}
    of_ava = [path for path, content in texts.items() if re.search(r"['\"]ava['\"]", content)]
    if SUBTEST in text:
        told: Iterable[Case] = cases_of_subtests(text[begin.end() :])
    else:
        told = _of_ava(points, of_ava) if of_ava else _of_tape(points, skipped, texts)
    cases = {case.id: case for case in once(told)}
    if numbers != list(range(1, len(numbers) + 1)) or plan != len(numbers):
        # It ended in the middle, or something else has printed such lines into it.
        cases[NO_TESTS[1]] = Case(NO_TESTS[1], "error")
    return tuple(cases.values())


def _points(text: str) -> tuple[list[_Point], list[str], list[int], int | None]:
    """What was asserted, the tests that were left out, the numbers of the points, and how many were planned."""
    points, skipped, numbers = list[_Point](), list[str](), list[int]()
    under, plan = "", None
    for row in text.split("\n"):
        if len(numbers) > ELEMENTS_READ:
            raise ReportRefused(f"it has more than {ELEMENTS_READ} points")
        if planned := _PLAN.match(row):
            plan = int(planned[1])
        elif point := _POINT.match(row):
            numbers.append(int(point["number"]))
            outcome: Outcome = "skipped" if point["word"] else "failed" if point["not"] else "passed"
            points.append(_Point(outcome, point["said"] or "", under))
        elif (comment := _COMMENT.match(row)) and not _CLOSING.match(comment["name"]):
            under = "" if comment["skip"] else comment["name"]
            skipped += [comment["name"]] if comment["skip"] else []
    return points, skipped, numbers, plan


def _of_tape(points: Sequence[_Point], skipped: Sequence[str], texts: Mapping[str, str]) -> Iterator[Case]:
    """A test is the assertions below its name, one that is red makes it red."""
    by_name: dict[str, list[Outcome]] = {}
    for point in points:
        by_name.setdefault(point.under or point.said, []).append(point.outcome)
    for name, outcomes in by_name.items():
        yield Case(_with_file(name, texts), _worst(outcomes))
    for name in skipped:
        yield Case(_with_file(name, texts), "skipped")


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    order: tuple[Outcome, ...] = ("error", "failed", "passed")
    return next((outcome for outcome in order if outcome in outcomes), "skipped")


def _with_file(name: str, texts: Mapping[str, str]) -> str:
    """The test under the file that names it; a name that is put together stands in none."""
    file = next((path for path in texts if name in texts[path]), "")
    return node_id(file or "tap", [name])


def _of_ava(points: Sequence[_Point], files: Sequence[str]) -> Iterator[Case]:
    """Ava puts the file, without what all have in common, before the name; of a single one it does not."""
    parts = {path: _parts(PurePosixPath(path)) for path in files}
    for point in points:
        words = point.said.split(_ARROW)
        fitting = [(count, path) for path in files for count in _shared(parts[path], words)]
        count, file = max(fitting, default=(0, files[0] if len(files) == 1 else "tap"))
        yield Case(node_id(file, [_ARROW.join(words[count:])]), point.outcome)


def _parts(pure: PurePosixPath) -> list[str]:
    name = pure.stem
    for part in (".spec", ".test", "test-"):
        name = name.replace(part, "", 1)
    return [*(part for part in pure.parts[:-1] if part != "__tests__"), name]


def _shared(parts: Sequence[str], words: Sequence[str]) -> Iterator[int]:
    """How many of the first words are the end of a file's path."""
    for count in range(1, min(len(parts), len(words) - 1) + 1):
        if list(words[:count]) == list(parts[-count:]):
            yield count
