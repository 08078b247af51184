"""JSON of strangers as values that can be stored: no half characters, no number too large, no bottomless nest."""

from __future__ import annotations

import json
from typing import Any

_DEEPEST = 100
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


def loads(text: str) -> Any:
    """Read JSON. Raises `ValueError`, also for `NaN` and `Infinity`, which are none, and for a bottomless nest."""
    try:
        return json.loads(text, parse_constant=_refused)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def cleaned(value: Any, depth: int = 0) -> Any:
    """`value` with halves of characters joined, or replaced where the other half is missing.

    Raises `ValueError` for what no event can hold.
    """
    if depth > _DEEPEST:
        raise ValueError("values that are nested too deeply")
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {clean_text(str(name)): cleaned(item, depth + 1) for name, item in value.items()}
        case list():
            return [cleaned(item, depth + 1) for item in value]
        case bool():
            return value
        case int() if not _INT_MIN <= value <= _INT_MAX:
            raise ValueError("a number that is too large")
        case float() if value in (float("inf"), float("-inf")):
            raise ValueError("a number that is too large")
        case _:
            return value


def clean_text(text: str) -> str:
    """`text` with the halves of a character that came in two pieces joined; a lonely half becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def one_line(text: str) -> str:
    """A stranger's words for a message to people: one line, nothing that a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in clean_text(text)).strip()
