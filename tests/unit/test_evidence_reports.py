"""Reports are read with suspicion."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from agenthub_events.catalogue.values import TestCounts
from agenthub_worker.evidence.covered import read_coverage
from agenthub_worker.evidence.reports import (
    Case,
    ReportRefused,
    node_counts,
    parse_junit,
    read_report,
    report_in,
    uvu_counts,
)

JUNIT = b"""<?xml version="1.0"?><testsuites><testsuite name="pytest">
<testcase classname="tests.test_a" name="test_ok" file="tests/test_a.py" line="1"/>
<testcase classname="tests.test_a.TestX" name="test_bad[1]" file="tests/test_a.py"><failure/></testcase>
<testcase classname="tests.test_a" name="test_torn" file="tests/test_a.py"/>
<testcase classname="tests.test_a" name="test_torn" file="tests/test_a.py"><error message="x"/></testcase>
<testcase classname="tests.test_a" name="test_skip" file="tests/test_a.py"><skipped message="later"/></testcase>
<testcase classname="" name="tests.test_broken" file="tests/test_broken.py"><error/></testcase>
<testcase time="0.1"/>
</testsuite></testsuites>"""


def test_cases_get_their_pytest_ids_and_count_once() -> None:
    assert parse_junit(JUNIT) == (
        Case("tests/test_a.py::test_ok", "passed"),
        Case("tests/test_a.py::TestX::test_bad[1]", "failed"),
        Case("tests/test_a.py::test_torn", "error"),
        Case("tests/test_a.py::test_skip", "skipped", "later"),
        Case("tests/test_broken.py", "error"),
        Case("(a test that never ended)", "error"),
    )


def test_a_report_of_another_tool_keeps_its_names() -> None:
    data = b'<testsuite><testcase classname="Sum" name="adds"/><testcase name="alone"/></testsuite>'
    assert parse_junit(data) == (Case("Sum::adds", "passed"), Case("alone", "passed"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<html/>",
        b"\xff\xfe\x00",
        b"<testsuite><testcase name='a'/>",
    ],
)
def test_what_is_no_report_is_none(data: bytes) -> None:
    assert parse_junit(data) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><testsuite>&c;</testsuite>', "declares entities"),
        (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite>&a;</testsuite>', "declares entities"),
        (b"<testsuite>" * 100_000, "nested more than 50 deep"),
        (b"<testsuite>" + b"<a>" * 60 + b"</a>" * 60 + b"</testsuite>", "nested more than 50 deep"),
        (b"<testsuite>" + b"<testcase/>" * 210_000 + b"</testsuite>", "more than 200000 elements"),
        (b"<testsuite><testcase>" + b"<x/>" * 210_000 + b"</testcase></testsuite>", "more than 200000 elements"),
    ],
    ids=["entities", "file", "unclosed", "deep", "many", "many in one"],
)
def test_a_report_that_would_exhaust_its_reader_is_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(ReportRefused, match=words):
        parse_junit(data)


def test_reading_a_large_report_takes_no_more_memory_than_its_tests() -> None:
    noise = b"<properties>" + b"<property name='a' value='b'/>" * 20 + b"</properties>"
    data = b"<testsuite>" + (noise + b"<testcase name='a'><failure/></testcase>") * 5_000 + b"</testsuite>"
    tracemalloc.start()
    assert parse_junit(data) == (Case("a", "failed"),)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(data) + (8 << 20)


@pytest.mark.parametrize("data", [b"[" * 1_000_000, b'{"files": ' + b'{"a": ' * 500_000], ids=["lists", "objects"])
def test_a_coverage_report_nested_without_end_is_none(data: bytes) -> None:
    assert read_coverage(data, {}) is None


def test_only_plain_files_of_bounded_size_are_read(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"data")
    assert read_report(plain) == b"data"
    with plain.with_name("huge").open("wb") as huge:
        huge.truncate(100 << 20)
    with pytest.raises(ReportRefused, match="it has 100 MiB, more than the 32 that are read"):
        report_in(plain.with_name("huge"))
    with pytest.raises(ReportRefused, match="no plain file"):
        report_in(tmp_path)
    assert report_in(tmp_path / "missing") is None
    (tmp_path / "link").symlink_to(plain)
    os.mkfifo(tmp_path / "pipe")
    assert read_report(tmp_path / "link") is None
    assert read_report(tmp_path / "pipe") is None
    assert read_report(tmp_path) is None
    assert read_report(tmp_path / "missing") is None
    assert read_report(plain, limit=4) == b"data"
    assert read_report(plain, limit=3) is None


def test_what_node_says_at_its_end_is_counted_unless_it_is_said_twice() -> None:
    told = b"ok 1 - a\n# tests 5\n# pass 1\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 1\n# duration_ms 9\n"
    counts = TestCounts(passed=1, failed=2, skipped=2)
    assert node_counts(told) == counts
    assert node_counts(told.replace(b"# ", "\N{INFORMATION SOURCE} ".encode())) == counts
    assert node_counts(told + b"# pass 7\n") is None
    assert node_counts(told.replace(b"# fail 1\n", b"")) is None
    assert node_counts(b"") is None


UVU = b"a.js\n\xe2\x80\xa2   (3 / 4)\n\n  Total:     4\n  Passed:    3\n  Skipped:   2\n  Duration:  1.25ms\n\n"


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (UVU, TestCounts(passed=3, failed=1, errors=0, skipped=2)),
        (
            UVU.replace(b"4\n", b"4\x1b[31m\n").replace(b"2\n", b"\x1b[33m2\x1b[39m\n"),
            TestCounts(passed=3, failed=1, skipped=2),
        ),
        (UVU.replace(b" 4", b" 0").replace(b" 3", b" 0"), TestCounts(skipped=2)),
        (UVU + UVU, None),
        (UVU.replace(b"  Passed:    3\n", b""), None),
        (UVU.replace(b"  Total", b"> Total"), None),
        (b"", None),
    ],
)
def test_the_closing_lines_of_uvu_are_counted_when_they_stand_there_once(
    told: bytes, counts: TestCounts | None
) -> None:
    assert uvu_counts(told) == counts
