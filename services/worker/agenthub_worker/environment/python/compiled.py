"""What a setup has made beside the code, kept for the other checkouts of the same project.

An installation that leaves the code where it is (`pip install -e .`) puts extension modules beside it, and modules
that its settings name, as for the version; that checkout is thrown away with the setup.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from agenthub_runtime.repository.trees import delete_tree
from agenthub_worker.environment.own_places import put, site_packages
from agenthub_worker.environment.place import PLACE

_MODULE = re.compile(r"\.(?:cpython-[\w-]+|abi3)\.so$")
_SCRIPT = ".py"
_SOURCE = re.compile(r"\.(?:c|h|cc|cpp|cxx|hpp|pyx|pxd|pxi|rs|f|f90)$")
_BUILDS = frozenset(
    {
        "setup.py",
        "setup.cfg",
        "pyproject.toml",
        "CMakeLists.txt",
        "meson.build",
        "Makefile",
        "build.py",
        "build.sh",
    }
)
_NAMING = ("pyproject.toml", "setup.py", "setup.cfg")
_QUOTED = re.compile(r"""(?:['"]|=\s*)([\w./-]+\.py)\b""")
_LISTED = re.compile(r"glob|wildcard|listdir|scandir|os\.walk|\*\.(?:c|cc|cpp|cxx|f|f90)\b", re.I)
_SKIPPED = frozenset({".git", "node_modules", "build", "dist", "target", ".venv", ".tox"})
# A further file of Cython or Rust is a module of its own, or one that another file names.
_PARTS = (".c", ".cc", ".cpp", ".cxx", ".f", ".f90")
_READ_BYTES = 1 << 20
_FOLDER = "compiled"
_SOURCES = "sources.json"

# Behind everything else: what a command has built in the workspace itself is found first.
_FINDER = """\
import hashlib, importlib.machinery, importlib.util, json, os, sys

_HERE, _ROOT = {here!r}, {root!r}


def _is_same(path, digest):
    try:
        with open(os.path.join(_ROOT, path), 'rb') as file:
            return hashlib.sha256(file.read()).hexdigest() == digest
    except OSError:
        return False


def _fresh(folder, known):
    try:
        names = sorted(os.listdir(os.path.join(_ROOT, folder)))
    except OSError:
        return []
    paths = [os.path.join(folder, name) for name in names if name.endswith({listed!r})]
    return [path for path in paths if path not in known]


def _changed():
    with open(os.path.join(_HERE, {sources!r})) as file:
        kept = json.load(file)
    known = kept['sources']
    changed = [path for path, told in known.items() if not _is_same(path, told)]
    return changed + [path for folder in kept['listed'] for path in _fresh(folder, known)]


class _Compiled:
    @staticmethod
    def find_spec(name, path=None, target=None):
        for folder in path if path is not None else sys.path:
            below = os.path.relpath(folder or os.getcwd(), _ROOT)
            for suffix in [*importlib.machinery.EXTENSION_SUFFIXES, {script!r}]:
                file = os.path.join(_HERE, below, name.rpartition('.')[2] + suffix)
                if below.startswith('..') or not os.path.isfile(file):
                    continue
                if suffix != {script!r} and (changed := _changed()):
                    raise ImportError(
                        name + ' was compiled from other sources: ' + ', '.join(changed[:3]) + ' changed since.'
                        ' Let the test command build it first: `python setup.py build_ext --inplace && …`'
                    )
                return importlib.util.spec_from_file_location(name, file)


sys.meta_path.append(_Compiled)
"""


class Before(msgspec.Struct, frozen=True):
    """What a checkout held before anything was built: its modules, and the SHA-256 of its sources."""

    modules: frozenset[str]
    sources: dict[str, str]


def before_building(workspace: Path) -> Before:
    """Look at a checkout."""
    paths = list(_files(workspace))
    sources = {
        path: hashlib.sha256((workspace / path).read_bytes()).hexdigest() for path in paths if _SOURCE.search(path)
    }
    return Before(frozenset(path for path in paths if _is_module(path)), sources)


def keep_compiled(
    workspace: Path, before: Before, environment: Path, root: str, *, commands: Sequence[str] = ()
) -> None:
    """Keep what `commands` have built in `environment`.

    Its Python finds it there below `root`, which is the workspace inside. Where the build takes whatever lies in a
    folder, a source that is new there counts as a change.
    """
    fresh = [path for path in _files(workspace) if _is_module(path) and path not in before.modules]
    made = [path for path in fresh if not path.endswith(_SCRIPT) or _is_named(workspace, path)]
    site = site_packages(environment)
    if not made or site is None:
        return
    delete_tree(environment / _FOLDER)
    for path in made:
        put(environment, environment / _FOLDER / path, (workspace / path).read_bytes())
    folders = {path.rpartition("/")[0] for path in before.sources if path.endswith(_PARTS)}
    listed = sorted(folders) if _lists_folders(workspace, commands) else []
    told = msgspec.json.encode({"sources": before.sources, "listed": listed})
    put(environment, environment / _FOLDER / _SOURCES, told)
    finder = _FINDER.format(here=f"{PLACE}/{_FOLDER}", root=root, sources=_SOURCES, listed=_PARTS, script=_SCRIPT)
    put(environment, site / "agenthub_compiled.py", finder.encode())
    put(environment, site / "agenthub-compiled.pth", b"import agenthub_compiled\n")


def _lists_folders(workspace: Path, commands: Sequence[str]) -> bool:
    """Whether a build says which sources it takes by a pattern, as far as its own files show."""
    texts = list(commands)
    for folder, names, files in os.walk(workspace):
        names[:] = [name for name in names if name not in _SKIPPED]
        texts += [Path(folder, name).read_text("utf-8", "replace") for name in files if _says(Path(folder, name))]
    return any(_LISTED.search(text) for text in texts)


def _is_module(path: str) -> bool:
    return _MODULE.search(path) is not None or path.endswith(_SCRIPT)


def _is_named(workspace: Path, path: str) -> bool:
    """Whether the settings of the project around it name this module, by its path or the end of that."""
    for folder in (workspace / path).parents:
        if not folder.is_relative_to(workspace):
            break
        own = (workspace / path).relative_to(folder).as_posix()
        for name in _NAMING:
            text = (folder / name).read_text("utf-8", "replace") if _says(folder / name) else ""
            if any(
                own == said or (said.count("/") and own.endswith(f"/{said}")) for said in _QUOTED.findall(text)
            ):
                return True
    return False


def _says(path: Path) -> bool:
    return path.name in _BUILDS and path.is_file() and not path.is_symlink() and path.stat().st_size <= _READ_BYTES


def _files(workspace: Path) -> Iterator[str]:
    """The plain files, by their paths."""
    for folder, names, files in os.walk(workspace):
        names[:] = [name for name in names if name not in _SKIPPED]
        for name in files:
            path = Path(folder, name)
            if (_is_module(name) or _SOURCE.search(name)) and path.is_file() and not path.is_symlink():
                yield path.relative_to(workspace).as_posix()
