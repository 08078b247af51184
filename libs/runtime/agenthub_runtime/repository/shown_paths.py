"""Paths as people, models and JSON see them: bytes that are no UTF-8 are written as `\\xff`.

Inside, a path is what Python's file functions take: such bytes are halves of surrogate pairs in it, which no UTF-8
can say.
"""

from __future__ import annotations

import os
import re

_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f])")


def shown_path(path: str) -> str:
    """The form in which a path is shown."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def meant_paths(shown: str) -> tuple[str, ...]:
    """The paths that a shown one can stand for, the likeliest first: itself, and that with the escaped bytes."""
    meant = _ESCAPED.sub(lambda found: os.fsdecode(bytes.fromhex(found[1])), shown)
    return (shown,) if meant == shown else (shown, meant)
