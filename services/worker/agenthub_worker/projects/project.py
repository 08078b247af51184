"""What a project says of how its tests are run: which plugins of pytest it uses, where its code is imported from.

At home they run in an environment that was made for the project. Here they run in that of the worker, which must
be to them as that one: no plugin that they never saw, and none missing that is there.
"""

from __future__ import annotations

import ast
import configparser
import functools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from agenthub_runtime.repository.trees import walk
from agenthub_worker.evidence.layout import belongs_to_tests
from agenthub_worker.evidence.syntax import toml_in

_NOT_OF_THE_PROJECT = frozenset({".git", "node_modules", ".venv", "venv", ".tox", ".nox", "__pycache__"})
_SETTINGS = frozenset(
    {"pyproject.toml", "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg"}
)
_DECLARING = re.compile(
    r"(?:pyproject\.toml|setup\.(?:cfg|py)|tox\.ini|noxfile\.py|Pipfile(?:\.lock)?|environment\.ya?ml|.*\.lock"
    r"|[\w.-]*(?:requirements|constraints)[\w.-]*\.(?:txt|in))"
)
_FILE_BYTES = 1 << 20
_FILES_READ = 5_000
_ROOTS_DEEP = 3
_ADDOPTS_COVERAGE = re.compile(r"addopts\s*=\s*\[?[^\[]*--cov\b")


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of a project that bear on its test runs, by path: settings, declared dependencies, tests."""

    settings: Mapping[str, str]
    declared: Mapping[str, str]
    tests: Mapping[str, str]
    folders: frozenset[str] = frozenset()


class InstalledPlugin(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin of pytest in the environment of the worker, with the names by which a project can mean it.

    `loaded_as` is what pytest is told to load.
    """

    name: str
    loaded_as: str
    packages: frozenset[str]
    fixtures: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    settings: frozenset[str] = frozenset()


def read_project(workspace: Path) -> Project:
    """Read a workspace; of a huge one the first files."""
    settings, declared, tests = dict[str, str](), dict[str, str](), dict[str, str]()
    folders: set[str] = set()
    for path in _files(workspace):
        name = PurePosixPath(path).name
        if name.endswith(".py"):
            folders.update(map(str, PurePosixPath(path).parents))
        kinds = [
            kind
            for kind, fits in (
                (settings, name in _SETTINGS),
                (declared, _DECLARING.fullmatch(name) or "requirements" in PurePosixPath(path).parts[:-1]),
                (tests, name.endswith(".py") and belongs_to_tests(path)),
            )
            if fits
        ]
        if kinds and (text := _text(workspace / path)) is not None:
            for kind in kinds:
                kind[path] = text
    return Project(settings=settings, declared=declared, tests=tests, folders=frozenset(folders))


def plugins_of(project: Project, command: str, installed: Iterable[InstalledPlugin]) -> tuple[str, ...]:
    """What to load: those installed plugins that the project, or its test command, uses; sorted."""
    told = "\n".join((*project.settings.values(), command))
    names = re.compile(r"(?<![\w.-])(?:%s)(?![\w-])")
    declared = "\n".join(project.declared.values())
    tests = "\n".join(project.tests.values())
    return tuple(
        sorted(
            plugin.loaded_as
            for plugin in installed
            if f"no:{plugin.name}" not in told
            and (
                _any(names, plugin.packages, declared)
                or _any(re.compile(r"^\s*(?:from|import)\s+(?:%s)\b", re.M), plugin.packages, tests)
                or _any(re.compile(r"['\"](?:%s)[.'\"]"), plugin.packages, tests)
                or _any(re.compile(r"\b(?:%s)\b"), plugin.fixtures, tests)
                or _any(re.compile(r"\bmark\.(?:%s)\b"), plugin.marks, tests)
                or _any(re.compile(r"(?<![\w-])(?:%s)(?![\w-])"), plugin.options, told)
                or _any(re.compile(r"^\s*(?:%s)\s*=", re.M), plugin.settings, told)
                or _any(re.compile(r"-p[ '\",=]*(?:%s)\b"), plugin.packages | {plugin.name}, told)
            )
        )
    )


def measures_coverage(project: Project) -> bool:
    """Whether the project's own settings let pytest measure coverage."""
    return any(_ADDOPTS_COVERAGE.search(text) for text in project.settings.values())


def import_roots(project: Project) -> tuple[str, ...]:
    """The folders, relative to the workspace, from which an installed project would be imported."""
    tops = {str(PurePosixPath(path).parent) for path in project.declared if _makes_a_project(path)} | {"."}
    found: dict[str, None] = {}
    for top in sorted(tops, key=lambda folder: (folder.count("/"), folder)):
        if len(PurePosixPath(top).parts) <= _ROOTS_DEEP:
            said = [PurePosixPath(top, place) for place in _said_roots(project, top)]
            automatic = PurePosixPath(top, "src")
            roots = said or [automatic if str(automatic) in project.folders else PurePosixPath(top)]
            found |= dict.fromkeys(
                str(root) for root in roots if ".." not in root.parts and not root.is_absolute()
            )
    return tuple(found)


@functools.cache
def installed_plugins() -> tuple[InstalledPlugin, ...]:
    """The plugins that pytest would find in the environment of this interpreter."""
    return tuple(_described(entry) for entry in metadata.entry_points(group="pytest11"))


