"""Estimates: the critical path in minutes, from figures of the plan or from what was measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.catalogue.values import Estimates, PlannedTask
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_orchestrator.domain import estimates
from tests.support.spec import step


def planned(*tasks: object) -> tuple[PlannedTask, ...]:
    return validate_plan(tasks, limits=MANUAL_LIMITS)  # type: ignore[arg-type]


def test_a_chain_adds_up_and_branches_count_with_the_longest() -> None:
    tasks = planned(
        step("a", estimate_minutes=10),
        step("b", "a", estimate_minutes=20),
        step("c", "a", estimate_minutes=5),
        step("d", "b", "c", estimate_minutes=1),
    )
    assert estimates(tasks) == Estimates(tasks=4, minutes=31, minutes_low=15.5, minutes_high=62)


def test_a_task_without_a_figure_counts_by_its_complexity() -> None:
    tasks = planned(step("a", complexity="low"), step("b", "a", complexity="high"))
    assert estimates(tasks).minutes == 45


def test_what_was_measured_counts_more_than_what_was_planned() -> None:
    tasks = planned(step("a", estimate_minutes=100), step("b", "a", agent="testing", estimate_minutes=10))
    known = {"coding": (8.0, 20.0)}
    assert estimates(tasks, known) == Estimates(tasks=2, minutes=18, minutes_low=9, minutes_high=40)


def test_an_empty_plan_takes_no_time() -> None:
    assert estimates(()) == Estimates(tasks=0, minutes=0, minutes_low=0, minutes_high=0)


@given(
    st.lists(st.tuples(st.integers(0, 240), st.booleans()), min_size=1, max_size=30),
    st.floats(0, 100),
    st.floats(0, 100),
)
def test_the_band_encloses_the_figure_and_no_chain_is_longer_than_everything_in_a_row(
    shape: list[tuple[int, bool]], median: float, p90: float
) -> None:
    tasks = planned(
        *(
            step(
                f"n{number}",
                *([f"n{number - 1}"] if chained and number else []),
                agent="coding" if chained else "testing",
                estimate_minutes=minutes,
            )
            for number, (minutes, chained) in enumerate(shape)
        )
    )
    found = estimates(tasks, {"testing": (median, p90)})
    assert found.minutes_low <= found.minutes <= found.minutes_high
    assert found.minutes <= sum(max(task.estimate_minutes, median) for task in tasks) + 0.1
