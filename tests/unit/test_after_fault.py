"""How long a task rests while its provider has no room."""

from __future__ import annotations

import pytest

from agenthub_events.base import Event
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskParked
from agenthub_worker.domain.after_fault import backoff_s, overloads_in_a_row

PARKED = TaskParked(task_id="t", attempt=1, reason="overload")
DRAINED = TaskParked(task_id="t", attempt=1, reason="restart")
CALLED = LlmCalled(
    task_id="t", attempt=1, turn=1, model="m", provider="p", stop_reason="end_turn", request_hash="h"
)


@pytest.mark.parametrize(
    ("told", "rests"),
    [
        ([], 0),
        ([PARKED, PARKED], 2),
        ([PARKED, DRAINED, PARKED], 2),
        ([PARKED, PARKED, CALLED], 0),
        ([PARKED, CALLED, PARKED], 1),
    ],
)
def test_rests_are_counted_since_the_last_answer(told: list[Event], rests: int) -> None:
    assert overloads_in_a_row(told) == rests


def test_each_rest_is_twice_as_long_up_to_a_quarter_of_an_hour() -> None:
    assert [backoff_s(rests, None) for rests in (0, 1, 2, 5, 6, 10_000)] == [20, 40, 80, 640, 900, 900]


@pytest.mark.parametrize(
    ("rests", "asked", "rest"), [(0, 1.0, 20), (0, 90.0, 90), (3, 90.0, 160), (9, 3_600, 3_600)]
)
def test_a_provider_that_asks_for_more_gets_it(rests: int, asked: float, rest: float) -> None:
    assert backoff_s(rests, asked) == rest
