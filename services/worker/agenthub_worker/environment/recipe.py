"""What has to be installed before a repository's tests can run, read from the files that it holds.

Pure: the files come in, commands go out. A goal's own `setup` comes before `.agenthub/config.toml` of the commit
with which the goal began, and that before what the files of package managers say.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec

from agenthub_runtime.toml_reading import TomlInvalid, read_toml
from agenthub_worker.environment.java.gradle import DISTRIBUTION_OF_GRADLE, GRADLE_FILES, RESOLVE
from agenthub_worker.environment.java.maven import DISTRIBUTION_OF_MAVEN, MAVEN, MAVEN_BROUGHT, MAVEN_BUILD
from agenthub_worker.environment.node.clients import engines_of_node, needs_packages, node_commands
from agenthub_worker.environment.place import PLACE
from agenthub_worker.environment.python.locked import LOCKS
from agenthub_worker.environment.python.steps import (
    PYTHON_FILES,
    REQUIREMENTS,
    UV_SYNC,
    PythonSteps,
    python_steps,
)
from agenthub_worker.environment.python.tables import json_of, toml_of
from agenthub_worker.environment.python.versions import python_bounds
from agenthub_worker.errors import SetupInvalid

Language: TypeAlias = Literal["python", "node", "go", "rust", "java"]

CONFIG = ".agenthub/config.toml"

# Compiles without running anything: later runs begin with what it leaves.
GO_BUILD = f"GOCACHE={PLACE}/go/build go test -exec /bin/true -cover -count=1 ./... > /dev/null 2>&1 || true"
# Modules of a workspace that name each other, and vendored ones, need not be anywhere else.
GO_DOWNLOAD = "go mod download all || go list -deps -test ./... > /dev/null"
# Of the project itself nothing is kept: cargo goes by times, and would take it for what a later checkout holds.
_OF_CARGO = r"""sed -E 's/"name":"([^"]+)","version"/\n-p \1\n/g' | grep '^-p '"""
CARGO_BUILD = (
    f"! grep -q '^source = ' Cargo.lock || (export CARGO_TARGET_DIR={PLACE}/cargo/built;"
    " cargo test --workspace --no-run > /dev/null 2>&1;"
    f" cargo clean $(cargo metadata --no-deps --offline --format-version 1 | {_OF_CARGO}) 2>&1"
    " || rm -rf $CARGO_TARGET_DIR)"
)
_LOCKS: dict[str, tuple[Language, tuple[str, ...]]] = {
    "package-lock.json": ("node", ("npm ci --no-audit --no-fund",)),
    "npm-shrinkwrap.json": ("node", ("npm ci --no-audit --no-fund",)),
    # Which version installs them is told by the files.
    "pnpm-lock.yaml": ("node", ()),
    "yarn.lock": ("node", ()),
    "bun.lock": ("node", ()),
    "bun.lockb": ("node", ()),
    "package.json": ("node", ("npm install --no-audit --no-fund --no-package-lock",)),
    "go.mod": ("go", (GO_DOWNLOAD, GO_BUILD)),
    "Cargo.lock": ("rust", ("cargo fetch --locked", CARGO_BUILD)),
    "Cargo.toml": ("rust", ("cargo fetch",)),
    "pom.xml": (
        "java",
        (MAVEN_BROUGHT, f"{MAVEN} dependency:go-offline || {MAVEN} test-compile", MAVEN_BUILD),
    ),
    **{name: ("java", (RESOLVE,)) for name in GRADLE_FILES},
}
NODE_LOCKS = frozenset(name for name, (language, _) in _LOCKS.items() if language == "node") - {"package.json"}
_GO_VERSION = re.compile(rb"^go\s+(\d+(?:\.\d+)*)", re.M)
_SETTINGS = frozenset(
    {
        *PYTHON_FILES,
        "go.sum",
        *("gradle.lockfile", "gradle/libs.versions.toml", DISTRIBUTION_OF_GRADLE),
        *(DISTRIBUTION_OF_MAVEN, ".mvn/maven.config", ".mvn/extensions.xml"),
    }
)
_DEEP = 3
_MOST_FOLDERS = 20
_NOT_ITS_OWN = frozenset(
    {
        *("node_modules", "vendor", "third_party", "target", "build", "dist", "examples", "example", "samples"),
        *("docs", "doc", "tests", "test", "testdata", "fixtures", "templates", "template", "benchmarks"),
    }
)
"""Folders in which files of package managers say nothing of what the project itself needs."""

_VERSIONS: dict[str, Language] = {".python-version": "python", ".nvmrc": "node", ".node-version": "node"}
_TELLING = frozenset({"uv.lock", "setup.py", "Pipfile", *LOCKS})
_AT_LEAST = ("pyproject.toml", "setup.cfg", "hatch.toml", "tox.ini", "tox.toml", "noxfile.py")
_MAX_COMMANDS = 20


class GivenSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What people say of a setup: the goal's own `commands`, and `.agenthub/config.toml` as the goal found it.

    `config` None: there is none. What an agent writes into that file later never counts. `folders` are those below
    the top that say what they need. `network` are the hosts that commands may reach once it is done.
    """

    commands: tuple[str, ...] = ()
    config: bytes | None = None
    folders: tuple[str, ...] = ()
    network: tuple[str, ...] = ()


