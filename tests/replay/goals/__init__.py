"""Finished goals of earlier versions, and how today's code differs from the code that wrote them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from agenthub_replay.exported import read_export
from agenthub_replay.history import GoalHistory
from agenthub_replay.playing.replaying import replay

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.agenthub.gz"))
DIFFERENCES = FOLDER / "differences.json"

# What an agent is told may be worded better at any time; what is decided and done may not change by accident.
_COUNTED = ("decision", "move", "outcome")


def history_of(name: str) -> GoalHistory:
    """The history in the file of this name."""
    return read_export((FOLDER / f"{name}.agenthub.gz").read_bytes())


def name_of(file: Path) -> str:
    """A file's name without its ending."""
    return file.name.removesuffix(".agenthub.gz")


def differing(file: Path) -> list[str]:
    """Where today's code decides or moves differently, in the order of the log."""
    replayed = asyncio.run(replay(read_export(file.read_bytes())))
    return [
        f"{found.kind} {found.seq} {found.where} {found.what}"
        for found in replayed.differences
        if found.kind in _COUNTED
    ]


def known() -> dict[str, list[str]]:
    """The differences that were made on purpose, by file."""
    return msgspec.json.decode(DIFFERENCES.read_bytes(), type=dict[str, list[str]])
