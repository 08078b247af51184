"""What a project says of how its tests are run: which plugins of pytest it uses, where its code is imported from.

At home they run in an environment that was made for the project. Here they run in that of the worker, which must
be to them as that one: no plugin that they never saw, and none missing that is there.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from agenthub_runtime.repository.trees import walk
from agenthub_worker.evidence.layout import belongs_to_tests
from agenthub_worker.evidence.syntax import toml_in
from agenthub_worker.projects.named import PluginTexts
from agenthub_worker.projects.plugins import InstalledPlugin

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


def read_project(workspace: Path) -> Project:
    """Read a workspace; of a huge one the first files."""
    found = list(_files(workspace))
    read = ((path, _text(workspace / path)) for path in found if is_read(path))
    return project_of({path: text for path, text in read if text is not None}, found)


def is_read(path: str) -> bool:
    """Whether the text of a file bears on how tests are run."""
    return bool(_kinds(path))


def project_of(texts: Mapping[str, str], paths: Iterable[str]) -> Project:
    """The project of these files, of which `texts` have been read."""
    read: dict[str, dict[str, str]] = {"settings": {}, "declared": {}, "tests": {}}
    for path, text in texts.items():
        for kind in _kinds(path):
            read[kind][path] = text
    folders = {str(folder) for path in paths if path.endswith(".py") for folder in PurePosixPath(path).parents}
    return Project(**read, folders=frozenset(folders))


def plugin_texts(project: Project, words: str = "") -> PluginTexts:
    """What a project says of the plugins of pytest that it uses, with `words` of people."""
    return PluginTexts(
        settings=_joined(project.settings),
        declared=_joined(project.declared),
        tests=_joined(project.tests),
        words=words,
    )


def plugins_of(texts: PluginTexts, command: str, installed: Iterable[InstalledPlugin]) -> list[InstalledPlugin]:
    """Those installed plugins that these texts, or the test command, use; sorted."""
    used = (plugin for plugin in installed if _is_used(plugin, texts, f"{texts.settings}\n{command}"))
    return sorted(used, key=lambda plugin: plugin.loaded_as)


def _is_used(plugin: InstalledPlugin, texts: PluginTexts, told: str) -> bool:
    names = re.compile(r"(?<![\w.-])(?:%s)(?![\w-])")
    return f"no:{plugin.name}" not in told and (
        _any(names, plugin.packages, texts.declared)
        or _any(names, plugin.packages, texts.words)
        or _any(re.compile(r"^\s*(?:from|import)\s+(?:%s)\b", re.M), plugin.packages, texts.tests)
        or _any(re.compile(r"['\"](?:%s)[.'\"]"), plugin.packages, texts.tests)
        or _any(re.compile(r"\b(?:%s)\b"), plugin.fixtures, texts.tests)
        or _any(re.compile(r"\bmark\.(?:%s)\b"), plugin.marks, texts.tests)
        or _any(re.compile(r"(?<![\w-])(?:%s)(?![\w-])"), plugin.options, told)
        or _any(re.compile(r"^\s*(?:%s)\s*=", re.M), plugin.settings, told)
        or _any(re.compile(r"-p[ '\",=]*(?:%s)\b"), plugin.packages | {plugin.name}, told)
    )


def _joined(texts: Mapping[str, str]) -> str:
    return "\n".join(texts[path] for path in sorted(texts))


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


def _kinds(path: str) -> list[str]:
    name = PurePosixPath(path).name
    kinds = (
        ("settings", name in _SETTINGS),
        ("declared", _DECLARING.fullmatch(name) or "requirements" in PurePosixPath(path).parts[:-1]),
        ("tests", name.endswith(".py") and belongs_to_tests(path)),
    )
    return [kind for kind, fits in kinds if fits]


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
