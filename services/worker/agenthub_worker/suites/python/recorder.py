"""Writes down how each test of unittest's ends, in the process that runs them, by listening to its result.

It runs in the Python of the project. Runs inside of a test, and those of processes that tests start, are theirs.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import sys
from collections.abc import Callable
from typing import Any, ClassVar

_HEARD = (
    ("startTest", "started"),
    ("addSuccess", "passed"),
    ("addFailure", "failed"),
    ("addError", "error"),
    ("addSkip", "skipped"),
    ("addExpectedFailure", "expected"),
    ("addUnexpectedSuccess", "unexpected"),
    ("addSubTest", ""),
)
# What stands in the place of a class or module whose fixtures have failed, or that was skipped with them.
_AROUND = re.compile(r"\w+ \((?P<place>[^()]+)\)$")
_REASON_MAX = 200


class _Run:
    """The run that is listened to: its result while it lasts, the project's folder, the writing of a line."""

    result: ClassVar[Any] = None
    root: ClassVar[str] = ""
    prefix: ClassVar[str] = ""
    put: ClassVar[Callable[..., None] | None] = None
    files: ClassVar[dict[str, str]] = {}


def begin(root: str, prefix: str) -> None:
    """Listen as soon as unittest is loaded; `prefix` begins the path of a report, as the process ends it."""
    _Run.root, _Run.prefix = root, prefix
    if "unittest" in sys.modules:
        _listen(sys.modules["unittest"])
    else:
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Waits until unittest is loaded; before that it may be looked for more than once."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """As a finder of modules does it."""
        if name != "unittest":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        sys.meta_path.insert(0, self)
        loader: Any = getattr(spec, "loader", None)
        real = getattr(loader, "exec_module", None)
        if real is None:
            return spec

        def exec_module(module: Any) -> None:
            sys.meta_path.remove(self)
            del loader.exec_module
            real(module)
            _listen(module)

        loader.exec_module = exec_module
        return spec


def _listen(module: Any) -> None:
    # A module of the project may have the same name.
    case, suite = getattr(module, "case", None), getattr(module, "suite", None)
    if not hasattr(case, "TestCase") or not hasattr(suite, "TestSuite") or not hasattr(module, "TestResult"):
        return
    for owner, name in ((case.TestCase, "run"), (suite.TestSuite, "run"), (suite.BaseTestSuite, "__call__")):  # type: ignore[union-attr]
        setattr(owner, name, _outermost(getattr(owner, name), module.TestResult))


def _outermost(real: Callable[..., Any], kind: type) -> Callable[..., Any]:
    """Listens to the result with which a run begins; what runs in it with another one is no part of it."""

    @functools.wraps(real)
    def run(self: Any, *given: Any, **named: Any) -> Any:
        result = given[0] if given else named.get("result")
        if _Run.result is not None or not isinstance(result, kind) or not _is_ours():
            return real(self, *given, **named)
        _Run.result = result
        names = _listened(result)
        try:
            _put("begin")
            found = real(self, *given, **named)
            _put("end")
            return found
        finally:
            _Run.result = None
            for name in names:
                result.__dict__.pop(name, None)

    return run


def _is_ours() -> bool:
    """Whether this process runs the tests, and is none that one of them has started."""
    if _Run.put is not None:
        return True
    above = os.getppid()
    for _ in range(100):
        if above <= 1:
            break
        if os.path.exists(f"{_Run.prefix}{above}.jsonl"):
            return False
        above = _parent_of(above)
    _Run.put = staticmethod(_writer(f"{_Run.prefix}{os.getpid()}.jsonl"))
    return True


def _parent_of(process: int) -> int:
    try:
        with open(f"/proc/{process}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _writer(path: str) -> Callable[..., None]:
    """Writes a line to the file. It keeps nothing open, and what it calls no test can put something else for."""
    opened, write, close, process = os.open, os.write, os.close, os.getpid
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
    encode, own = json.JSONEncoder().encode, os.getpid()

    def put(**told: str) -> None:
        if process() != own:
            return
        line = encode({key: text.encode("utf-8", "replace").decode() for key, text in told.items()})
        try:
            file = opened(path, flags, 0o644)
        except OSError:
            return
        try:
            write(file, line.encode() + b"\n")
        except OSError:
            return
        finally:
            close(file)

    return put


def _put(what: str, test: str = "", why: str = "") -> None:
    if _Run.put is not None:
        _Run.put(what=what, test=test, why=why)


def _listened(result: Any) -> list[str]:
    """Listen to this result alone, whatever its class makes of what it is told; the names of what is replaced."""
    names = []
    held = getattr(result, "__dict__", None)
    for name, what in _HEARD:
        real = getattr(result, name, None)
        if real is not None and isinstance(held, dict):
            held[name] = _heard(real, what)
            names.append(name)
    return names


def _heard(real: Callable[..., Any], what: str) -> Callable[..., Any]:
    @functools.wraps(real)
    def hear(*given: Any, **named: Any) -> Any:
        told = [*given, *named.values()]
        if told:
            _note(what, told)
        return real(*given, **named)

    return hear


def _note(what: str, told: list[Any]) -> None:
    test = told[0]
    if what:
        _put(what, _id_of(test), str(told[1])[:_REASON_MAX] if what == "skipped" and len(told) > 1 else "")
        return
    error = told[2] if len(told) > 2 else None
    if error is None:
        _put("part passed", _id_of(test))
    else:
        expected = getattr(test, "failureException", AssertionError)
        is_failed = isinstance(error[0], type) and issubclass(error[0], expected)
        _put("failed" if is_failed else "error", _id_of(test))


def _id_of(test: Any) -> str:
    """File, class and name of a test; of a part of one, those of the whole."""
    test = getattr(test, "test_case", test)
    kind, method = type(test), getattr(test, "_testMethodName", "")
    if hasattr(test, "_dt_test"):
        found = test._dt_test
        return _joined(_relative(found.filename or "") or found.name, found.name)
    if kind.__module__ == "unittest.loader":
        return _file_named(method)
    if hasattr(test, "_testFunc"):
        function = test._testFunc
        return _joined(_file_of(getattr(function, "__module__", "")), getattr(function, "__qualname__", "test"))
    if method:
        return _joined(_file_of(kind.__module__), *_names(kind.__qualname__), method)
    around = _AROUND.match(str(getattr(test, "description", "")))
    return _place(around.group("place")) if around else str(test)


def _joined(*parts: str) -> str:
    # A bracket would make of the rest of a name the parameters of a test.
    return "::".join(parts).replace("[", "(").replace("]", ")")


def _names(qualified: str) -> list[str]:
    return [qualified] if "<" in qualified else qualified.split(".")


def _place(dotted: str) -> str:
    """A module, or a class of one, by its full name."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        module = ".".join(parts[:count])
        if module in sys.modules:
            return _joined(_file_of(module), *parts[count:])
    return dotted


def _file_of(module: str) -> str:
    """The path of a module in the project; its name where it is none of the project's."""
    if module not in _Run.files:
        file = getattr(sys.modules.get(module), "__file__", None)
        _Run.files[module] = (_relative(file) if isinstance(file, str) else "") or module
    return _Run.files[module]


def _file_named(module: str) -> str:
    """The same for one that could not be loaded, by where it would be found."""
    inner = module.replace(".", "/")
    for folder in sys.path:
        for path in (f"{inner}.py", f"{inner}/__init__.py"):
            file = os.path.join(folder, path)
            if os.path.isfile(file) and _relative(file):
                return _relative(file)
    return _file_of(module)


def _relative(file: str) -> str:
    """The path below the folder of the project; empty for another one."""
    for root, path in ((_Run.root, os.path.abspath(file)), (os.path.realpath(_Run.root), os.path.realpath(file))):
        inner = path[len(root) + 1 :]
        if path.startswith(root + os.sep) and "site-packages" not in inner.split(os.sep):
            return inner
    return ""
