"""Lines at the foot of a terminal that are drawn again in place."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

from agenthub_cli.terminal.cells import cut, room
from agenthub_cli.terminal.style import Look, looking, shows_looks
from agenthub_runtime.plain_text import plain

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


class LiveLines:
    """Draws lines where the earlier ones stand; only where a terminal moves its cursor."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._looks = shows_looks()
        self._drawn: list[tuple[str, Look]] = []
        self._hidden = False

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows that lines may take: one less than there are, so that the terminal never wraps."""
        columns, rows = shutil.get_terminal_size((80, 24))
        return max(columns - 1, 20), max(rows - 2, 3)

    def draw(self, lines: Sequence[tuple[str, Look]]) -> None:
        """Put these in the place of what was drawn before."""
        columns, rows = self.size
        shown = [(cut(plain(text), columns), look) for text, look in lines[:rows]]
        self._write(f"{self._back()}{_HIDE}{self._body(shown)}\x1b[J")
        self._drawn, self._hidden = shown, True

    def above(self, text: str) -> None:
        """Say something for good, above what is drawn."""
        self._write(f"{self._back()}\x1b[J{plain(text)}\n{self._body(self._drawn)}")

    def end(self) -> None:
        """Leave what is drawn as it is; the next line comes below it."""
        if self._hidden:
            self._write(_SHOW)
        self._drawn, self._hidden = [], False

    def _body(self, lines: Sequence[tuple[str, Look]]) -> str:
        return "".join(f"{looking(text, look, shown=self._looks)}\x1b[K\n" for text, look in lines)

    def _back(self) -> str:
        """To the first line of what was drawn, which a narrower terminal has broken into more of them."""
        columns = self.size[0] + 1
        rows = sum(max(1, -(-room(text) // columns)) for text, _ in self._drawn)
        return f"\r\x1b[{rows}A" if rows else "\r"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
