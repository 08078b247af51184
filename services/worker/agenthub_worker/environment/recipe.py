"""What has to be installed before a repository's tests can run, read from the files that it holds.

Pure: the files come in, commands go out. A goal's own `setup` comes before `.agenthub/config.toml` of the commit
with which the goal began, and that before what the files of package managers say.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec

from agenthub_worker.environment.requirements import all_at_hand, needs_of
from agenthub_worker.errors import SetupInvalid

Language: TypeAlias = Literal["python", "node", "go", "rust", "java"]

CONFIG = ".agenthub/config.toml"
PLACE = "/environment"
"""Where commands see the environment whatever its name outside: what an installer writes down stays true."""

MAVEN_SETTINGS = f"$(test ! -f {PLACE}/m2/settings.xml || echo -s {PLACE}/m2/settings.xml)"

_LOCKS: dict[str, tuple[Language, str]] = {
    "package-lock.json": ("node", "npm ci --no-audit --no-fund"),
    "npm-shrinkwrap.json": ("node", "npm ci --no-audit --no-fund"),
    "pnpm-lock.yaml": ("node", "pnpm install --frozen-lockfile"),
    "yarn.lock": ("node", "yarn install --frozen-lockfile"),
    "go.mod": ("go", "go mod download all"),
    "Cargo.lock": ("rust", "cargo fetch --locked"),
    "pom.xml": (
        "java",
        f"mvn -B -q {MAVEN_SETTINGS} -Dmaven.repo.local={PLACE}/m2/repository dependency:go-offline",
    ),
}
_REQUIREMENTS = re.compile(
    r"^(?:(?:(?:dev|tests?|testing)[-_.])?requirements(?:[-_.](?:dev|tests?|testing))?\.(?:txt|in)"
    r"|requirements/(?:base|main|dev|tests?|testing)\.txt)$"
)
_TEST_GROUPS = ("test", "tests", "testing", "dev", "develop", "development")
_REQUIRES = re.compile(rb"\b(?:install_requires|tests_require|extras_require|setup_requires)\b")
_GO_VERSION = re.compile(rb"^go\s+(\d+(?:\.\d+)*)", re.M)
_SETTINGS = frozenset(
    {"pyproject.toml", "setup.py", "setup.cfg", "uv.lock", "go.sum", "Cargo.toml", "package.json"}
)
_VERSIONS: dict[str, Language] = {".python-version": "python", ".nvmrc": "node", ".node-version": "node"}
_PYTHON = f"{PLACE}/python/bin/python"
_UV_SYNC = "uv sync --frozen --all-extras --all-groups"
_MAX_COMMANDS = 20


class GivenSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What people say of a setup: the goal's own `commands`, and `.agenthub/config.toml` as the goal found it.

    `config` None: there is none. What an agent writes into that file later never counts.
    """

    commands: tuple[str, ...] = ()
    config: bytes | None = None


NOTHING_GIVEN = GivenSetup()


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Commands for bash, run in order in a checkout; none: the standard library is all that is asked for.

    `versions`: what the repository names, by language. `source` says where the commands come from, for people.
    """

    commands: tuple[str, ...] = ()
    languages: frozenset[Language] = frozenset()
    versions: Mapping[Language, str] = {}
    source: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing has to be installed."""
        return not self.commands


def is_input(path: str) -> bool:
    """Whether the file can change what is installed."""
    return (
        path in _LOCKS
        or path in _SETTINGS
        or path in _VERSIONS
        or path == CONFIG
        or _REQUIREMENTS.match(path) is not None
        or (path.startswith("requirements/") and path.endswith(".txt"))
    )


def recipe_of(
    files: Mapping[str, bytes], given: GivenSetup = NOTHING_GIVEN, at_hand: Mapping[str, str] | None = None
) -> Recipe:
    """The recipe of a repository whose input files (`is_input`) are `files`. Raises `SetupInvalid`.

    `at_hand` are the packages, with their versions, that every test run has anyway: a project that asks for
    nothing else needs no setup.
    """
    found = list(_found(files, at_hand or {}))
    versions = _versions(files)
    languages = frozenset(language for language, _ in found)
    setup, source = (
        (given.commands, "the goal's `setup`") if given.commands else (_configured(given.config), CONFIG)
    )
    if setup is not None:
        return Recipe(
            commands=setup, languages=languages or frozenset({"python"}), versions=versions, source=source
        )
    commands = tuple(dict.fromkeys(command for _, command in found))
    return Recipe(
        commands=commands, languages=languages, versions=versions, source=", ".join(sorted(_named(files)))
    )


