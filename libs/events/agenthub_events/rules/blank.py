"""What is blank: words in which nobody could read anything."""

from __future__ import annotations

# Letters that have a width and no ink: fillers of Hangul, and the cell of Braille without a dot.
_INKLESS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def is_blank(text: str) -> bool:
    """Whether there is nothing but spaces, control characters, and characters without a width or ink."""
    return not any(char.isprintable() and not char.isspace() and char not in _INKLESS for char in text)
