"""How long many calls took, in little room: counts by steps of time, each 9 % longer than the one before."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

_STEPS_A_DOUBLING = 8


def with_one_more(counts: Mapping[str, int], milliseconds: int) -> dict[str, int]:
    """The counts, and one call of this length."""
    step = str(round(math.log2(max(milliseconds, 1)) * _STEPS_A_DOUBLING))
    return {**counts, step: counts.get(step, 0) + 1}


def quantile_s(counted: Iterable[tuple[str, int]], share: float) -> float | None:
    """The time in seconds, to 5 %, within which this share of all calls was answered; None without a call."""
    steps = sorted((int(step), count) for step, count in counted if count > 0)
    left = math.ceil(share * sum(count for _, count in steps))
    for step, count in steps:
        left -= count
        if left <= 0:
            return round(math.pow(2.0, step / _STEPS_A_DOUBLING)) / 1_000
    return None
