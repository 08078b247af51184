"""How an agent and the log are told of what does not become part of a result."""

from __future__ import annotations

from collections.abc import Sequence

from agenthub_events.catalogue.values import LeftOut
from agenthub_runtime.repository.shown_paths import shown_path

_KEPT = 100
_TOLD = 20


def is_at(path: str, left: LeftOut) -> bool:
    """Whether a file is what was left out, or lies in it."""
    place = left.path.rstrip("/")
    return path == place or path.startswith(f"{place}/")


def left_out_text(left_out: Sequence[LeftOut]) -> str:
    """The words of a tool's receipt."""
    lines = [f"- {shown_path(left.path)}: {left.reason}" for left in left_out[:_TOLD]]
    more = [f"- and {len(left_out) - _TOLD} more"] if len(left_out) > _TOLD else []
    return "\n".join(
        [
            "NOT part of the result, as it is now; nobody after you will have it:",
            *lines,
            *more,
            "Where the work needs it, put it elsewhere or change the rule that leaves it out.",
        ]
    )


def kept_left_out(left_out: Sequence[LeftOut]) -> tuple[LeftOut, ...]:
    """As many as an event has room for; the last one says how many more there were."""
    kept = tuple(LeftOut(path=shown_path(left.path), reason=left.reason) for left in left_out[:_KEPT])
    missing = len(left_out) - _KEPT
    return (*kept, LeftOut(path="", reason=f"and {missing} more")) if missing > 0 else kept
