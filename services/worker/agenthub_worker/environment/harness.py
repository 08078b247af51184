"""What tests are run and measured with, for projects that bring nothing of their own for it."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from agenthub_runtime.repository.trees import delete_tree
from agenthub_worker.environment.own_places import put, real_folder, site_packages
from agenthub_worker.environment.place import PLACE

_TOOLS = ("pytest", "pytest-cov", "coverage")
_HARNESS = (*_TOOLS, "pluggy", "iniconfig", "packaging", "pygments")
_COMMANDS = {"pytest": "pytest", "py.test": "pytest", "coverage": "coverage"}


@functools.cache
def harness_versions() -> Mapping[str, str]:
    """The packages of this hub's own that tests find in every environment, with their versions."""
    return {name: importlib.metadata.version(name) for name in _HARNESS}


def tools_at_hand() -> Mapping[str, str]:
    """Those of them that a project may ask for without having packages of its own."""
    return {name: harness_versions()[name] for name in _TOOLS}


def add_harness(folder: Path) -> None:
    """Let the environment's Python find pytest and coverage behind everything that the project has installed."""
    site = site_packages(folder)
    if site is None:
        return
    delete_tree(folder / "harness")
    harness, programs = real_folder(folder, "harness"), real_folder(folder, "bin")
    for name in _HARNESS:
        distribution = importlib.metadata.distribution(name)
        for top in {PurePosixPath(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (harness / top).symlink_to(str(distribution.locate_file(top)))
    put(folder, site / "agenthub-harness.pth", f"{PLACE}/harness\n".encode())
    for name, module in _COMMANDS.items():
        script = programs / name
        if not script.is_symlink() and not script.exists():
            put(
                folder,
                script,
                f'#!/bin/sh\nexec {PLACE}/python/bin/python -m {module} "$@"\n'.encode(),
                executable=True,
            )
