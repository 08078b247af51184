"""Which look a terminal can give to words, and how: colours and bold are never the only sign of anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Literal, TypeAlias

Look: TypeAlias = Literal["", "bold", "dim", "red", "green", "yellow", "blue", "magenta"]

_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35}


def moves_cursor(env: Mapping[str, str] = os.environ) -> bool:
    """Whether standard output is a terminal on which lines can be drawn again in place."""
    return sys.stdout is not None and sys.stdout.isatty() and env.get("TERM", "") not in ("", "dumb")


def shows_looks(env: Mapping[str, str] = os.environ) -> bool:
    """Whether words may have a look: on a terminal that knows codes, unless `NO_COLOR` is set."""
    return moves_cursor(env) and not env.get("NO_COLOR")


def looking(text: str, look: Look, *, shown: bool) -> str:
    """`text` with the look, or as it is where none is shown. `text` is plain already."""
    return f"\x1b[{_CODES[look]}m{text}\x1b[0m" if look and shown else text
