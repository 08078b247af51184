"""What a replay reports: what was compared, and where today's code does something else than was recorded."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

DivergenceKind: TypeAlias = Literal["decision", "setup", "request", "move", "outcome"]


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the two sides part.

    `seq` is that of the event (or of the step in RUNS) that was recorded there, of the event that had been folded
    last when nothing was. `recorded` and `replayed` are JSON or words; empty: that side does nothing there.
    """

    kind: DivergenceKind
    seq: int
    where: str
    what: str
    recorded: str
    replayed: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A goal played again. `unrecorded` counts decisions of times when their inputs were not written down yet.

    `missing` names objects that are gone, without which something could not be compared.
    """

    goal_id: str
    events: int
    decisions: int
    requests: int = 0
    moves: int = 0
    unrecorded: int = 0
    missing: tuple[str, ...] = ()
    differences: tuple[Divergence, ...] = ()
