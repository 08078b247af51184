"""What the last look at a workspace has made of it, for the next one that finds it as it was.

git would read its index, look at every file, and write the same tree again. What the kernel says of each entry
tells it as well: a change gives a file another time, unless it comes within one tick of the clock behind the
change before. So a look is kept only of a workspace that has been left alone for longer than that.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from agenthub_runtime.repository.looks.safe import Look

_T = TypeVar("_T")

_COARSE_CLOCK: Final = 5
"""The clock by which Linux dates files."""
_TICKS = 1.5
"""One is what it takes; the rest is for a clock that is being set."""
_SECOND_NS = 1_000_000_000


class _Kept(msgspec.Struct):
    fingerprint: str
    found: msgspec.Raw


def look_of(path: Path) -> Path:
    """Where the last look at a workspace is kept: beside it, never in it."""
    return path.with_name(f".{path.name}.look")


def last_look(path: Path, seen: Look, kind: type[_T]) -> _T | None:
    """What was found when the workspace was as it is `seen` now; None: it was never, or is not any more."""
    try:
        look = msgspec.json.decode(look_of(path).read_bytes(), type=_Kept)
        return msgspec.json.decode(look.found, type=kind) if look.fingerprint == seen.fingerprint else None
    except (OSError, msgspec.DecodeError):
        return None


def is_settled(seen: Look) -> bool:
    """Whether a change that the look has not seen would show."""
    has_fine_times = seen.newest_ns % _SECOND_NS != 0
    return has_fine_times and seen.at_ns - seen.newest_ns > _TICKS * _tick_ns()


def keep_look(path: Path, seen: Look, found: object) -> None:
    """Note what was found, if that can be relied on."""
    if not is_settled(seen):
        look_of(path).unlink(missing_ok=True)
        return
    with suppress(OSError):
        look_of(path).write_bytes(
            msgspec.json.encode(_Kept(seen.fingerprint, msgspec.Raw(msgspec.json.encode(found))))
        )


def _tick_ns() -> int:
    try:
        return int(time.clock_getres(_COARSE_CLOCK) * _SECOND_NS)
    except OSError:
        return _SECOND_NS
