"""Reports are written by the code that is judged: what stands in one is read or is no report."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_worker.evidence.covered import read_coverage
from agenthub_worker.evidence.reports import ReportRefused, parse_junit, unittest_counts
from agenthub_worker.suites.python.recording import read_unittest
from tests.support.properties import untimed

WORDS = st.sampled_from(
    (
        *("<testsuite>", "</testsuite>", '<testcase name="a"/>', "<testcase>", "</testcase>", "<failure/>"),
        *("<skipped/>", "<!DOCTYPE x>", "<![CDATA[", "]]>", "&amp;", "&#0;", "<?xml version='1.0'?>", "\x00", "é"),
    )
)
JUNIT = st.lists(WORDS | st.text(max_size=5), max_size=20).map("".join).map(str.encode) | st.binary(max_size=60)
NUMBERS = st.integers() | st.floats() | st.none() | st.text(max_size=4)
FILES = st.dictionaries(
    st.sampled_from(["a.py", "tests/a.py", "../a.py", "", "é.py"]),
    st.fixed_dictionaries({}, optional={"executed_lines": st.lists(NUMBERS), "missing_lines": st.lists(NUMBERS)}),
)


@untimed
@given(JUNIT)
def test_any_bytes_are_a_junit_report_or_none(data: bytes) -> None:
    try:
        cases = parse_junit(data)
    except ReportRefused:
        return
    for case in cases or ():
        assert case.id
        assert case.outcome in ("passed", "failed", "error", "skipped")


@pytest.mark.parametrize(
    "encoding", ["foo", "base64", "rot13", "hex", "zip", "utf-16", "idna", "undefined", "mbcs", "x" * 5_000]
)
def test_a_report_in_an_encoding_that_is_none_is_no_report(encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    assert parse_junit(f'{head}<testsuite><testcase name="a"/></testsuite>'.encode()) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        b'<testsuite><testcase name="\xed\xa0\x80"/></testsuite>',
        b'<testsuite a="1" a="2"/>',
        b"<testsuites>" * 3,
    ],
)
def test_what_is_no_xml_is_no_report(data: bytes) -> None:
    assert parse_junit(data) is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "b">]><testsuite>&a;</testsuite>', "declares entities"),
        (b"<testsuite>" + b"<a>" * 100_000, "nested more than"),
        (
            b"<testsuite>" + b"<a>" * 50_000 + b'<testcase name="t"/>' + b"</a>" * 50_000 + b"</testsuite>",
            "nested",
        ),
    ],
    ids=["entities", "never closed", "deep"],
)
def test_a_report_that_is_made_to_exhaust_its_reader_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ReportRefused, match=why):
        parse_junit(data)


@untimed
@given(FILES.map(lambda files: {"files": files}) | st.recursive(NUMBERS, st.lists, max_leaves=5))
def test_any_json_is_a_coverage_report_or_none(value: object) -> None:
    covered = read_coverage(json.dumps(value).encode(), {"a.py": "def f(): return 1\n", "tests/a.py": ""})
    assert covered is None or covered.percent is None or 0 <= covered.percent <= 100


@untimed
@given(st.binary(max_size=80))
def test_any_bytes_are_a_coverage_report_or_none(data: bytes) -> None:
    for report in (
        data,
        b'{"files": {"' + data + b'": {}}}',
        b'{"files": {"a": {"executed_lines": [' + data + b"]}}}",
    ):
        covered = read_coverage(report, {})
        assert covered is None or covered.percent is None


@untimed
@given(st.binary(max_size=60), st.integers(min_value=0, max_value=10**30))
def test_any_output_of_unittest_is_counted_or_not(noise: bytes, ran: int) -> None:
    told = unittest_counts(noise + b"\n" + b"-" * 70 + b"\nRan %d tests in 0.1s\n\nOK\n" % ran + noise)
    assert told is None or told.passed >= 0


LINES = st.lists(
    st.one_of(
        st.binary(max_size=20).filter(lambda data: b"\n" not in data),
        st.sampled_from(
            [b'{"what": "begin"}', b'{"what": "end"}', b'{"what": 5}', b'{"what": "x", "test": "a"}', b"[" * 2_000]
            + [f'{{"what": "{what}", "test": "a.py::T::t"}}'.encode() for what in ("started", "passed", "failed")]
        ),
    )
)


@untimed
@given(
    LINES, st.sampled_from([b"", b"Ran 1 test in 0.1s\n\nOK\n", b"Ran 1 test in 0.1s\n\nFAILED (failures=1)\n"])
)
def test_any_lines_of_a_run_of_unittest_are_read_or_refused(lines: list[bytes], output: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "unittest-1.jsonl").write_bytes(b"\n".join(lines))
        try:
            cases = read_unittest(Path(folder), output)
        except ReportRefused:
            return
        begun = any(line == b'{"what": "started", "test": "a.py::T::t"}' for line in lines)
        assert cases is None or not begun or "a.py::T::t" in {case.id for case in cases}
