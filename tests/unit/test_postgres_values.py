"""Every value of an event has a value that Postgres takes, and the same one each time."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agenthub_runtime.postgres import values

ANY_TEXT = st.text(st.characters(codec=None))
ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
MOMENTS = st.datetimes(timezones=st.one_of(st.none(), ZONES))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
)


@given(ANY_TEXT)
def test_a_text_holds_neither_nul_nor_halves_and_is_else_as_it_was(text: str) -> None:
    clean = values.text(text)
    assert "\0" not in clean
    assert len(clean.encode()) >= len(text)
    assert values.text(clean) == clean
    assert all(new in (old, "\ufffd") for new, old in zip(clean, text, strict=True))


@given(ANY_TEXT, ANY_TEXT)
def test_other_texts_are_other_keys(one: str, two: str) -> None:
    assert (values.key(one) == values.key(two)) == (one == two)
    assert len(values.key(one * 500)) <= values.KEY_MAX
    assert values.key(values.key(one * 500)) == values.key(one * 500)


@given(st.integers(), st.floats())
def test_numbers_fit_their_columns(whole: int, real: float) -> None:
    assert -(2**63) < values.whole_number(whole) < 2**63
    assert values.whole_number(2**64 + abs(whole)) > 0 > values.whole_number(-(2**64) - abs(whole))
    assert math.isfinite(values.real_number(real))
    assert values.real_number(-(10**400)) == -values.real_number(10**400) == -values.REAL_MAX


@given(MOMENTS)
def test_moments_are_those_of_the_calendar_in_utc(moment: datetime) -> None:
    clean = values.moment(moment)
    assert clean.utcoffset() == timedelta(0)
    if moment.tzinfo is not None and 1 < moment.year < 9999:
        assert clean == moment
    assert values.moment(clean) == clean


def test_moments_beyond_the_calendar_are_at_its_ends() -> None:
    west, east = timezone(timedelta(hours=-14)), timezone(timedelta(hours=14))
    assert values.moment(datetime.max.replace(tzinfo=west)) == datetime.max.replace(tzinfo=UTC)
    assert values.moment(datetime.min.replace(tzinfo=east)) == datetime.min.replace(tzinfo=UTC)


@given(JSON)
def test_a_document_is_json_that_postgres_takes(value: Any) -> None:
    written = json.dumps(values.document(value), allow_nan=False, ensure_ascii=False)
    assert "\0" not in written
    assert "\\u0000" not in written.replace("\\\\", "")
    written.encode()


def test_a_document_is_not_nested_deeper_than_postgres_reads() -> None:
    value: Any = "leaf"
    for _ in range(200):
        value = [value]
    assert values.TOO_DEEP in json.dumps(values.document(value))
