"""What is installed in an environment, read from the names of its folders: nothing in it is run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agenthub_worker.environment.environment import Environment, kept_modules
from agenthub_worker.world.quoting import MARK, within

_DISTRIBUTION = re.compile(r"([A-Za-z0-9._-]{1,80})-([A-Za-z0-9._+!]{1,40})\.dist-info")
_PACKAGE = re.compile(r"(?:@[a-z0-9._~-]{1,60}/)?[a-zA-Z0-9._~-]{1,80}")
_VERSION = re.compile(r"[A-Za-z0-9._+-]{1,40}")
_HARNESS = frozenset({"pip", "setuptools", "wheel"})
_FILE_BYTES = 256 << 10
_MODULES_READ = 60
_OFFERED_BY = {"go": "go.mod", "rust": "Cargo.lock", "java": "pom.xml or build.gradle"}


def package_lines(environment: Environment, workspace: Path, tokens: int) -> list[str]:
    """The packages that commands find, as far as so many tokens hold them. Reads files."""
    lines: list[str] = []
    for what, found in _installed(environment, workspace):
        words, whole = within([f"{name}, " for name in found], tokens)
        tokens -= sum(len(word) // 3 + 1 for word in words)
        if words:
            more = "" if whole else f" and {len(found) - len(words)} more"
            lines.append(f"{MARK}{what}: {''.join(words).removesuffix(', ')}{more}")
    for language in sorted(environment.languages & _OFFERED_BY.keys()):
        lines.append(f"{language}: what {_OFFERED_BY[language]} names is there, without the network")
    return lines


def _installed(environment: Environment, workspace: Path) -> Iterator[tuple[str, Sequence[str]]]:
    if "python" in environment.languages:
        yield "Python", sorted(_distributions(environment.folder), key=str.lower)
    if "node" in environment.languages:
        for folder in environment.modules:
            place = f"Node in {folder}" if folder else "Node"
            yield place, list(_modules(kept_modules(environment.folder, folder), workspace / folder))


def _distributions(folder: Path) -> Iterator[str]:
    sites = [*sorted((folder / "python").glob("lib/python3.*/site-packages")), folder / "harness"]
    for site in sites:
        with suppress(OSError):
            for name in os.listdir(site):
                found = _DISTRIBUTION.fullmatch(name)
                if found and found[1].lower() not in _HARNESS:
                    yield f"{found[1]} {found[2]}"


def _modules(modules: Path, project: Path) -> Iterator[str]:
    """The packages that the project itself names, with the versions that are there."""
    described = _object(project / "package.json")
    named = [name for key in ("dependencies", "devDependencies") for name in _keys(described.get(key))]
    for name in named[:_MODULES_READ]:
        version = _object(modules / name / "package.json").get("version") if _PACKAGE.fullmatch(name) else None
        if isinstance(version, str) and _VERSION.fullmatch(version):
            yield f"{name} {version}"


def _keys(value: object) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def _object(path: Path) -> dict[str, Any]:
    """A JSON object in a plain file; an empty one where there is none, or it is too large to be one."""
    with suppress(OSError, ValueError, RecursionError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(_FILE_BYTES + 1)
        found = json.loads(data) if len(data) <= _FILE_BYTES else {}
        return found if isinstance(found, dict) else {}
    return {}
