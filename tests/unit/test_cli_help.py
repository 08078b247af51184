"""What `--help` shows: which page, and how it fits into a terminal."""

from __future__ import annotations

import pytest

from agenthub_cli.help.drawing import Box, page_lines
from agenthub_cli.help.pages import HelpPage, Panel, Row, asked_for, read_pages
from agenthub_cli.terminal.cells import room

PAGES = read_pages()
LINES = Box.for_encoding("utf-8")


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("--help", ""),
        ("", ""),
        ("goal", "goal"),
        ("goal -h", "goal"),
        ("goal list --help", "goal list"),
        ("goal list --limit 3 --help", "goal list"),
        ("--help goal list", "goal list"),
        ("goal submit Words --help", "goal submit"),
        ("queues --help", "queues"),
        ("queues pause --help", "queues pause"),
    ],
)
def test_a_page_is_found_by_the_words_before_the_flag(words: str, page: str) -> None:
    assert asked_for(words.split(), PAGES) is PAGES[page]


@pytest.mark.parametrize(
    "words", ["queues", "goal list", "goal submit -- --help", "nonsense --help", "goal nonsense"]
)
def test_what_is_a_command_or_a_mistake_is_none(words: str) -> None:
    assert asked_for(words.split(), PAGES) is None


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for page in PAGES.values():
        assert [line for line in page_lines(page, width, LINES) if room(line) > width] == []


def test_names_that_take_too_much_room_stand_below_each_other() -> None:
    row = Row(("--security-audit", "--no-security-audit"), "Whether to audit", required=True)
    lines = list(page_lines(HelpPage("agenthub x", panels=(Panel("Parameters", (row,)),)), 60, LINES))
    assert lines[2:] == [
        "╭─ Parameters ─────────────────────────────────────────────╮",
        "│ *  --security-audit       Whether to audit               │",
        "│      --no-security-audit                                 │",
        "╰──────────────────────────────────────────────────────────╯",
    ]


def test_an_encoding_without_lines_gets_plain_characters() -> None:
    lines = list(page_lines(PAGES["mcp"], 80, Box.for_encoding("ascii")))
    assert "".join(lines).isascii()
