"""Protected tests: those that were there before are also run as they were, over the new code."""

from __future__ import annotations

import configparser
import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import msgspec

from agenthub_worker.evidence.layout import TEST_SETTINGS, belongs_to_tests, sets_tests
from agenthub_worker.evidence.reports import Case, Outcome, stored_id
from agenthub_worker.evidence.source import plain_id
from agenthub_worker.evidence.syntax import toml_in
from agenthub_worker.evidence.test_history import some
from agenthub_worker.experiments.foreign_settings import foreign_settings
from agenthub_worker.suites.test_files import is_foreign_test, sets_foreign_tests

_INI_SECTIONS = ("pytest", "tool:pytest", "coverage:run", "coverage:report")
_RED = ("failed", "error")
_CHECKING = re.compile(rb"^[ \t]*(?:assert\b|(?:import|from)[ \t]+(?:pytest|unittest)\b)|\.assert", re.M)


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """How the earlier tests are put over the new code: files to write, and files to take away."""

    write: Mapping[str, bytes] = {}
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.write or self.remove)


def is_protected(path: str) -> bool:
    """Whether a file is a test, something that tests read, or a setting of the tests."""
    return belongs_to_tests(path) or sets_tests(path)


def restored(before: Mapping[str, bytes], now: Mapping[str, bytes], declared: Iterable[str] = ()) -> Restored:
    """What has to be put back where the protected files of `before` differ from those of `now`.

    `declared` are patterns of files that the plan lets the goal change. Settings that are new are taken away,
    tests that are new stay.
    """
    patterns = tuple(declared)
    write = {
        path: data
        for path, data in before.items()
        if is_protected(path) and not _matches(path, patterns) and _says_else(path, data, now.get(path))
    }
    had_foreign = any(map(is_foreign_test, before))
    new = tuple(
        path
        for path in sorted(now.keys() - before.keys())
        if (PurePosixPath(path).name in TEST_SETTINGS or (had_foreign and sets_foreign_tests(path)))
        and not _matches(path, patterns)
        and _says_else(path, b"", now[path])
    )
    return Restored(write=write, remove=new)


def changed_settings(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> list[str]:
    """What the change has made of settings of the tests that were there before: `file: name`, sorted."""
    found = []
    for path in sorted(before.keys() | now.keys()):
        name = PurePosixPath(path).name
        if sets_tests(path) and name != "conftest.py":
            old, new = _by_name(name, before.get(path, b"")), _by_name(name, now.get(path, b""))
            found += [f"{path}: {key}" for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    return found


def aids(changed: Mapping[str, bytes], tests: Sequence[str], declared: Iterable[str] = ()) -> dict[str, bytes]:
    """Those of the changed files, as they were, that sources of `tests` read: data, and modules with checks.

    Documents for people are no data of tests, though tests may look at them.
    """
    patterns = tuple(declared)
    return {
        path: data
        for path, data in changed.items()
        if not is_protected(path)
        and not _matches(path, patterns)
        and not _is_prose(path)
        and (not path.endswith(".py") or _CHECKING.search(data) is not None)
        and reads(tests, path)
    }


def _is_prose(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.suffix in (".md", ".rst", ".adoc") or "docs" in pure.parts[:-1]


def reads(texts: Iterable[str], path: str) -> bool:
    """Whether one of these sources names a file: as data by its name, as a module by an import."""
    pure = PurePosixPath(path)
    if pure.suffix != ".py":
        return any(pure.name in text for text in texts)
    name = pure.parent.name if pure.name == "__init__.py" else pure.stem
    return any(re.search(rf"\b(?:import|from)\b[^\n#]*\b{re.escape(name)}\b", text) for text in texts)


def contradicted(
    before: Mapping[str, Outcome], then: Sequence[Case], now: Sequence[Case], declared: Iterable[str] = ()
) -> list[str]:
    """Ids, without parameters, of tests that are red as they were and green as they are now.

    `before` is how each ended before the change, `then` the run of the restored tests over the new code, `now`
    that of the tests as they are. A test that failed before may fail.
    """
    patterns = tuple(declared)
    red_now = {plain_id(case.id) for case in now if case.outcome in _RED}
    red_before = {plain_id(name) for name, outcome in before.items() if outcome in _RED}
    known = {plain_id(name) for name in before}
    red_then = {plain_id(case.id) for case in then if case.outcome in _RED}
    ran_then = {plain_id(stored_id(case.id)) for case in then}
    ran_now = {plain_id(stored_id(case.id)) for case in now}
    gone = {name for name in known - ran_then if name in ran_now and before_passed(before, name)}
    found = ((red_then & _with_files(known)) - red_before - red_now) | gone
    return sorted(name for name in found if not _matches(name, patterns))


def before_passed(before: Mapping[str, Outcome], plain: str) -> bool:
    """Whether a test passed, under at least one of its cases."""
    return any(outcome == "passed" and plain_id(name) == plain for name, outcome in before.items())


def is_declared(path: str, declared: Iterable[str]) -> bool:
    """Whether the plan lets the goal change this file of tests."""
    return _matches(path, tuple(declared))


def refusal(tests: Sequence[str], changed: Sequence[str], when: str) -> str:
    """Why a gate does not pass on tests that were changed to fit the code."""
    return (
        f"Tests fail on the new code as they were {when}, and pass only as they were changed ({some(changed)}):"
        f" {some(tests)}. Make the code pass them as they were; a change of tests that a requirement wants is"
        " declared in the plan (`changes_tests`), or accepted by a person."
    )


def _with_files(names: Iterable[str]) -> set[str]:
    """The names, and the files that hold them: a file that cannot be read is one entry of a report."""
    known = set(names)
    return known | {name.split("::", 1)[0] for name in known}


def _matches(name: str, patterns: Sequence[str]) -> bool:
    file = name.split("::", 1)[0]
    return any(
        fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(file, pattern) or name.startswith(f"{pattern}::")
        for pattern in patterns
    )


def _says_else(path: str, before: bytes, now: bytes | None) -> bool:
    """Whether a file says something else about tests than before; None: it is gone."""
    if now is None:
        return True
    name = PurePosixPath(path).name
    if name == "conftest.py" or not sets_tests(path):
        return before != now
    return bool(_settings(name, before) != _settings(name, now))


def _by_name(name: str, data: bytes) -> dict[str, Any]:
    """The settings of a file by their names, without the tables in which they stand."""
    found: dict[str, Any] = {}
    left = [("content", _settings(name, data))]
    while left:
        key, value = left.pop()
        if isinstance(value, dict):
            left += value.items()
        elif value != b"":
            found[key] = value
    return found


def _settings(name: str, data: bytes) -> Any:
    """What a file of settings says of pytest and coverage; its whole content where it cannot be read."""
    if name not in TEST_SETTINGS:
        return foreign_settings(name, data)
    try:
        if name in ("pytest.toml", ".pytest.toml"):
            return toml_in(data.decode()) or data
        if name.endswith(".toml"):
            table = toml_in(data.decode())
            tool = data if table is None else table.get("tool", {})
            return (
                {key: tool[key] for key in ("pytest", "coverage", "tox") if key in tool}
                if isinstance(tool, dict)
                else tool
            )
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read_string(data.decode())
        wanted = [key for key in parser.sections() if key in _INI_SECTIONS or key.partition(":")[0] == "testenv"]
        return {key: dict(parser[key]) for key in wanted}
    except (ValueError, configparser.Error, AttributeError):
        return data
