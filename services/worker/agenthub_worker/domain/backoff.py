"""How long a task rests that the provider has no room for: longer each time, until a call of it is answered."""

from __future__ import annotations

from collections.abc import Iterable

from agenthub_events.base import Event
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskParked
from agenthub_events.serialization.codec import Unreadable

FIRST_BACKOFF_S = 20.0
LONGEST_BACKOFF_S = 900.0


def overloads_in_a_row(told: Iterable[Event | Unreadable]) -> int:
    """How often the task of these events was parked for overload since a model last answered it."""
    rests = 0
    for event in told:
        match event:
            case LlmCalled():
                rests = 0
            case TaskParked(reason="overload"):
                rests += 1
    return rests


def backoff_s(rests: int, asked_s: float | None) -> float:
    """Seconds to rest after `rests` rests in a row; a longer wait that the provider asks for is granted."""
    doubled: float = FIRST_BACKOFF_S * 2.0 ** min(rests, 16)
    return max(asked_s or 0.0, min(doubled, LONGEST_BACKOFF_S))
