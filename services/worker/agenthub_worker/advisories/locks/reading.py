"""Reads whichever lock file it is given, and tells what of a change no lock file settles."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from agenthub_worker.advisories.locks.compiled import of_cargo, of_go, of_go_sums, of_maven
from agenthub_worker.advisories.locks.locked import CRATES, GO, MAVEN, NPM, PYPI, LockedPackages
from agenthub_worker.advisories.locks.node import of_npm, of_pnpm, of_yarn
from agenthub_worker.advisories.locks.python import (
    of_pdm,
    of_pipenv,
    of_poetry,
    of_pylock,
    of_requirements,
    of_uv,
)

_READERS: Mapping[str, tuple[str, Callable[[bytes], LockedPackages]]] = {
    "uv.lock": (PYPI, of_uv),
    "poetry.lock": (PYPI, of_poetry),
    "pdm.lock": (PYPI, of_pdm),
    "Pipfile.lock": (PYPI, of_pipenv),
    "package-lock.json": (NPM, of_npm),
    "npm-shrinkwrap.json": (NPM, of_npm),
    "pnpm-lock.yaml": (NPM, of_pnpm),
    "yarn.lock": (NPM, of_yarn),
    "Cargo.lock": (CRATES, of_cargo),
    "go.mod": (GO, of_go),
    "pom.xml": (MAVEN, of_maven),
}
_REQUIREMENTS = re.compile(r"[\w.-]*requirements[\w.-]*\.txt", re.I)
_PYLOCK = re.compile(r"pylock(?:\.[^.]+)?\.toml")
_SUMS = "go.sum"
# What people write, and a lock file settles.
_WRITTEN: Mapping[str, str] = {
    **dict.fromkeys(("pyproject.toml", "setup.py", "setup.cfg", "Pipfile"), PYPI),
    "package.json": NPM,
    "Cargo.toml": CRATES,
    "build.gradle": "",
    "build.gradle.kts": "",
}
_INPUTS = re.compile(r"[\w.-]*requirements[\w.-]*\.in", re.I)
_OTHER_LOCKS = re.compile(r"[\w.-]*\.lockb?|[\w.-]*\.lockfile")
_INSTALLED = "node_modules"


def is_lock(path: str) -> bool:
    """Whether this file names packages in exact versions, and is read."""
    pure = PurePosixPath(path)
    if _INSTALLED in pure.parts:
        return False
    return pure.name in {*_READERS, _SUMS} or _PYLOCK.fullmatch(pure.name) is not None or _is_requirements(pure)


def names_dependencies(path: str) -> bool:
    """Whether a change of this file may be one of its dependencies."""
    name = posixpath.basename(path)
    return is_lock(path) or _written_for(name) is not None or _OTHER_LOCKS.fullmatch(name) is not None


def is_completed(path: str) -> bool:
    """Whether the file at `path` is read together with another one."""
    return posixpath.basename(path) == _SUMS


def read_lock(path: str, files: Mapping[str, bytes]) -> LockedPackages:
    """What the file at `path` names. Raises `LockUnread`."""
    name, data = posixpath.basename(path), files[path]
    if name == _SUMS:
        return of_go_sums(data, files.get(posixpath.join(posixpath.dirname(path), "go.mod"), b""))
    if _PYLOCK.fullmatch(name):
        return of_pylock(data)
    return _READERS[name][1](data) if name in _READERS else of_requirements(data)


def is_settled(path: str, read: Iterable[str]) -> bool:
    """Whether one of the lock files that were `read` settles what people have written into the file at `path`."""
    ecosystem = _written_for(posixpath.basename(path))
    folders = PurePosixPath(path).parents
    return any(PurePosixPath(lock).parent in folders and _ecosystem_of(lock) == ecosystem for lock in read)


def _ecosystem_of(path: str) -> str:
    name = posixpath.basename(path)
    return GO if name == _SUMS else _READERS[name][0] if name in _READERS else PYPI


def _written_for(name: str) -> str | None:
    return PYPI if _INPUTS.fullmatch(name) else _WRITTEN.get(name)


def _is_requirements(pure: PurePosixPath) -> bool:
    return pure.suffix == ".txt" and (
        _REQUIREMENTS.fullmatch(pure.name) is not None or pure.parent.name == "requirements"
    )
