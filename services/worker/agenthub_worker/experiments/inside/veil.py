"""Lets the code of a change run as if nobody tested it: only its own lines see a world without tests.

Tests, their runner and libraries see everything as it is. What the code has looked at is written to a file.
"""

from __future__ import annotations

import builtins
import inspect
import os
import sys
import types
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, ClassVar

_TOOLS = frozenset(
    {"pluggy", "iniconfig", "unittest", "coverage", "hypothesis", "xdist", "conftest", "sitecustomize"}
    | {
        "agenthub_veil",
        "agenthub_likeness",
        "agenthub_watching",
        "agenthub_calls",
        "agenthub_shapes",
        "agenthub_recorder",
    }
)
_VARIABLES = frozenset({"PYTHONPATH", "COVERAGE_FILE", "COVERAGE_RCFILE", "COVERAGE_PROCESS_START"})
_MAIN = "/app/main.py"
_STANDARD = os.path.dirname(os.__file__) + os.sep
_SEEN_MAX = 100

_frame_at = sys._getframe
_argv, _orig_argv = sys.argv, getattr(sys, "orig_argv", [])
_given = dict(os.environ)


class _Change:
    """The changed code: by path the lines (none: all of them), those that ask for a test tool, what it saw."""

    lines: ClassVar[dict[str, frozenset[int]]] = {}
    guarded: ClassVar[dict[str, frozenset[int]]] = {}
    seen: ClassVar[set[str]] = set()
    file = -1
    root = ""


