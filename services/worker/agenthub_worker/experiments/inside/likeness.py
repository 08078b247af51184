"""Tries comparisons that the code of a change defines: what is equal to this must not be equal to everything."""

from __future__ import annotations

import builtins
import copy
import dis
import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

_OPPOSITE = {"__lt__": "__ge__", "__ge__": "__lt__", "__gt__": "__le__", "__le__": "__gt__"}
_COMPARING = ("__eq__", "__ne__", "__contains__", *_OPPOSITE)
# What may stand between a comparison and the jump that depends on it.
_BETWEEN = ("CACHE", "STORE", "LOAD", "COPY", "SWAP", "UNARY_NOT", "TO_BOOL", "NOP", "EXTENDED", "DUP")
_PLAIN = frozenset({bool, int, float, str, bytes, list, tuple, dict, set, frozenset})
# What comparisons raise that do not know what they are given.
_REFUSED = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_frame_at = sys._getframe


class _Trying:
    """One trial at a time: what is tried compares, too."""

    now = False
    is_changed: Callable[[str], bool] = staticmethod(lambda filename: False)
    note: Callable[[str, int, str], None] = staticmethod(lambda filename, line, what: None)
    done: ClassVar[set[type]] = set()


class _Stranger:
    """Something that no code knows."""


def begin(is_changed: Callable[[str], bool], note: Callable[[str, int, str], None]) -> None:
    """Try the comparisons of the classes in files for which `is_changed`; `note` is told of file and line."""
    _Trying.is_changed, _Trying.note = staticmethod(is_changed), staticmethod(note)
    real = builtins.__build_class__

    def building(body: Any, name: str, *bases: Any, **named: Any) -> Any:
        made = real(body, name, *bases, **named)
        if isinstance(made, type) and is_changed(body.__code__.co_filename):
            _try_class(made)
        return made

    builtins.__build_class__ = building  # type: ignore[assignment]


def try_known() -> None:
    """Try those of classes that no statement has made."""
    left, seen = [object], set[type]()
    while left:
        for made in type.__subclasses__(left.pop()):
            if made not in seen:
                seen.add(made)
                left.append(made)
                _try_made(made)


def _try_made(made: type) -> None:
    for name in _COMPARING:
        code = getattr(vars(made).get(name), "__code__", None)
        if code is not None and _Trying.is_changed(code.co_filename):
            _try_class(made)


def _try_class(made: type) -> None:
    if made in _Trying.done:
        return
    _Trying.done.add(made)
    for name in _COMPARING:
        found = vars(made).get(name)
        if callable(found):
            setattr(made, name, _tried(made, name, found))


def _tried(made: type, name: str, found: Any) -> Any:
    def compare(self: Any, other: Any) -> Any:
        call = found.__get__(self, type(self)) if hasattr(found, "__get__") else found
        result = call(other)
        if _Trying.now or not _counts(result, _frame_at(1)):
            return result
        _Trying.now = True
        try:
            if not _says_the_same_of_all(name, call, self, other, bool(result)):
                return result
        except _REFUSED:
            return result
        finally:
            _Trying.now = False
        code = getattr(found, "__code__", None)
        file, line = (code.co_filename, code.co_firstlineno) if code else (made.__module__, 0)
        _Trying.note(file, line, f"{made.__qualname__}.{name}")
        return not result

    compare.__name__ = name
    return compare


def _counts(result: Any, frame: Any) -> bool:
    """Whether a result is used as true or false: another object may be an expression that somebody builds."""
    if result is NotImplemented:
        return False
    return type(result) in _PLAIN or _decides(frame)


def _decides(frame: Any) -> bool:
    """Whether the next thing that a frame does with a comparison is to go one way or the other."""
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.offset <= frame.f_lasti or instruction.opname.startswith(_BETWEEN):
            continue
        return instruction.opname.startswith(("POP_JUMP", "JUMP_IF"))
    return False


def _says_the_same_of_all(name: str, call: Any, self: Any, other: Any, result: bool) -> bool:
    if name in _OPPOSITE:
        return result and bool(getattr(self, _OPPOSITE[name])(other))
    if result is (name == "__ne__"):
        return False
    strangers = list(_strangers(self, other))
    return bool(strangers) and all(_agrees(call, stranger, result) for stranger in strangers)


def _agrees(call: Any, stranger: Any, result: bool) -> bool:
    found = call(stranger)
    return found is not NotImplemented and bool(found) is result


def _strangers(self: Any, other: Any) -> Iterator[Any]:
    """Things that are far from `other`, and of its kind."""
    if isinstance(other, bool):
        yield not other
    elif isinstance(other, (int, float)):
        yield from (other + 1, other * 1_000_003 + 12_345, -other - 7)
    elif isinstance(other, (str, bytes)):
        more = "~\u00a4x" if isinstance(other, str) else b"~\xa4x"
        yield from (other + more, more)  # type: ignore[operator]
    elif isinstance(other, (list, tuple)):
        yield from (type(other)([*other, _Stranger()]), type(other)([_Stranger()]))
    elif isinstance(other, (set, frozenset)):
        yield {*other, _Stranger()}
    elif isinstance(other, dict):
        yield from ({**other, _Stranger(): 1}, dict.fromkeys(other, _Stranger()))
    elif type(other) is type(self) and getattr(other, "__dict__", None):
        for name in vars(other):
            changed = copy.copy(other)
            object.__setattr__(changed, name, _Stranger())
            yield changed
    else:
        yield _Stranger()
