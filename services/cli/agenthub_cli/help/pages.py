"""The help of every command, and which of them a command line asks for.

The file beside this module is written by `make docs`; a test holds it against the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("pages.json")
FLAGS = ("--help", "-h")


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """A command, or an option or value with all its names."""

    names: tuple[str, ...]
    words: str = ""
    required: bool = False


class Panel(msgspec.Struct, frozen=True):
    """Rows below one head."""

    title: str
    rows: tuple[Row, ...]


class HelpPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """The help of one command. `runs`: called by itself it does something else than to show this."""

    usage: str
    about: str = ""
    panels: tuple[Panel, ...] = ()
    runs: bool = True


def read_pages() -> dict[str, HelpPage]:
    """Every page by the words of its command."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, HelpPage])


def asked_for(words: Sequence[str], pages: dict[str, HelpPage]) -> HelpPage | None:
    """The page that a command line asks for; None: it asks for something else, or for no command that there is."""
    options = words[: words.index("--")] if "--" in words else words
    rest = [word for word in options if word not in FLAGS]
    asked = len(rest) < len(options)
    path = ""
    while rest and rest[0] and (below := f"{path} {rest[0]}".lstrip()) in pages:
        path = below
        del rest[0]
    page = pages[path]
    if page.runs:
        return page if asked else None
    return None if rest or "--" in words else page
