"""What a setup has compiled beside the code, kept for the other checkouts of the same project.

An installation that leaves the code where it is (`pip install -e .`) puts extension modules beside it, and that
checkout is thrown away with the setup.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agenthub_worker.environment.place import PLACE

_MODULE = re.compile(r"\.(?:cpython-[\w-]+|abi3)\.so$")
_SOURCE = re.compile(r"\.(?:c|h|cc|cpp|cxx|hpp|pyx|pxd|pxi|rs|f|f90)$")
_SKIPPED = frozenset({".git", "node_modules", "build", "dist", "target", ".venv", ".tox"})
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


def _changed():
    with open(os.path.join(_HERE, {sources!r})) as file:
        return [path for path, told in json.load(file).items() if not _is_same(path, told)]


class _Compiled:
    @staticmethod
    def find_spec(name, path=None, target=None):
        for folder in path if path is not None else sys.path:
            below = os.path.relpath(folder or os.getcwd(), _ROOT)
            for suffix in importlib.machinery.EXTENSION_SUFFIXES:
                file = os.path.join(_HERE, below, name.rpartition('.')[2] + suffix)
                if below.startswith('..') or not os.path.isfile(file):
                    continue
                if changed := _changed():
                    raise ImportError(
                        name + ' was compiled from other sources: ' + ', '.join(changed[:3]) + ' changed since.'
                        ' Let the test command build it first: `python setup.py build_ext --inplace && …`'
                    )
                return importlib.util.spec_from_file_location(name, file)


sys.meta_path.append(_Compiled)
"""


class Before(msgspec.Struct, frozen=True):
    """What a checkout held before anything was built: its extension modules, and the SHA-256 of its sources."""

    modules: frozenset[str]
    sources: dict[str, str]


def before_building(workspace: Path) -> Before:
    """Look at a checkout."""
    paths = list(_files(workspace))
    sources = {
        path: hashlib.sha256((workspace / path).read_bytes()).hexdigest() for path in paths if _SOURCE.search(path)
    }
    return Before(frozenset(path for path in paths if _MODULE.search(path)), sources)


def keep_compiled(workspace: Path, before: Before, environment: Path, root: str) -> None:
    """Keep what was built since in `environment`, where its Python finds it below `root`, the workspace inside."""
    made = [path for path in _files(workspace) if _MODULE.search(path) and path not in before.modules]
    site = next(iter(sorted((environment / "python").glob("lib/python*/site-packages"))), None)
    if not made or site is None:
        return
    for path in made:
        place = environment / _FOLDER / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(workspace / path, place)
    (environment / _FOLDER / _SOURCES).write_bytes(msgspec.json.encode(before.sources))
    finder = _FINDER.format(here=f"{PLACE}/{_FOLDER}", root=root, sources=_SOURCES)
    (site / "agenthub_compiled.py").write_text(finder)
    (site / "agenthub-compiled.pth").write_text("import agenthub_compiled\n")


def _files(workspace: Path) -> Iterator[str]:
    """The plain files, by their paths."""
    for folder, names, files in os.walk(workspace):
        names[:] = [name for name in names if name not in _SKIPPED]
        for name in files:
            path = Path(folder, name)
            if (_MODULE.search(name) or _SOURCE.search(name)) and path.is_file() and not path.is_symlink():
                yield path.relative_to(workspace).as_posix()
