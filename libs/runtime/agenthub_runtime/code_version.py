"""Which code runs: the release, and a hash of the sources, so that an edited checkout is told from the release."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable

_SHOWN = 12


@cache
def code_version(*packages: str) -> str:
    """`<release>+<hash>`: the first 12 hex digits of a sha256 over the Python files of these packages."""
    digest = hashlib.sha256()
    for package in packages:
        for name, body in sorted(_sources(files(package), package)):
            digest.update(f"{name} {len(body)}\n".encode())
            digest.update(body)
    return f"{version('agenthub')}+{digest.hexdigest()[:_SHOWN]}"


def _sources(folder: Traversable, name: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found.extend(_sources(entry, f"{name}/{entry.name}"))
        elif entry.name.endswith(".py"):
            found.append((f"{name}/{entry.name}", entry.read_bytes()))
    return found
