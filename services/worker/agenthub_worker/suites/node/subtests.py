"""Subtests in the Test Anything Protocol, as node-tap prints them: each is a test under its file."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from agenthub_worker.evidence.reports import Case, Outcome
from agenthub_worker.suites.read import node_id

SUBTEST = "# Subtest: "
_BEGIN = re.compile(rf"^(?P<indent> *){SUBTEST}(?P<name>.+)$")
_POINT = re.compile(
    r"^(?P<indent> *)(?P<not>not )?ok \d+(?: - (?P<name>.*?))?"
    r"(?:\s+# (?:(?P<word>SKIP|TODO)\b.*|time=\S+))?(?P<open> \{)?$",
    re.I,
)
_STEP = 4


class _Open(msgspec.Struct):
    """A subtest that has begun. `red`: a test below it has failed, `parent`: there is one."""

    name: str
    parent: bool = False
    red: bool = False
    outcome: Outcome | None = None


def cases_of_subtests(text: str) -> Iterator[Case]:
    """The tests of the files that the outermost ones are named by; assertions belong to the test around them."""
    above: list[_Open] = []
    for row in text.split("\n"):
        if begun := _BEGIN.match(row):
            del above[len(begun["indent"]) // _STEP :]
            above.append(_Open(begun["name"].strip()))
        elif point := _POINT.match(row):
            depth, name = len(point["indent"]) // _STEP, (point["name"] or "").strip()
            outcome: Outcome = "skipped" if point["word"] else "failed" if point["not"] else "passed"
            if point["open"]:
                # Of a subtest that was kept back the end is told first.
                del above[depth:]
                above.append(_Open(name, outcome=outcome))
            elif depth < len(above) and above[depth].name == name:
                yield from _ended(above[: depth + 1], outcome)
                del above[depth:]
            elif outcome == "skipped" and 0 < depth <= len(above):
                yield Case(node_id(above[0].name, [*(one.name for one in above[1:depth]), name]), outcome)
        elif row.strip() == "}" and (depth := row.index("}") // _STEP) < len(above):
            yield from _ended(above[: depth + 1], above[depth].outcome or "passed")
            del above[depth:]


def _ended(above: list[_Open], outcome: Outcome) -> Iterator[Case]:
    own, names = above[-1], [one.name for one in above]
    for one in above[:-1]:
        one.parent = True
        one.red = one.red or outcome == "failed"
    if len(above) > 1:
        yield Case(node_id(names[0], names[1:]), outcome)
    elif not own.parent:
        yield Case(node_id(own.name, [own.name]), outcome)
    elif outcome == "failed" and not own.red:
        # What failed stands in no test of the file.
        yield Case(own.name, "error")