def begin(root: str, told: dict[str, Any], seen_at: str) -> None:
    """Start for the files below `root`; `told` are their lines, what is seen goes to the file `seen_at`."""
    _Change.root = root
    _Change.lines = {f"{root}/{path}": frozenset(lines) for path, lines in told["lines"].items()}
    _Change.guarded = {f"{root}/{path}": frozenset(lines) for path, lines in told["guarded"].items()}
    _Change.file = os.open(seen_at, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    os.write(_Change.file, b"began\n")
    sys.__class__ = _Sys
    os.environ.__class__ = _Environ
    sys._getframe = _veiled_frame
    sys.addaudithook(_audit)
    main = sys.modules.get("__main__")
    if main is not None:
        main.__class__ = _Main
    inspect.isframe = lambda thing: isinstance(thing, (types.FrameType, _Frame))  # type: ignore[assignment]
    inspect.iscode = lambda thing: isinstance(thing, (types.CodeType, _Code))  # type: ignore[assignment]
    if _Change.guarded:
        builtins.__import__ = _importing(builtins.__import__)
    if told["doubles"]:
        _veil_doubles()
    if told["logging"]:
        import logging

        logging.Logger.handlers = _veiled("handlers", _without_tools)


def note(frame: Any, what: str, kind: str = "mark") -> None:
    """Write down what a line of the change has looked at."""
    _write(frame.f_code.co_filename, frame.f_lineno, what, kind)


def note_place(filename: str, line: int, what: str) -> None:
    """The same of a comparison that is defined there."""
    _write(filename, line, what, "same")


def _write(filename: str, number: int, what: str, kind: str) -> None:
    line = f"{kind}\t{filename[len(_Change.root) + 1 :]}:{number}\t{what}"
    if line not in _Change.seen and len(_Change.seen) < _SEEN_MAX:
        _Change.seen.add(line)
        os.write(_Change.file, f"{line}\n".encode("utf-8", "replace"))


def is_changed(filename: str, line: int = 0) -> bool:
    """Whether a line, or with 0 any line, of this file is part of the change."""
    lines = _Change.lines.get(filename)
    return lines is not None and (not lines or not line or line in lines)


def _asks(frame: Any) -> bool:
    return frame is not None and is_changed(frame.f_code.co_filename, frame.f_lineno)


def _asker() -> Any:
    """The frame of the change that asks, by itself or through the standard library."""
    frame: Any = _frame_at(2)
    for _ in range(20):
        if frame is None:
            return None
        name = frame.f_code.co_filename
        inside = name == __file__ or name.startswith("<frozen")
        if not inside and not (name.startswith(_STANDARD) and "site-packages" not in name):
            return frame if _asks(frame) else None
        frame = frame.f_back
    return None


def _is_tool(name: str) -> bool:
    top = name.split(".", 1)[0]
    return top in _TOOLS or top.lstrip("_").startswith("pytest")


def _is_of_tests(path: str) -> bool:
    if path.startswith(_STANDARD) and "site-packages" not in path:
        return path.startswith(_STANDARD + "unittest")
    if "site-packages" in path or not path.startswith(_Change.root):
        parts = path.replace("\\", "/").split("/")
        return any(_is_tool(part.removesuffix(".py")) for part in parts[-4:])
    *folders, name = path[len(_Change.root) + 1 :].split("/")
    is_test = name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
    return is_test or bool({"tests", "test"} & set(folders))


class _Modules(MutableMapping[str, Any]):
    """The loaded modules without those of tests; writes go through."""

    def __init__(self, real: dict[str, Any], frame: Any) -> None:
        self._real = real
        self._frame = frame

    def _hidden(self, name: Any) -> bool:
        if not isinstance(name, str) or name not in self._real:
            return False
        file = getattr(self._real[name], "__file__", None)
        return _is_tool(name) or (isinstance(file, str) and file.startswith(_Change.root) and _is_of_tests(file))

    def __getitem__(self, name: str) -> Any:
        if self._hidden(name):
            note(self._frame, f"sys.modules[{name!r}]")
            raise KeyError(name)
        if name == "__main__":
            note(self._frame, "sys.modules['__main__']")
            return types.ModuleType("__main__")
        return self._real[name]

    def __setitem__(self, name: str, module: Any) -> None:
        self._real[name] = module

    def __delitem__(self, name: str) -> None:
        del self._real[name]

    def __iter__(self) -> Iterator[str]:
        note(self._frame, "the names in sys.modules")
        return iter([name for name in list(self._real) if not self._hidden(name)])

    def __len__(self) -> int:
        return len(self._real)

    def copy(self) -> dict[str, Any]:
        """As that of a dictionary."""
        return dict(self)


class _Stream:
    """A stream under the name that it has outside of tests."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


_Stream.__name__ = _Stream.__qualname__ = "TextIOWrapper"
_Stream.__module__ = "_io"


def _without_tools(found: list[Any], frame: Any) -> list[Any]:
    kept = [one for one in found if not _is_tool(type(one).__module__ or "") and not _is_tool(_module_of(one))]
    if len(kept) != len(found):
        note(frame, "the finders of modules, or who listens to its log")
    return kept


def _module_of(thing: Any) -> str:
    return str(getattr(thing, "__module__", "") or "")


def _plain_argv(found: list[str], frame: Any) -> list[str]:
    if (found is not _argv and found is not _orig_argv) or not _tells_of_tests(found):
        return found
    note(frame, "the command line")
    return [_MAIN]


def _tells_of_tests(words: list[str]) -> bool:
    """Whether a command line shows that tests run; that of a program which a test has started does not."""
    names = [part.removesuffix(".py") for word in words for part in word.replace("\\", "/").split("/")]
    return any(_is_tool(name) or name.startswith("test") or name.endswith("_test") for name in names)


def _plain_stream(found: Any, frame: Any) -> Any:
    if not _is_tool(type(found).__module__):
        return found
    note(frame, "the kind of its output")
    return _Stream(found)


def _veiled(name: str, lie: Callable[[Any, Any], Any]) -> Any:
    """An attribute of a module that is another one for the change."""

    def get(module: Any) -> Any:
        try:
            value = module.__dict__[name]
        except KeyError:
            raise AttributeError(name) from None
        frame = _frame_at(1)
        return lie(value, frame) if _asks(frame) else value

    def put(module: Any, value: Any) -> None:
        module.__dict__[name] = value

    def remove(module: Any) -> None:
        del module.__dict__[name]

    return property(get, put, remove)


class _Sys(types.ModuleType):
    modules = _veiled("modules", _Modules)
    argv = _veiled("argv", _plain_argv)
    orig_argv = _veiled("orig_argv", _plain_argv)
    meta_path = _veiled("meta_path", _without_tools)
    path_hooks = _veiled("path_hooks", _without_tools)
    stdout = _veiled("stdout", _plain_stream)
    stderr = _veiled("stderr", _plain_stream)
    stdin = _veiled("stdin", _plain_stream)
    gettrace = _veiled("gettrace", lambda found, frame: _noting(lambda: None, "the tracer", frame))
    getprofile = _veiled("getprofile", lambda found, frame: _noting(lambda: None, "the profiler", frame))


def _noting(answer: Callable[[], Any], what: str, frame: Any) -> Callable[[], Any]:
    note(frame, what)
    return answer


def _main_file(found: Any, frame: Any) -> Any:
    note(frame, "__main__")
    return _MAIN


class _Main(types.ModuleType):
    __file__ = _veiled("__file__", _main_file)
    __spec__ = _veiled("__spec__", lambda found, frame: _noting(lambda: None, "__main__", frame)())


class _Environ(type(os.environ)):  # type: ignore[misc]
    """The variables without those of a test run; who takes all of them, for a child, gets what a child needs."""

    taken: ClassVar[set[tuple[str, int]]] = set()

    def __getitem__(self, name: Any) -> Any:
        value = super().__getitem__(name)
        is_given = name in _VARIABLES and _given.get(name) == value
        if not is_given and not str(name).startswith("PYTEST_"):
            return value
        frame = _asker()
        if frame is None or (is_given and (frame.f_code.co_filename, frame.f_lineno) in self.taken):
            return value
        note(frame, f"the variable {name}")
        raise KeyError(name)

    def __iter__(self) -> Iterator[Any]:
        names = list(super().__iter__())
        frame = _asker()
        if frame is None:
            return iter(names)
        self.taken.add((frame.f_code.co_filename, frame.f_lineno))
        told = [name for name in names if name.startswith("PYTEST_")]
        if told:
            note(frame, "all variables")
        return iter([name for name in names if name not in told])


class _Code:
    """The code of a frame, without its names where these are those of tests."""

    def __init__(self, real: Any, frame: Any) -> None:
        self._real = real
        self._frame = frame

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in ("co_filename", "co_name", "co_qualname"):
            return found
        note(self._frame, "the frames that call it")
        return _MAIN if name == "co_filename" else "main"


class _Frame:
    """A frame as the change sees it; `asker` is the frame that looks."""

    def __init__(self, real: Any, asker: Any) -> None:
        self._real = real
        self._asker = asker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @property
    def f_code(self) -> Any:
        code = self._real.f_code
        return _Code(code, self._asker) if _is_of_tests(code.co_filename) else code

    @property
    def f_back(self) -> Any:
        back = self._real.f_back
        return None if back is None else _Frame(back, self._asker)


def _veiled_frame(depth: int = 0) -> Any:
    frame = _frame_at(depth + 1)
    asker = _asker()
    return frame if asker is None else _Frame(frame, asker)


def _audit(event: str, arguments: Any) -> None:
    if event != "open" or not isinstance(arguments[0], str) or not arguments[0].startswith("/proc/"):
        return
    frame = _asker()
    if frame is not None:
        note(frame, arguments[0])
        raise FileNotFoundError(arguments[0])


def _importing(real: Callable[..., Any]) -> Callable[..., Any]:
    """Imports as they are, but of no test tool where the change asks whether there is one."""

    def importing(name: str, *rest: Any, **named: Any) -> Any:
        if _is_tool(name) and name.split(".", 1)[0] != "unittest":
            frame = _frame_at(1)
            if frame.f_lineno in _Change.guarded.get(frame.f_code.co_filename, ()):
                note(frame, f"whether {name} can be imported")
                raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *rest, **named)

    return importing


def _veil_doubles() -> None:
    """What is equal to anything is a thing of tests: the change finds an object in its place."""
    import unittest.mock

    def other(found: Any, frame: Any) -> Any:
        note(frame, "unittest.mock.ANY", "same")
        return object()

    class Mock(types.ModuleType):
        ANY = _veiled("ANY", other)

    unittest.mock.__class__ = Mock
