"""Whatever somebody has written, what the terminal gets is text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.rules.blank import is_blank
from agenthub_runtime.plain_text import one_line, plain


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    shown = plain(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert "\n" not in one_line(text)
    shown.encode()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"),
        ("\x9b31mred", "\\x9b31mred"),
        ("safe\roverwritten", "safe\\roverwritten"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("half \ud83d pair", "half \\ud83d pair"),
        ("Grüße, 👩‍💻 שלום", "Grüße, 👩‍💻 שלום"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_it_is_shown_as_what_it_is(written: str, shown: str) -> None:
    assert plain(written) == shown


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\x00\x1b", "\u200b\u2060", "\u3164", "\u115f\u1160", "\uffa0 \u2800", "\u00ad"]
)
def test_what_nobody_could_read_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["x", "\u200bx", "…", "한글", "⠃", "👍", "0"])
def test_anything_else_says_something(text: str) -> None:
    assert not is_blank(text)
