"""Options whose values are checked before anything is sent: ids, counts, money, times, keys."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

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


def whole(_: Any, tokens: Sequence[Any]) -> int:
    """The whole number that was given: half a page is no limit. Raises `ValueError`."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"`{tokens[0].value}` is no whole number") from None


def number(_: Any, tokens: Sequence[Any]) -> float:
    """The number that was given; `none` is none, as no limit can be taken away by it. Raises `ValueError`."""
    try:
        return float(tokens[0].value)
    except ValueError:
        raise ValueError(f"`{tokens[0].value}` is no number") from None


def one_of(kind: Any, tokens: Sequence[Any]) -> str:
    """The choice that was made; `none` is none where it is not among them. Raises `ValueError`."""
    choices = [word for part in (kind, *get_args(kind)) if get_origin(part) is Literal for word in get_args(part)]
    if tokens[0].value not in choices:
        raise ValueError(f"`{tokens[0].value}` is none of {', '.join(choices)}")
    return str(tokens[0].value)


def at_least(least: float) -> Any:
    """A check of a number that is given: it is finite and no smaller."""
    return _fits(lambda value: value >= least, f"from {least:g} up")


def within(least: float, most: float) -> Any:
    """A check of a number that is given: it is between two others, or one of them."""
    return _fits(lambda value: least <= value <= most, f"from {least:g} to {most:g}")


def above(least: float) -> Any:
    """A check of a number that is given: it is finite and larger."""
    return _fits(lambda value: value > least, f"above {least:g}")


def _fits(fits: Callable[[float], bool], words: str) -> Any:
    def check(_: Any, value: Any) -> None:
        if value is not None and not (math.isfinite(value) and fits(value)):
            raise ValueError(f"{value} does not fit: give a number {words}")

    return check


Count: TypeAlias = Annotated[int, Parameter(converter=whole, validator=at_least(1))]
Calls: TypeAlias = Annotated[int, Parameter(converter=whole, validator=at_least(0))]
Dollars: TypeAlias = Annotated[float, Parameter(converter=number, validator=at_least(0))]
NewLimit: TypeAlias = Annotated[float, Parameter(converter=number, validator=above(0))]
Percent: TypeAlias = Annotated[float, Parameter(converter=number, validator=within(0, 100))]
Seconds: TypeAlias = Annotated[float, Parameter(converter=number, validator=at_least(0))]
Position: TypeAlias = Annotated[int, Parameter(converter=whole, validator=at_least(0))]
Id: TypeAlias = Annotated[str, Parameter(validator=is_id)]
