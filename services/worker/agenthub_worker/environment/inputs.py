"""The files of a workspace that say what is installed, read without following where they may lead."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from agenthub_worker.environment.recipe import CONFIG, GivenSetup, is_input
from agenthub_worker.errors import SetupInvalid

_INPUT_BYTES = 8 << 20
_LOOKED_INTO = ("requirements", "gradle", "gradle/wrapper", ".mvn", ".mvn/wrapper")


def as_given(files: Mapping[str, bytes], given: GivenSetup) -> dict[str, bytes]:
    """The files with the settings as the goal found them, in place of what an agent has made of them."""
    now = {path: data for path, data in files.items() if path != CONFIG}
    return now if given.config is None else {**now, CONFIG: given.config}


def read_inputs(workspace: Path, folders: Sequence[str]) -> dict[str, bytes]:
    """The files that say what is installed: plain files only, since links may lead anywhere."""
    return {name: data for name in _names(workspace, folders) if (data := _plain(workspace / name)) is not None}


def _names(workspace: Path, folders: Sequence[str]) -> Iterator[str]:
    tops = [".", *folders]
    for folder in (".agenthub", *tops, *(str(PurePosixPath(top, name)) for top in tops for name in _LOOKED_INTO)):
        if Path(os.path.realpath(workspace / folder)) != workspace.resolve() / folder:
            continue
        with contextlib.suppress(OSError):
            for entry in sorted(os.listdir(workspace / folder)):
                name = str(PurePosixPath(folder, entry))
                if is_input(name):
                    yield name


def _plain(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        try:
            data = file.read(_INPUT_BYTES + 1)
        except OSError:
            return None
    if len(data) > _INPUT_BYTES:
        raise SetupInvalid(f"{path.name} is larger than {_INPUT_BYTES >> 20} MB: nothing is installed from it.")
    return data
