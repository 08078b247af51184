"""Reports are read with suspicion."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agenthub_worker.evidence.reports import Case, parse_junit, read_report

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
        b'<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><testsuite>&c;</testsuite>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite>&a;</testsuite>',
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_report_or_an_attack_is_none(data: bytes) -> None:
    assert parse_junit(data) is None


def test_only_plain_files_of_bounded_size_are_read(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"data")
    assert read_report(plain) == b"data"
    (tmp_path / "link").symlink_to(plain)
    os.mkfifo(tmp_path / "pipe")
    assert read_report(tmp_path / "link") is None
    assert read_report(tmp_path / "pipe") is None
    assert read_report(tmp_path) is None
    assert read_report(tmp_path / "missing") is None
    assert read_report(plain, limit=4) == b"data"
    assert read_report(plain, limit=3) is None
