"""Times of many calls in little room: no quantile is further off than was promised."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_runtime.readmodels.latencies import quantile_s, with_one_more


def counted(times: list[int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for time in times:
        counts = with_one_more(counts, time)
    return counts


@given(st.lists(st.integers(20, 3_600_000), min_size=1), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_true_to_5_percent(times: list[int], share: float) -> None:
    exact = sorted(times)[math.ceil(share * len(times)) - 1] / 1_000
    assert quantile_s(counted(times).items(), share) == pytest.approx(exact, rel=0.050_001)


def test_what_took_no_time_counts_and_without_a_call_nothing_is_said() -> None:
    assert quantile_s(counted([0, 0, 0]).items(), 0.95) == 0.001
    assert quantile_s([], 0.95) is None
