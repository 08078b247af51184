"""An export comes from elsewhere: it is read, or refused with the reason, and never exhausts who opens it."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_replay.errors import ExportUnreadable
from agenthub_replay.exported import Opened, open_export
from tests.replay.goals import FOLDER
from tests.support.properties import untimed

PACKED = (FOLDER / "0.1.0-price-vat.agenthub.gz").read_bytes()
HEAD, *LINES = gzip.decompress(PACKED).split(b"\n")
PIECES = st.sampled_from(
    (
        *(
            b'{"line":"head"',
            b'{"line":"end","sha256":""}',
            b'{"line":"object","sha256":"","encoded":"%%"}',
            b"\n",
        ),
        *(
            b'{"line":"message","stream":"events","seq":-1,"subject":"","sha256":""}',
            b"null",
            b"[[[[",
            b"\xff",
            b"",
        ),
        *(HEAD, LINES[0], LINES[1], LINES[-2], LINES[0][:40]),
    )
)


def opened_or_refused(data: bytes) -> Opened | str:
    try:
        return open_export(data)
    except ExportUnreadable as refused:
        return str(refused)


@untimed
@given(st.lists(PIECES | st.binary(max_size=10), max_size=6).map(b"\n".join) | st.binary(max_size=60))
def test_any_lines_are_an_export_with_flaws_or_none(data: bytes) -> None:
    for file in (data, gzip.compress(data), b"\x1f\x8b" + data):
        told = opened_or_refused(file)
        assert told.flaws if isinstance(told, Opened) else told


@untimed
@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_a_packing_that_was_damaged_anywhere_is_named(place: int, other: int) -> None:
    damaged = bytearray(PACKED)
    damaged[place] ^= other
    told = opened_or_refused(bytes(damaged))
    assert isinstance(told, str) or told.flaws or told == open_export(PACKED), "what says nothing may differ"


@pytest.mark.parametrize("deep", [b"[" * 200_000, b'{"a":' * 200_000, HEAD[:-1] + b',"x":' + b"[" * 200_000])
def test_lines_that_are_nested_without_end_are_unreadable(deep: bytes) -> None:
    assert "no export of a goal" in str(opened_or_refused(gzip.compress(deep)))
    opened = opened_or_refused(b"\n".join([HEAD, deep, *LINES]))
    assert isinstance(opened, Opened)
    assert "line 2 cannot be read" in opened.flaws[0]


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(HEAD + b"\n" + b"\0" * (64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ExportUnreadable, match="unpack to more than"):
            open_export(bomb, unpacked_max=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20
    assert open_export(PACKED, unpacked_max=1).flaws == (), "a real one packs less well"
