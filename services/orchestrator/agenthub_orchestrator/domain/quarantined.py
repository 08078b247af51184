"""What a part of the hub has given up on, so that everything else goes on."""

from __future__ import annotations

from typing import NamedTuple


class Quarantined(NamedTuple):
    """An aggregate that is left out from the message `seq` on; a goal's id stands for all of the goal."""

    aggregate: str
    goal_id: str
    seq: int
    reason: str
