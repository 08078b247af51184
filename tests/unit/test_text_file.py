"""What a file tool shows of a text file is what its edits take, and an edit changes nothing else."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agenthub_worker.errors import ToolRefused
from agenthub_worker.tools.text_file import TextFile

MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
}
# Everything at which some tool or other ends a line, beside what really does.
ODD = "\t\v\f\x00\x1b\x1c\x1d\x1e\x7f\x85\u2028\u2029\ufeffé€漢😀 'ab"
BODY = st.text(st.sampled_from(ODD), max_size=8)
LINES = st.lists(st.tuples(BODY, st.sampled_from(["\n", "\r\n"])), max_size=6)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    lines, last = draw(LINES), draw(BODY)
    text = "".join(body + end for body, end in lines) + last
    encoding = draw(st.sampled_from(["", *MARKS]))
    return MARKS[encoding] + text.encode(encoding) if encoding else text.encode()


@given(files())
def test_any_text_is_read_and_written_back_byte_for_byte(data: bytes) -> None:
    try:
        file = TextFile.read(data, "x")
    except ToolRefused:
        assume(False)
    assert file.data() == data


@given(files(), st.data())
def test_a_shown_part_is_found_and_only_its_bytes_change(data: bytes, choose: st.DataObject) -> None:
    file = TextFile.read(data, "x")
    shown = file.shown
    assume(shown)
    start = choose.draw(st.integers(0, len(shown) - 1))
    stop = choose.draw(st.integers(start + 1, len(shown)))
    old = shown[start:stop]
    place = next(found for found in file.find(old) if found.start == start)
    changed = file.replaced(place, "X")
    assert changed.shown == f"{shown[:start]}X{shown[stop:]}"
    # The bytes before and after the part are the very same ones.
    before, after = len(shown[:start].encode(file.encoding)), len(shown[stop:].encode(file.encoding))
    assert changed.data()[: len(file.mark) + before][:before] == data[: len(file.mark) + before][:before]
    assert changed.data().endswith(data[len(data) - after :]) if after else True


@given(files(), st.data())
def test_inserted_lines_leave_the_others_as_they_are(data: bytes, choose: st.DataObject) -> None:
    file = TextFile.read(data, "x")
    line = choose.draw(st.integers(0, len(file.lines)))
    changed = file.inserted(line, "one\ntwo")
    bodies = [known.body for known in file.lines]
    assert [known.body for known in changed.lines] == [*bodies[:line], "one", "two", *bodies[line:]]
    kept = [known.end for known in changed.lines]
    assert [end for end in kept[:line] + kept[line + 2 :]][: len(bodies) - 1] == [
        known.end for known in file.lines
    ][: len(bodies) - 1]


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc\r\n", "a\nb\n", "a\nB\n", b"a\r\nB\r\nc\r\n"),
        (b"a\r\nb\r\nc\r\n", "b\r\nc", "b\r\nx\r\nc", b"a\r\nb\r\nx\r\nc\r\n"),
        (b"a\nb\r\nc\nd\r\n", "b\nc\nd", "b\nC\nd", b"a\nb\r\nC\nd\r\n"),
        (b"a\r\nb\nc\n", "a\nb", "a\nnew\nb", b"a\r\nnew\r\nb\nc\n"),
        (b"old\rmac\rfile\r", "mac\n", "Mac\nOS\n", b"old\rMac\rOS\rfile\r"),
        (b"a\rb\nc\n", "a\rb", "a\rB", b"a\rB\nc\n"),
        (b"a\r\r\nb\n", "a\r\nb", "A\r\nb", b"A\r\r\nb\n"),
        (b"no end", "end", "final newline\n", b"no final newline\n"),
        (b"a\nb", "b", "b\nc", b"a\nb\nc"),
        (b"a\nb\n", "a\nb\n", "", b""),
        (b"a\r\nb\r\n", "\nb", "", b"a\r\n"),
        ("page\x0cone\u2028two\x85three\n".encode(), "two", "2", "page\x0cone\u20282\x85three\n".encode()),
        (b"\x1b[31mred\x1b[0m\x00\n", "\x1b[0m", "", b"\x1b[31mred\x00\n"),
        (codecs.BOM_UTF8 + b"x = 1\r\n", "x = 1\n", "x = 2\n", codecs.BOM_UTF8 + b"x = 2\r\n"),
        (
            codecs.BOM_UTF16_LE + "één\r\n".encode("utf-16-le"),
            "één",
            "twéé",
            codecs.BOM_UTF16_LE + "twéé\r\n".encode("utf-16-le"),
        ),
        ("plain wide\n".encode("utf-16-be"), "wide", "big", "plain big\n".encode("utf-16-be")),
        ("naïve café\n".encode("latin-1"), "café", "thé", "naïve thé\n".encode("latin-1")),
        ("10 € – ok\n".encode("cp1252"), "10 €", "20 €", "20 € – ok\n".encode("cp1252")),
        (
            b"# -*- coding: latin-1 -*-\nname = 'x'\n",
            "'x'",
            "'é'",
            b"# -*- coding: latin-1 -*-\nname = '\xe9'\n",
        ),
        (
            "# coding: shift_jis\ns = '日本'\n".encode("shift_jis"),
            "日本",
            "本日",
            "# coding: shift_jis\ns = '本日'\n".encode("shift_jis"),
        ),
        (b"\ttab\n  spaces\n", "\ttab", "\t\ttab", b"\t\ttab\n  spaces\n"),
    ],
)
def test_an_edit_keeps_ends_marks_and_encoding(before: bytes, old: str, new: str, after: bytes) -> None:
    file = TextFile.read(before, "x")
    [place] = file.find(old)
    assert file.replaced(place, new).data() == after


@pytest.mark.parametrize(
    ("before", "line", "after"),
    [
        (b"", 0, b"new\n"),
        (b"a", 1, b"a\nnew\n"),
        (b"a\r\nb", 2, b"a\r\nb\r\nnew\r\n"),
        (b"a\r\nb\n", 1, b"a\r\nnew\r\nb\n"),
        (b"a\r\nb\n", 0, b"new\r\na\r\nb\n"),
        (b"a\rb\r", 1, b"a\rnew\rb\r"),
        ("a\u2028b\nc\n".encode(), 1, "a\u2028b\nnew\nc\n".encode()),
    ],
)
def test_an_inserted_line_ends_like_the_line_before_it(before: bytes, line: int, after: bytes) -> None:
    assert TextFile.read(before, "x").inserted(line, "new").data() == after


def test_a_text_that_overlaps_itself_is_found_at_each_place() -> None:
    assert len(TextFile.read(b"aaa\n", "x").find("aa")) == 2


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff", bytes(range(256)) * 4, b"\x1f\x8b\x08\x00\xff"]
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(ToolRefused, match="is not text"):
        TextFile.read(data, "x")


def test_a_character_that_the_encoding_lacks_is_refused_with_the_remedy() -> None:
    file = TextFile.read("naïve\n".encode("latin-1"), "x")
    [place] = file.find("naïve")
    with pytest.raises(ToolRefused, match=r"cp1252, which has no '漢'.*convert the file to UTF-8"):
        file.replaced(place, "漢").data()
