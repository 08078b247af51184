"""Options whose values are checked before anything is sent: ids, counts, money, times, keys."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter

# What cannot stand in the path of an address, or would mean another one there.
_NO_ID = re.compile(r"[\s/\\?#%]")
_KEY_MAX = 200


def is_id(_: Any, value: Any) -> None:
    """Whether a text can name one thing of a hub; a list command shows the real ones. Raises `ValueError`."""
    if not isinstance(value, str):
        return
    if not value.strip():
        raise ValueError("an id is needed, and this one is empty")
    if value in (".", "..") or not value.isascii() or not value.isprintable() or _NO_ID.search(value):
        raise ValueError(f"{value!r} is no id")


def is_key(_: Any, value: Any) -> None:
    """Whether a text can be an Idempotency-Key. Raises `ValueError`."""
    if value is None:
        return
    if not (value.isascii() and value.isprintable() and value == value.strip() and 1 <= len(value) <= _KEY_MAX):
        raise ValueError(f"a key has 1 to {_KEY_MAX} printable ASCII characters")


def at_least(least: float) -> Any:
    """A check of a number that is given: it is finite and no smaller."""

    def check(_: Any, value: Any) -> None:
        if value is not None and not (math.isfinite(value) and value >= least):
            raise ValueError(f"{value} does not fit: give a number from {least} up")

    return check


Count: TypeAlias = Annotated[int, Parameter(validator=at_least(1))]
Calls: TypeAlias = Annotated[int, Parameter(validator=at_least(0))]
Dollars: TypeAlias = Annotated[float, Parameter(validator=at_least(0))]
Seconds: TypeAlias = Annotated[float, Parameter(validator=at_least(0))]
Position: TypeAlias = Annotated[int, Parameter(validator=at_least(0))]
Id: TypeAlias = Annotated[str, Parameter(validator=is_id)]
