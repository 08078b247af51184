"""Plain data as a text, the same for equal data; what is no plain data has none."""

from __future__ import annotations

from typing import Any

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_NAMED = frozenset(
    {"Decimal", "Fraction", "datetime", "date", "time", "timedelta", "UUID", "PosixPath", "PurePosixPath", "range"}
)
_DEPTH, _ITEMS = 6, 2_000


def shape(value: Any, depth: int = 0) -> str | None:
    """The text of a value; None where two equal ones could have different texts."""
    kind = type(value)
    if kind in _PLAIN or (kind.__name__ in _NAMED and kind.__module__.split(".")[0] not in ("__main__",)):
        return f"{kind.__name__} {value!r}"
    if depth >= _DEPTH:
        return None
    if kind in (list, tuple):
        return _all(kind.__name__, list(value), depth)
    if kind in (set, frozenset):
        return _all(kind.__name__, list(value), depth, in_order=False)
    if kind is dict:
        return _all("dict", [list(pair) for pair in value.items()], depth, in_order=False)
    if hasattr(kind, "__members__"):
        return f"{kind.__qualname__} {getattr(value, 'name', value)!r}"
    held = getattr(value, "__dict__", None)
    if slots := _slots(kind):
        held = {**(held or {}), **{name: getattr(value, name) for name in slots if hasattr(value, name)}}
    if isinstance(held, dict) and not isinstance(value, (type, BaseException)) and not callable(value):
        inner = shape(dict(held), depth + 1)
        of = repr(value) if isinstance(value, _PLAIN[:-1]) and kind.__repr__ in _REPRS else ""
        return None if inner is None else f"{kind.__qualname__} {of}{inner}"
    return None


_REPRS = frozenset(plain.__repr__ for plain in _PLAIN)


def _slots(kind: type) -> list[str]:
    """The names of what a class of the project's own keeps without a dictionary."""
    found = [vars(one).get("__slots__", ()) for one in kind.__mro__ if one.__module__ not in ("builtins", "abc")]
    names = [name for some in found for name in ((some,) if isinstance(some, str) else tuple(some))]
    return [name for name in names if not name.startswith("__")]


def _all(name: str, items: list[Any], depth: int, *, in_order: bool = True) -> str | None:
    if len(items) > _ITEMS:
        return None
    found = [shape(item, depth + 1) for item in items]
    if any(one is None for one in found):
        return None
    texts = [str(one) for one in found]
    return f"{name} [{', '.join(texts if in_order else sorted(texts))}]"
