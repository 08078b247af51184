"""Writes down how the tests call the code of a change: with which arguments, and what comes back."""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
import threading
from collections.abc import Callable
from typing import Any, ClassVar

_EACH, _TOGETHER, _AT_MOST, _BYTES = 5, 120, 600, 20_000
_NO_CALL = 0x20 | 0x80 | 0x100 | 0x200
_OF_A_RUN = ("PYTEST_", "COV_", "COVERAGE_", "PYTHON")


class _Calls:
    """The changed lines by file, and what was written of them."""

    lines: ClassVar[dict[str, frozenset[int]]] = {}
    open: ClassVar[dict[int, tuple[Any, str, str]]] = {}
    counted: ClassVar[dict[Any, int]] = {}
    written: ClassVar[set[str]] = set()
    lost: ClassVar[dict[Any, str]] = {}
    shape: Callable[[Any], str | None] = staticmethod(lambda value: None)
    given: ClassVar[dict[str, str]] = {}
    root = ""
    file = -1


def begin(root: str, told: dict[str, Any], seen_at: str, shape: Callable[[Any], str | None]) -> None:
    """Watch the files below `root` that `told` names; the calls go to the file `seen_at`, a line each.

    `shape` makes a text of what comes back.
    """
    _Calls.shape = staticmethod(shape)
    _Calls.root = root
    # What tests set, and their settings, is theirs.
    _Calls.given = dict(os.environ)
    _Calls.lines = {f"{root}/{path}": frozenset(lines) for path, lines in told["lines"].items()}
    _Calls.file = os.open(seen_at, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    threading.setprofile(_profile)
    sys.setprofile(_profile)


def _profile(frame: Any, event: str, result: Any) -> None:
    if event == "call":
        if frame.f_code.co_filename in _Calls.lines:
            _called(frame)
    elif event == "return" and _Calls.open:
        opened = _Calls.open.pop(id(frame), None)
        if opened is not None and opened[0] is frame:
            _returned(frame, opened[1], opened[2], result)


def _called(frame: Any) -> None:
    code = frame.f_code
    if code.co_name == "<module>" or not _is_changed(code):
        return
    # What a generator or a coroutine gives comes later, and not in one piece.
    if code.co_flags & _NO_CALL:
        if code not in _Calls.lost and (name := _name_of(frame)):
            _lose(frame, name)
        return
    # However many calls there are, one of each function is kept.
    enough = _EACH if len(_Calls.written) < _TOGETHER else 1 if len(_Calls.written) < _AT_MOST else 0
    if _Calls.counted.get(code, 0) >= enough:
        return
    name = _name_of(frame)
    if name:
        given = _given(frame)
        if given:
            _Calls.open[id(frame)] = (frame, name, given)
        else:
            _lose(frame, name)


def _lose(frame: Any, name: str) -> None:
    """Note a function of which a call cannot be kept."""
    code = frame.f_code
    if code not in _Calls.lost and not name.rpartition(".")[2].startswith("__"):
        _Calls.lost[code] = name
        place = f"{code.co_filename[len(_Calls.root) + 1 :]}:{code.co_firstlineno}"
        os.write(_Calls.file, f"lost\t{place}\t{name}\n".encode("utf-8", "replace"))


def _is_changed(code: Any) -> bool:
    lines = _Calls.lines[code.co_filename]
    if not lines or not hasattr(code, "co_lines"):
        return True
    last = max([line for _, _, line in code.co_lines() if line], default=code.co_firstlineno)
    return any(code.co_firstlineno <= line <= last for line in lines)


def _name_of(frame: Any) -> str:
    """Under which name of its module, or of a class there, the function is found; empty: under none."""
    code, names = frame.f_code, frame.f_globals
    if names.get("__name__") in (None, "__main__"):
        return ""
    for name, value in [(code.co_name, names.get(code.co_name)), *names.items()]:
        if _has(value, code):
            return str(name)
        if isinstance(value, type) and value.__module__ == names["__name__"]:
            for inner, member in list(vars(value).items()):
                if _has(getattr(member, "__func__", getattr(member, "fget", member)), code):
                    return f"{name}.{inner}"
    return ""


def _has(function: Any, code: Any) -> bool:
    return getattr(function, "__code__", None) is code


def _given(frame: Any) -> str:
    """The arguments as a text; empty where they cannot be kept."""
    code, found = frame.f_code, frame.f_locals
    count = code.co_argcount
    named = code.co_varnames[count : count + code.co_kwonlyargcount]
    after = count + code.co_kwonlyargcount
    try:
        places = [found[name] for name in code.co_varnames[:count]]
        words = {name: found[name] for name in named}
        if code.co_flags & 0x04:
            places += found[code.co_varnames[after]]
            after += 1
        if code.co_flags & 0x08:
            words.update(found[code.co_varnames[after]])
        kept = pickle.dumps((places, words), protocol=4)
    except Exception:
        return ""
    return base64.b64encode(kept).decode() if len(kept) <= _BYTES else ""


def _returned(frame: Any, name: str, given: str, result: Any) -> None:
    came = _Calls.shape(result)
    if came is None or len(came) > _BYTES:
        _lose(frame, name)
        return
    code = frame.f_code
    key = f"{code.co_filename} {name} {given}"
    if key in _Calls.written:
        return
    _Calls.written.add(key)
    _Calls.counted[code] = _Calls.counted.get(code, 0) + 1
    call = {
        "place": f"{code.co_filename[len(_Calls.root) + 1 :]}:{code.co_firstlineno}",
        "module": frame.f_globals["__name__"],
        "name": name,
        "given": given,
        "came": came,
        "path": [one for one in sys.path if one.startswith(_Calls.root)],
        "folder": os.getcwd(),
        # What argparse calls the program.
        "program": sys.argv[0],
        # Once is enough: most of them are the same for all calls.
        "variables": {} if len(_Calls.written) > 1 else _variables(),
    }
    os.write(_Calls.file, f"call\t{json.dumps(call)}\n".encode("utf-8", "replace"))


def _variables() -> dict[str, str]:
    return {name: value for name, value in _Calls.given.items() if not name.startswith(_OF_A_RUN)}