def _any(pattern: re.Pattern[str], words: Iterable[str], text: str) -> bool:
    alternatives = "|".join(re.escape(word) for word in sorted(words))
    return bool(alternatives) and re.search(pattern.pattern % alternatives, text, pattern.flags) is not None


def _files(workspace: Path) -> Iterator[str]:
    left = _FILES_READ
    for folder, names, files in walk(workspace):
        names[:] = [name for name in names if name not in _NOT_OF_THE_PROJECT]
        for file in sorted(files):
            if (
                file.endswith(".py")
                or file in _SETTINGS
                or _DECLARING.fullmatch(file)
                or file.endswith((".txt", ".in"))
            ):
                left -= 1
                if left < 0:
                    return
                yield Path(folder, file).relative_to(workspace).as_posix()


def _text(path: Path) -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        if not path.is_symlink() and path.is_file() and path.stat().st_size <= _FILE_BYTES:
            return path.read_text(encoding="utf-8")
    return None


def _makes_a_project(path: str) -> bool:
    return PurePosixPath(path).name in ("pyproject.toml", "setup.py", "setup.cfg")


def _said_roots(project: Project, top: str) -> list[str]:
    prefix = "" if top == "." else f"{top}/"
    table = toml_in(project.declared.get(f"{prefix}pyproject.toml", "")) or {}
    found = [*_of_pyproject(table), *_of_setup_cfg(project.declared.get(f"{prefix}setup.cfg", ""))]
    found += _OF_SETUP_PY.findall(project.declared.get(f"{prefix}setup.py", ""))
    return [place for place in found if isinstance(place, str) and place]


_OF_SETUP_PY = re.compile(
    r"(?:package_dir\s*=\s*\{\s*[\"']{2}\s*:\s*|find_(?:namespace_)?packages\(\s*(?:where\s*=\s*)?)[\"']([^\"']+)"
)


def _of_pyproject(table: Mapping[str, Any]) -> Iterator[Any]:
    """Where the build systems in use keep the folder of the packages."""
    yield from _as_list(_at(table, "tool", "setuptools", "packages", "find", "where"))
    yield _at(table, "tool", "setuptools", "package-dir", "")
    for package in _as_list(_at(table, "tool", "poetry", "packages")):
        if isinstance(package, dict):
            yield package.get("from", ".")
    wheel = _at(table, "tool", "hatch", "build", "targets", "wheel")
    for package in _as_list(_at(wheel, "packages")):
        yield str(PurePosixPath(str(package)).parent)
    yield from _as_list(_at(wheel, "sources"))
    yield from _as_list(_at(table, "tool", "hatch", "build", "dev-mode-dirs"))
    yield _at(table, "tool", "pdm", "build", "package-dir")
    yield _at(table, "tool", "uv", "build-backend", "module-root")
    yield _at(table, "tool", "maturin", "python-source")


def _of_setup_cfg(text: str) -> Iterator[str]:
    settings = configparser.ConfigParser(interpolation=None)
    with suppress(configparser.Error):
        settings.read_string(text)
    for line in settings.get("options", "package_dir", fallback="").splitlines():
        package, _, folder = line.partition("=")
        if not package.strip():
            yield folder.strip()
    yield settings.get("options.packages.find", "where", fallback="").strip()


def _at(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _described(entry: metadata.EntryPoint) -> InstalledPlugin:
    module = entry.value.split(":")[0]
    names = {module.split(".")[0].lstrip("_")} | ({entry.dist.name} if entry.dist else set())
    told = _told_by(module)
    return InstalledPlugin(
        name=entry.name,
        # pytest warns of a name that is also that of a module which it has imported itself.
        loaded_as=module if entry.name in sys.stdlib_module_names else entry.name,
        packages=frozenset(
            form for name in names for form in (name, name.replace("-", "_"), name.replace("_", "-"))
        ),
        fixtures=frozenset(told["fixture"]),
        marks=frozenset(told["mark"]),
        options=frozenset(told["option"]),
        settings=frozenset(told["setting"]),
    )


def _told_by(module: str) -> dict[str, set[str]]:
    """What the source of a plugin adds to pytest; nothing of one whose source cannot be read."""
    told: dict[str, set[str]] = {"fixture": set(), "mark": set(), "option": set(), "setting": set()}
    with suppress(ImportError, OSError, SyntaxError, ValueError):
        spec = find_spec(module.split(".", maxsplit=1)[0])
        places = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
        parts = module.split(".")[1:]
        sources = [place.joinpath(*parts).with_suffix(".py") for place in places if parts]
        sources += [place / "__init__.py" for place in places if not parts]
        sources += [Path(spec.origin)] if spec and spec.origin and not places else []
        for node in (node for source in sources for node in ast.walk(ast.parse(source.read_text("utf-8")))):
            for kind, name in _additions(node):
                told[kind].add(name)
    return told


def _additions(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list):
            yield "fixture", node.name
        return
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if node.func.attr in ("addoption", "_addoption"):
        yield from (("option", text) for text in texts if text.startswith("-"))
    elif node.func.attr == "addini" and texts:
        yield "setting", texts[0]
    elif node.func.attr == "addinivalue_line" and texts[:1] == ["markers"] and len(texts) > 1:
        yield "mark", re.split(r"[^\w]", texts[1])[0]