NOTHING_GIVEN = GivenSetup()


class _Everywhere(msgspec.Struct, frozen=True, kw_only=True):
    """Commands by their language, the files that say them, and texts that they read."""

    found: list[tuple[Language, str]]
    used: list[str]
    texts: Mapping[str, str]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Commands for bash, run in order in a checkout; none: the standard library is all that is asked for.

    `versions`: what the repository names, by language; `bounds`: the versions of Python that it runs with.
    `source` says where the commands come from, for people.
    `texts` are written into the environment first, by their places there.
    `modules` are the folders in which `node_modules` comes to lie, empty for the top.
    """

    commands: tuple[str, ...] = ()
    languages: frozenset[Language] = frozenset()
    versions: Mapping[Language, str] = {}
    bounds: tuple[str, ...] = ()
    source: str = ""
    texts: Mapping[str, str] = {}
    modules: tuple[str, ...] = ("",)

    @property
    def empty(self) -> bool:
        """Whether nothing has to be installed."""
        return not self.commands


def is_input(path: str) -> bool:
    """Whether the file can change what is installed."""
    return path in _VERSIONS or path == CONFIG or _of_folder(path) is not None


def is_asked(path: str, given: GivenSetup) -> bool:
    """Whether the file is one of those that are looked at: in the top folder, and in those that are known."""
    told = _of_folder(path)
    return path in _VERSIONS or path == CONFIG or (told is not None and told[0] in ("", *given.folders))


def folders_in(paths: Iterable[str]) -> tuple[str, ...]:
    """The folders below the top that say what they need, of many the first, the upper ones first."""
    found = {told[0] for path in paths if (told := _of_folder(path))} - {""}
    return tuple(sorted(found, key=lambda folder: (folder.count("/"), folder))[:_MOST_FOLDERS])


def _of_folder(path: str) -> tuple[str, str] | None:
    """The folder (empty: the top) whose needs a file tells, and its path there; None: it tells none."""
    parts = path.split("/")
    for count in range(min(3, len(parts)), 0, -1):
        above, rest = parts[:-count], "/".join(parts[-count:])
        if _tells(rest) and len(above) <= _DEEP and not any(p[0] in "._" or p in _NOT_ITS_OWN for p in above):
            return "/".join(above), rest
    return None


def _tells(name: str) -> bool:
    return (
        name in _LOCKS
        or name in _SETTINGS
        or REQUIREMENTS.match(name) is not None
        or (name.startswith("requirements/") and name.endswith(".txt"))
    )


def recipe_of(
    files: Mapping[str, bytes], given: GivenSetup = NOTHING_GIVEN, at_hand: Mapping[str, str] | None = None
) -> Recipe:
    """The recipe of a repository whose input files (`is_input`) are `files`. Raises `SetupInvalid`.

    `at_hand` are the packages, with their versions, that every test run has anyway: a project that asks for
    nothing else needs no setup.
    """
    every = _everywhere(files, given.folders, at_hand or {})
    versions = _versions(files)
    languages = frozenset(language for language, _ in every.found)
    setup, source = (
        (given.commands, "the goal's `setup`") if given.commands else (_configured(given.config), CONFIG)
    )
    modules = ("", *(folder for folder in given.folders if _has_modules(files, folder)))
    if setup is not None:
        return Recipe(
            commands=setup,
            languages=languages or frozenset({"python"}),
            versions=versions,
            bounds=python_bounds(files),
            source=source,
            modules=modules,
        )
    commands = tuple(dict.fromkeys(command for _, command in every.found))
    return Recipe(
        commands=commands,
        languages=languages,
        versions=versions,
        bounds=python_bounds(files),
        source=", ".join(sorted(every.used)),
        texts=every.texts,
        modules=modules,
    )


def key_of(recipe: Recipe, files: Mapping[str, bytes], machine: Iterable[str]) -> str:
    """The name of the environment: the same inputs on the same machine give the same one."""
    digest = hashlib.sha256()
    said = (
        *recipe.commands,
        *machine,
        *(part for place in sorted(recipe.texts) for part in (place, recipe.texts[place])),
    )
    parts = [text.encode() for text in said]
    for path in sorted(files):
        parts += [path.encode(), files[path]]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:32]


def _versions(files: Mapping[str, bytes]) -> dict[Language, str]:
    named = {language: line for path, language in _VERSIONS.items() if (line := _first_line(files.get(path)))}
    if engines := engines_of_node(files):
        named.setdefault("node", engines)
    if go := _GO_VERSION.search(files.get("go.mod", b"")):
        named["go"] = go[1].decode()
    return named


def _everywhere(files: Mapping[str, bytes], folders: Iterable[str], at_hand: Mapping[str, str]) -> _Everywhere:
    """What is to be done in the top folder and in those below it."""
    top = python_steps(files, at_hand)
    found, covered = _found(files, top), {"": _covered(files)}
    used, texts = list(_named(files)) if found else [], dict(top.texts)
    for folder in folders:
        own = {path.removeprefix(f"{folder}/"): data for path, data in files.items() if _is_in(path, folder)}
        above = {language for over, languages in covered.items() if _is_in(folder, over) for language in languages}
        if not NODE_LOCKS & own.keys() and not _has_test_script(own):
            # A folder without a lock file is installed for its tests, or not at all.
            own.pop("package.json", None)
        python = python_steps(own, at_hand, folder)
        more = [(language, command) for language, command in _found(own, python) if language not in above]
        covered[folder] = _covered(own)
        found += [(language, _there(folder, command)) for language, command in more]
        used += [f"{folder}/{name}" for name in _named(own)] if more else []
        texts |= python.texts
    return _Everywhere(found=found, used=used, texts=texts)


def _is_in(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _there(folder: str, command: str) -> str:
    # Several folders share one Python: what another one has installed stays.
    beside = command.replace(UV_SYNC, f"{UV_SYNC} --inexact")
    return f"cd {shlex.quote(folder)} && {{ {beside}; }}"


def _covered(files: Mapping[str, bytes]) -> set[Language]:
    """Languages in which a folder speaks for those below it: as a workspace, or as the project itself."""
    locked: set[Language] = {language for language, _ in _of_locks(files)} - {"go"}
    installed = bool({"uv.lock", *LOCKS} & files.keys()) or "setup.py" in files or _is_project(files)
    return locked | ({"python"} if installed else set())


def _is_project(files: Mapping[str, bytes]) -> bool:
    return "project" in toml_of(files.get("pyproject.toml", b""))


def _has_modules(files: Mapping[str, bytes], folder: str) -> bool:
    return any(f"{folder}/{name}" in files for name in (*NODE_LOCKS, "package.json"))


def _found(files: Mapping[str, bytes], python: PythonSteps) -> list[tuple[Language, str]]:
    return [*(("python", command) for command in python.commands), *_of_locks(files)]


def _of_locks(files: Mapping[str, bytes]) -> list[tuple[Language, str]]:
    found: dict[Language, tuple[str, ...]] = {}
    for path, (language, commands) in _LOCKS.items():
        if path in files and language not in found and (path != "package.json" or needs_packages(files[path])):
            found[language] = commands or node_commands(path, files)
    return [(language, command) for language, commands in found.items() for command in commands]


def _has_test_script(files: Mapping[str, bytes]) -> bool:
    scripts = json_of(files.get("package.json", b"")).get("scripts")
    script = scripts.get("test") if isinstance(scripts, dict) else None
    return isinstance(script, str) and "no test specified" not in script


def _named(files: Mapping[str, bytes]) -> Iterator[str]:
    # What a lock file settles is told by it alone.
    settled = {"Cargo.toml"} if "Cargo.lock" in files else set()
    settled |= {"package.json"} if NODE_LOCKS & files.keys() else set()
    settled |= set(GRADLE_FILES) if "pom.xml" in files else set()
    told = [path for path in files if path in _LOCKS and path not in settled]
    named = told + [path for path in files if REQUIREMENTS.match(path) or path in _TELLING]
    return iter(named or [path for path in _AT_LEAST if path in files])


def _configured(data: bytes | None) -> tuple[str, ...] | None:
    if data is None:
        return None
    try:
        setup = read_toml(data).get("setup")
    except TomlInvalid as error:
        raise SetupInvalid(f"{CONFIG} of the repository is no TOML: {error}") from error
    if setup is None:
        return None
    if not isinstance(setup, list) or not all(isinstance(line, str) and line.strip() for line in setup):
        raise SetupInvalid(f"`setup` in {CONFIG} of the repository has to be a list of commands, each a text.")
    if len(setup) > _MAX_COMMANDS:
        raise SetupInvalid(f"`setup` in {CONFIG} of the repository has more than {_MAX_COMMANDS} commands.")
    return tuple(setup)


def _first_line(data: bytes | None) -> str:
    lines = (data or b"").decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")
