"""Values over time in one line of eight heights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_HEIGHTS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], columns: int) -> str:
    """The values in at most `columns`, each the highest of those it stands for; a dot where there is none."""
    if not values or columns <= 0:
        return ""
    shown = values if len(values) <= columns else [_highest(part) for part in _parts(values, columns)]
    top = max((value for value in shown if value is not None), default=0.0)
    return "".join("·" if value is None else _height(value, top) for value in shown)


def _parts(values: Sequence[float | None], columns: int) -> list[Sequence[float | None]]:
    ends = [round(number * len(values) / columns) for number in range(columns + 1)]
    return [values[start:end] for start, end in pairwise(ends)]


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _height(value: float, top: float) -> str:
    share = max(value, 0.0) / top if top > 0 else 0.0
    return _HEIGHTS[min(len(_HEIGHTS) - 1, int(share * len(_HEIGHTS)))]
