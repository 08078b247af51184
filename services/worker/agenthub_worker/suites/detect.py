"""How the tests of a repository are run, as far as its files say it: a command for each suite."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

import msgspec

from agenthub_worker.automation.django import MANAGE
from agenthub_worker.automation.nox import NOXFILE
from agenthub_worker.automation.tox import TOX_FILES
from agenthub_worker.suites.node.scripts import line_of_tests, scripts_in, tests_nothing
from agenthub_worker.suites.test_files import is_go_test, is_java_test, is_node_test, is_rust_test

_NOT_OF_THE_PROJECT = frozenset({"node_modules", "vendor", "testdata", ".venv", "venv", "target", "fixtures"})
_SAYING = frozenset({"package.json", "Cargo.toml"})
_RUST_TEST = re.compile(r"^\s*#\[(?:\w+::)*test\b", re.M)
_TABLE = re.compile(r"^\s*\[(package|workspace)\]", re.M)
_OWN_CHOICE = re.compile(r"^\s*default-members\s*=", re.M)
_OF_GRADLE = ("settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts")
_SUITES_MAX = 10


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """One suite: a line for bash in `folder` (empty: the top). `has_tests`: files are there that it would run."""

    text: str
    folder: str
    has_tests: bool


def says_how(path: str) -> bool:
    """Whether the text of the file is wanted to find the suites."""
    pure = PurePosixPath(path)
    if path == NOXFILE or path in TOX_FILES:
        return True
    if pure.name == MANAGE:
        return _is_of_the_project(pure)
    # Rust's unit tests stand in the code itself.
    return (pure.name in _SAYING or pure.suffix == ".rs") and _is_of_the_project(pure)


def foreign_suites(files: Iterable[str], texts: Mapping[str, str]) -> list[Suite]:
    """The suites of a repository beside that of Python. `texts` are those of the files that `says_how` wants."""
    known = [path for path in files if _is_of_the_project(PurePosixPath(path))]
    found = [*_of_go(known), *_of_node(known, texts), *_of_rust(known, texts), *_of_java(known)]
    return sorted(found, key=lambda suite: suite.folder)[:_SUITES_MAX]


def _of_go(files: Collection[str]) -> Iterator[Suite]:
    modules = _folders_with(files, "go.mod")
    for folder in modules:
        inner = [other for other in modules if other != folder and _is_in(other, folder)]
        own = [p for p in files if _is_in(p, folder) and not any(_is_in(p, other) for other in inner)]
        if any(path.endswith(".go") for path in own):
            yield Suite(text="go test ./...", folder=folder, has_tests=any(map(is_go_test, own)))


def _of_node(files: Collection[str], texts: Mapping[str, str]) -> Iterator[Suite]:
    taken: list[str] = []
    for folder in _folders_with(files, "package.json"):
        if any(_is_in(folder, other) for other in taken):
            continue
        scripts = scripts_in(texts.get(str(PurePosixPath(folder, "package.json")), ""))
        script = scripts.get("test", "")
        own = [path for path in files if _is_in(path, folder) and is_node_test(path)]
        if script and not tests_nothing(script):
            taken.append(folder)
            yield Suite(text=line_of_tests(scripts), folder=folder, has_tests=True)
        elif (
            own and not _is_of_deno(folder, files) and all(path.endswith((".js", ".mjs", ".cjs")) for path in own)
        ):
            taken.append(folder)
            yield Suite(text="node --test", folder=folder, has_tests=True)


def _is_of_deno(folder: str, files: Collection[str]) -> bool:
    own = PurePosixPath(folder)
    return any(str(above / name) in files for above in (own, *own.parents) for name in ("deno.json", "deno.jsonc"))


def _of_rust(files: Collection[str], texts: Mapping[str, str]) -> Iterator[Suite]:
    for folder in _topmost(_folders_with(files, "Cargo.toml")):
        own = [path for path in files if path.endswith(".rs") and _is_in(path, folder)]
        has_tests = any(is_rust_test(path) or _RUST_TEST.search(texts.get(path, "")) for path in own)
        manifest = texts.get(str(PurePosixPath(folder, "Cargo.toml")), "")
        yield Suite(text=_cargo_line(manifest), folder=folder, has_tests=has_tests)


def _cargo_line(manifest: str) -> str:
    """By itself cargo tests the package at the top, and of its workspace no other unless that is said."""
    tables = set(_TABLE.findall(manifest))
    is_both = {"package", "workspace"} <= tables and not _OWN_CHOICE.search(manifest)
    return "cargo test --workspace" if is_both else "cargo test"


def _of_java(files: Collection[str]) -> Iterator[Suite]:
    for folder in _topmost(_folders_with(files, "pom.xml")):
        own = [path for path in files if _is_in(path, folder)]
        yield Suite(text="mvn test", folder=folder, has_tests=any(map(is_java_test, own)))
    if not _folders_with(files, "pom.xml"):
        gradle = [folder for name in _OF_GRADLE for folder in _folders_with(files, name)]
        for folder in _topmost(sorted(gradle, key=len)):
            own = [path for path in files if _is_in(path, folder)]
            yield Suite(text="gradle test", folder=folder, has_tests=any(map(is_java_test, own)))


def _folders_with(files: Iterable[str], name: str) -> list[str]:
    found = (PurePosixPath(path) for path in files)
    folders = ["" if path.parent == PurePosixPath() else str(path.parent) for path in found if path.name == name]
    return sorted(folders, key=lambda folder: (folder.count("/") + bool(folder), folder))


def _topmost(folders: Iterable[str]) -> list[str]:
    found: list[str] = []
    for folder in folders:
        if not any(_is_in(folder, other) for other in found):
            found.append(folder)
    return found


def _is_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _is_of_the_project(pure: PurePosixPath) -> bool:
    return not _NOT_OF_THE_PROJECT & set(pure.parts[:-1])