def key_of(recipe: Recipe, files: Mapping[str, bytes], machine: Iterable[str]) -> str:
    """The name of the environment: the same inputs on the same machine give the same one."""
    digest = hashlib.sha256()
    parts = [*(command.encode() for command in recipe.commands), *(text.encode() for text in machine)]
    for path in sorted(files):
        parts += [path.encode(), files[path]]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:32]


def _versions(files: Mapping[str, bytes]) -> dict[Language, str]:
    named = {language: line for path, language in _VERSIONS.items() if (line := _first_line(files.get(path)))}
    if go := _GO_VERSION.search(files.get("go.mod", b"")):
        named["go"] = go[1].decode()
    return named


def _found(files: Mapping[str, bytes], at_hand: Mapping[str, str]) -> Iterator[tuple[Language, str]]:
    yield from _python(files, at_hand)
    seen: set[Language] = set()
    for path, (language, command) in _LOCKS.items():
        if path in files and language not in seen:
            seen.add(language)
            yield language, command


def _python(files: Mapping[str, bytes], at_hand: Mapping[str, str]) -> Iterator[tuple[Language, str]]:
    requirements = sorted(path for path in files if _REQUIREMENTS.match(path))
    project = _toml(files, "pyproject.toml")
    installable = "project" in project or "build-system" in project or "setup.py" in files or "setup.cfg" in files
    needs = needs_of({path: files[path] for path in requirements}, project, _TEST_GROUPS)
    scripts = b"\n".join(files.get(path, b"") for path in ("setup.py", "setup.cfg"))
    if all_at_hand(needs, at_hand) and not _REQUIRES.search(scripts) and "uv.lock" not in files:
        # Its own folders are on the path of every test run: without dependencies there is nothing to install.
        return
    if "uv.lock" in files:
        yield "python", f"command -v uv || ({_PYTHON} -m venv {PLACE}/uv && {PLACE}/uv/bin/pip install uv)"
        yield "python", f"PATH=$PATH:{PLACE}/uv/bin UV_PROJECT_ENVIRONMENT={PLACE}/python {_UV_SYNC}"
        return
    for path in requirements:
        yield "python", f"{_PYTHON} -m pip install -r {path}"
    if installable:
        yield "python", f"{_PYTHON} -m pip install -e {_with_extras(project)}"


def _with_extras(project: Mapping[str, object]) -> str:
    table = project.get("project")
    extras = table.get("optional-dependencies") if isinstance(table, dict) else None
    groups = project.get("dependency-groups")
    wanted = [name for name in extras if name.lower() in _TEST_GROUPS] if isinstance(extras, dict) else []
    more = (
        [f" --group {name}" for name in groups if name.lower() in _TEST_GROUPS] if isinstance(groups, dict) else []
    )
    target = f"'.[{','.join(wanted)}]'" if wanted else "."
    return target + "".join(more)


def _named(files: Mapping[str, bytes]) -> Iterator[str]:
    named = [
        path for path in files if path in _LOCKS or _REQUIREMENTS.match(path) or path in ("uv.lock", "setup.py")
    ]
    return iter(named or [path for path in ("pyproject.toml", "setup.cfg") if path in files])


def _configured(data: bytes | None) -> tuple[str, ...] | None:
    if data is None:
        return None
    try:
        setup = tomllib.loads(data.decode()).get("setup")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupInvalid(f"{CONFIG} of the repository is no TOML: {error}") from error
    if setup is None:
        return None
    if not isinstance(setup, list) or not all(isinstance(line, str) and line.strip() for line in setup):
        raise SetupInvalid(f"`setup` in {CONFIG} of the repository has to be a list of commands, each a text.")
    if len(setup) > _MAX_COMMANDS:
        raise SetupInvalid(f"`setup` in {CONFIG} of the repository has more than {_MAX_COMMANDS} commands.")
    return tuple(setup)


def _toml(files: Mapping[str, bytes], path: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(files.get(path, b"").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # The installer says it better, with its place.
        return {}


def _first_line(data: bytes | None) -> str:
    lines = (data or b"").decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")
