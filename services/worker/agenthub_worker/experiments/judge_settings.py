"""Files that decide how the judge itself runs, and that a change must therefore not bring."""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from collections.abc import Iterable, Mapping, Set
from pathlib import PurePosixPath

import msgspec

from agenthub_runtime.repository.history import FileEntry
from agenthub_worker.evidence.layout import SHADOWED, bears_on_tests, belongs_to_tests, sets_tests

_LINK = "120000"
_COMPILED = frozenset({".pyc", ".pyo"})
_UTF8 = frozenset({"utf-8", "utf-8-sig", "utf_8_sig", "ascii"})


def refusals_of_files(before: Mapping[str, FileEntry], now: Mapping[str, FileEntry]) -> list[str]:
    """Why a gate must not pass on the new or changed ones of these files, one sentence each."""
    changed = [entry for path, entry in sorted(now.items()) if before.get(path) != entry]
    return [f"{entry.path}: {why}" for entry in changed if (why := _refusal(entry))]


def unreadable_sources(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> list[str]:
    """Why changed Python files (path to content) must not count: what is in them cannot be read as text."""
    return [
        f"{path}: its source is not UTF-8 ({encoding}), so nobody can read what it does to the tests."
        for path, data in sorted(now.items())
        if before.get(path) != data and (encoding := _encoding(data)) not in _UTF8
    ]


def _refusal(entry: FileEntry) -> str:
    pure = PurePosixPath(entry.path)
    if entry.mode == _LINK and _bears(entry.path):
        return (
            "a symbolic link in the place of a test or of a setting of the tests is not followed: make it a file."
        )
    if pure.suffix in _COMPILED:
        return "compiled code stands in for its source, which nobody can read: leave it out of the repository."
    if pure.suffix == ".pth":
        return "a `.pth` file runs code in every Python process: leave it out of the repository."
    if pure.name == "entry_points.txt" and pure.parent.suffix in (".dist-info", ".egg-info"):
        return "it would load plugins into pytest: leave the metadata of packages out of the repository."
    if (found := _shadowing(pure)) is not None:
        return f"a module `{found}` of the repository would be imported in place of the real one."
    return ""


def _bears(path: str) -> bool:
    pure = PurePosixPath(path)
    is_folder_of_tests = pure.name in ("tests", "test")
    return is_folder_of_tests or bears_on_tests(path) or belongs_to_tests(path) or sets_tests(path)


def _shadowing(pure: PurePosixPath) -> str | None:
    """The judge's own module in whose place this one would be found, wherever it lies."""
    if pure.suffix != ".py" or "site-packages" in pure.parts:
        return None
    name = pure.parent.name if pure.name == "__init__.py" else pure.stem
    return name if name in SHADOWED else None


def _encoding(data: bytes) -> str:
    """The encoding that a Python file names, or in which it is broken."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return "not readable as what it says"
    return codecs.lookup(encoding).name


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """A module `ran` that was tested in the place of `idle`, if what ran imports `name` from no folder at all."""

    ran: str
    idle: str
    name: str

    def __str__(self) -> str:
        return (
            f"{self.ran} was tested in the place of {self.idle}, which has the same name for an import and did not"
            " run."
        )


def stand_ins(paths: Iterable[str], executed: Mapping[str, Set[int]], changed: Set[str]) -> list[StandIn]:
    """Modules that may have been tested in the place of others.

    `paths` are the files of the commit, `executed` the lines that ran, by path, `changed` what the goal has
    changed: a changed file that ran, beside one that did not and that an import finds under the same name.
    """
    ran = {path for path, lines in executed.items() if lines and path.endswith(".py")}
    idle = {_module(path): path for path in paths if path in executed and path not in ran}
    return [
        StandIn(ran=path, idle=idle[name], name=name)
        for path in sorted(ran & changed)
        for name in _names_of(path)
        if name in idle
    ]


def imports(texts: Iterable[str], name: str) -> bool:
    """Whether one of these sources imports the module `name`, or names it to a function that imports."""
    words = re.compile(
        rf"^[ \t]*(?:from|import)[ \t]+(?:[\w., \t]+,[ \t]*)?{re.escape(name)}\b|['\"]{re.escape(name)}['\".]",
        re.M,
    )
    return any(words.search(text) for text in texts)


def _module(path: str) -> str:
    """The name under which a file is imported from its root, or from `src`."""
    plain = path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__")
    return plain.replace("/", ".")


def _names_of(path: str) -> list[str]:
    """The names under which a file may be imported, from its root and from the folders on the way to it."""
    parts = _module(path).split(".")
    return [".".join(parts[number:]) for number in range(len(parts))]
