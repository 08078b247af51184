"""Reads the reports that a test run has left, written by code that nobody trusts."""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
import msgspec
from defusedxml.common import DefusedXmlException

from agenthub_events.catalogue.values import TestCounts
from agenthub_events.errors import AgenthubError
from agenthub_events.redaction import encodable

Outcome = Literal["passed", "failed", "error", "skipped"]

NAME_MAX = 500
"""Characters of a test's id that are kept; the code under test makes them up."""
REPORT_BYTES = 32 << 20
ELEMENTS_READ = 200_000
_NESTED_DEEP = 50
# pytest's own name for a failure of itself, and ours for an entry without a name: pytest was ended in that test.
NO_TESTS = ("pytest::internal", "(a test that never ended)")
_REASON_MAX = 200
_UNITTEST = re.compile(
    rb"^Ran (?P<ran>\d{1,7}) tests? in [\d.]+s\s+(?:OK|FAILED|NO TESTS RAN)(?: \((?P<parts>[^)\n]*)\))?\s*$", re.M
)
_UNITTEST_PART = re.compile(rb"([a-z ]+)=(\d{1,7})")

_NODE_PARTS = ("pass", "fail", "cancelled", "skipped", "todo")
_NODE = re.compile("^(?:#|\N{INFORMATION SOURCE}) (pass|fail|cancelled|skipped|todo) (\\d{1,7})$".encode(), re.M)
_COLOUR = re.compile(rb"\x1b\[[\d;]*m")
_UVU = re.compile(
    rb"^  Total: +(?P<total>\d{1,7})\n  Passed: +(?P<passed>\d{1,7})\n"
    rb"  Skipped: +(?P<skipped>\d{1,7})\n  Duration: ",
    re.M,
)


class ReportRefused(AgenthubError):
    """A report is not read; the message says why, to go on after "it cannot be used: "."""


class Case(msgspec.Struct, frozen=True):
    """One test of a report under its pytest id, or a file that could not be read or was skipped as a whole.

    `reason` is what a skipped test says of itself.
    """

    id: str
    outcome: Outcome
    reason: str = ""


def stored_id(name: str) -> str:
    """A test's id as it is kept in the log."""
    return encodable(name)[:NAME_MAX]


def read_report(path: Path, *, limit: int = REPORT_BYTES) -> bytes | None:
    """The content of a plain file; None when it is missing, no plain file (a link, a pipe), or over the limit."""
    try:
        return report_in(path, limit=limit)
    except ReportRefused:
        return None


def report_in(path: Path, *, limit: int = REPORT_BYTES) -> bytes | None:
    """The content of a report; None when there is none. Raises `ReportRefused` for what is not read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReportRefused(f"it is no plain file ({error.strerror})") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ReportRefused("it is no plain file")
        if status.st_size > limit:
            raise ReportRefused(f"it has {status.st_size >> 20} MiB, more than the {limit >> 20} that are read")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(limit)
    finally:
        os.close(descriptor)


def parse_junit(data: bytes) -> tuple[Case, ...] | None:
    """The tests of a JUnit report, each once; None when it is not one.

    Raises `ReportRefused` for one that is made to exhaust its reader.
    """
    cases: dict[str, Case] = {}
    try:
        for element in _testcases(data):
            case = Case(_case_id(element), _outcome(element), _skip_reason(element))
            known = cases.get(case.id)
            if known is None or _RANK.index(case.outcome) > _RANK.index(known.outcome):
                cases[case.id] = case
    except DefusedXmlException:
        raise ReportRefused("it declares entities, which no report needs") from None
    except (ParseError, ValueError, LookupError):
        return None
    return tuple(cases.values())


def _testcases(data: bytes) -> Iterator[Element]:
    """The entries of a report, one after the other; of what is read nothing but the entry stays in memory."""
    above: list[Element] = []
    events = defusedxml.ElementTree.iterparse(io.BytesIO(data), events=("start", "end"), forbid_dtd=False)
    for number, (event, element) in enumerate(events):
        if number > 2 * ELEMENTS_READ:
            raise ReportRefused(f"it has more than {ELEMENTS_READ} elements")
        if event == "start":
            if not above and element.tag not in ("testsuites", "testsuite"):
                raise ValueError(element.tag)
            above.append(element)
            if len(above) > _NESTED_DEEP:
                raise ReportRefused(f"its elements are nested more than {_NESTED_DEEP} deep")
            continue
        above.pop()
        if element.tag == "testcase":
            yield element
        if above and above[-1].tag != "testcase":
            above[-1].remove(element)


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What unittest says at the end of a run: how many tests began, and how they ended."""

    ran: int
    failed: int
    errors: int
    skipped: int


def closing_lines(log: bytes) -> list[Closing]:
    """What runs of unittest have said at their ends."""
    return [_closing(found) for found in _UNITTEST.finditer(log)]


def unittest_counts(log: bytes) -> TestCounts | None:
    """What unittest says at the end of its output; None unless it says so exactly once."""
    told = closing_lines(log)
    if len(told) != 1:
        return None
    one = told[0]
    # What fails or is skipped with its whole class is told, but not counted as run.
    passed = max(0, one.ran - one.failed - one.errors - one.skipped)
    return TestCounts(passed=passed, failed=one.failed, errors=one.errors, skipped=one.skipped)


def _closing(found: re.Match[bytes]) -> Closing:
    told = {name.decode().strip(): int(number) for name, number in _UNITTEST_PART.findall(found["parts"] or b"")}
    return Closing(
        ran=int(found["ran"]),
        failed=told.get("failures", 0) + told.get("unexpected successes", 0),
        errors=told.get("errors", 0),
        skipped=told.get("skipped", 0),
    )


def node_counts(log: bytes) -> TestCounts | None:
    """What `node --test` says at the end of its output; None unless it says each number exactly once."""
    found = _NODE.findall(log)
    told = {name.decode(): int(number) for name, number in found}
    if sorted(name for name, _ in found) != sorted(name.encode() for name in _NODE_PARTS):
        return None
    return TestCounts(
        passed=told["pass"], failed=told["fail"] + told["cancelled"], skipped=told["skipped"] + told["todo"]
    )


def uvu_counts(log: bytes) -> TestCounts | None:
    """What uvu says at the end of its output, in colours or not; None unless it says so exactly once."""
    found = list(_UVU.finditer(_COLOUR.sub(b"", log)))
    if len(found) != 1:
        return None
    total, passed, skipped = (int(found[0][name]) for name in ("total", "passed", "skipped"))
    # It counts those that it skips beside the total.
    return TestCounts(passed=passed, failed=max(0, total - passed), errors=0, skipped=skipped)


_RANK: tuple[Outcome, ...] = ("passed", "skipped", "failed", "error")


def _outcome(element: Element) -> Outcome:
    tags = {child.tag for child in element}
    if "error" in tags or not element.get("name"):
        return "error"
    if "failure" in tags:
        return "failed"
    return "skipped" if "skipped" in tags else "passed"


def _skip_reason(element: Element) -> str:
    skipped = element.find("skipped")
    return "" if skipped is None else skipped.get("message", "")[:_REASON_MAX]


def _case_id(element: Element) -> str:
    """The pytest id: file, classes and name; a report without file names gives the dotted one."""
    name, owner, file = (element.get(key, "") for key in ("name", "classname", "file"))
    if not name:
        return NO_TESTS[1]
    if not file:
        return f"{owner}::{name}" if owner else name
    module = file.removesuffix(".py").replace("/", ".")
    if not owner and name == module:
        return file
    classes = owner.removeprefix(module).strip(".")
    return "::".join(part for part in (file, *classes.split("."), name) if part)
