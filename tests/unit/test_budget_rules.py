"""The ledger of a goal: whatever happens in whatever order, what is promised never exceeds the limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.base import Event
from agenthub_events.catalogue.money import BudgetReserved, BudgetSettled
from agenthub_events.rules.budget import Ledger, Slice, Spent, fold, settlements
from agenthub_worker.domain.budget import Limits, NoRoom, covers, next_slice, slice_size


def after(ledger: Ledger, *events: Event) -> Ledger:
    for seq, event in enumerate(events, 1):
        fold(ledger, seq, event)
    return ledger


def reserve(ledger: Ledger, limits: Limits, task: str = "t", worst: float | None = 0.0) -> BudgetReserved | NoRoom:
    return next_slice(ledger, limits, task_id=task, attempt=1, worst_call_usd=worst)


@pytest.mark.parametrize(("left", "size"), [(1, 1), (31, 1), (64, 2), (320, 10), (100_000, 10)])
def test_a_slice_leaves_room_for_others(left: int, size: int) -> None:
    assert slice_size(left) == size


def test_the_last_call_can_be_reserved_and_none_after_it() -> None:
    limits = Limits(max_llm_calls=1)
    first = reserve(Ledger(), limits)
    assert isinstance(first, BudgetReserved)
    assert isinstance(reserve(after(Ledger(), first), limits, "u"), NoRoom)


def test_money_bounds_the_slice_and_an_unknown_price_is_refused_under_a_limit_that_was_set() -> None:
    limits = Limits(max_llm_calls=1_000, max_cost_usd=0.5, prices_known=True)
    some = reserve(Ledger(), limits, worst=0.2)
    assert isinstance(some, BudgetReserved)
    assert some.calls == 2
    assert some.cost_usd == pytest.approx(0.4)
    assert isinstance(reserve(Ledger(), limits, worst=0.6), NoRoom)
    assert isinstance(reserve(Ledger(), limits, worst=None), NoRoom)


def test_without_a_limit_that_was_set_known_prices_are_bounded_by_the_default_and_others_by_calls() -> None:
    limits = Limits(max_llm_calls=2)
    dear = reserve(Ledger(), limits, worst=50.0)
    assert isinstance(dear, BudgetReserved)
    assert isinstance(reserve(after(Ledger(), dear), limits, "u", worst=0.01), NoRoom)
    local = reserve(Ledger(), limits, worst=None)
    assert isinstance(local, BudgetReserved)
    assert (local.calls, local.cost_usd) == (1, 0.0)
    piece = Slice(task_id="t", attempt=1, number=1, calls=1, cost_usd=0.0)
    assert covers([piece], Spent(), limits, None)
    assert not covers([piece], Spent(calls=1, cost_usd=None), limits, None)


def test_settling_frees_what_was_not_used_and_an_unknown_cost_keeps_what_was_reserved() -> None:
    taken = BudgetReserved(task_id="t", attempt=1, slice=1, calls=10, cost_usd=1.0)
    known = BudgetSettled(task_id="t", attempt=1, slice=1, calls=3, unknown_calls=1, cost_usd=0.25)
    ledger = after(Ledger(), taken, known)
    assert (ledger.committed_calls, ledger.committed_cost_usd) == (4, 0.25)
    unknown = BudgetSettled(task_id="t", attempt=1, slice=1, calls=3, cost_usd=None)
    assert after(Ledger(), taken, unknown).committed_cost_usd == 1.0


def test_settling_twice_counts_once() -> None:
    taken = BudgetReserved(task_id="t", attempt=1, slice=1, calls=10)
    settled = BudgetSettled(task_id="t", attempt=1, slice=1, calls=3)
    assert after(Ledger(), taken, settled, settled).committed_calls == 3


def test_a_call_without_room_in_its_slices_is_not_covered() -> None:
    piece = Slice(task_id="t", attempt=1, number=1, calls=2, cost_usd=0.4)
    free, dear = Limits(max_llm_calls=9), Limits(max_llm_calls=9, max_cost_usd=1.0, prices_known=True)
    assert covers([piece], Spent(calls=1), free, None)
    assert not covers([piece], Spent(calls=1, unknown_calls=1), free, None)
    assert covers([piece], Spent(calls=1, cost_usd=0.2), dear, 0.2)
    assert not covers([piece], Spent(calls=1, cost_usd=0.3), dear, 0.2)
    assert not covers([piece], Spent(calls=1, cost_usd=None), dear, 0.2)


def test_what_a_settled_slice_has_given_back_covers_no_further_call() -> None:
    taken = BudgetReserved(task_id="t", attempt=1, slice=1, calls=10, cost_usd=1.0)
    settled = BudgetSettled(task_id="t", attempt=1, slice=1, calls=3, unknown_calls=1, cost_usd=0.25)
    spent = Spent(calls=3, unknown_calls=1, cost_usd=0.25)
    ledger = after(Ledger(), taken, settled)
    assert not covers(ledger.of_attempt("t", 1), spent, Limits(max_llm_calls=500), None)
    another = next_slice(ledger, Limits(max_llm_calls=500), task_id="t", attempt=1, worst_call_usd=0.1)
    assert isinstance(another, BudgetReserved)
    held = after(ledger, another).of_attempt("t", 1)
    assert covers(held, spent, Limits(max_llm_calls=500, max_cost_usd=5.0), 0.1)
    assert not covers(held, spent, Limits(max_llm_calls=500, max_cost_usd=5.0), 1.1)
    rest = settlements(held, Spent(calls=5, unknown_calls=1, cost_usd=0.4))
    assert [event.calls + event.unknown_calls for event in rest] == [2]


slices = st.lists(st.tuples(st.integers(1, 10), st.floats(0, 1)), min_size=1, max_size=5)


@given(slices, st.integers(0, 60), st.integers(0, 5), st.floats(0, 6))
def test_settlements_add_up_to_what_was_spent(
    sizes: list[tuple[int, float]], calls: int, unknown: int, cost: float
) -> None:
    held = [Slice(task_id="t", attempt=1, number=i, calls=n, cost_usd=usd) for i, (n, usd) in enumerate(sizes, 1)]
    events = settlements(held, Spent(calls=calls, unknown_calls=unknown, cost_usd=cost))
    assert sum(event.calls for event in events) == calls
    assert sum(event.unknown_calls for event in events) == unknown
    assert sum(event.cost_usd or 0.0 for event in events) == pytest.approx(cost)


@given(
    st.integers(1, 200),
    st.floats(0.01, 20),
    st.lists(st.tuples(st.integers(0, 5), st.floats(0.0, 2.0), st.booleans()), max_size=60),
)
def test_i7_no_order_of_reserving_and_settling_commits_more_than_the_limit(
    calls: int, cost: float, moves: list[tuple[int, float, bool]]
) -> None:
    limits = Limits(max_llm_calls=calls, max_cost_usd=cost)
    ledger = Ledger()
    for number, (task, worst, settle) in enumerate(moves):
        attempt = number + 1
        event = next_slice(ledger, limits, task_id=f"t{task}", attempt=attempt, worst_call_usd=worst)
        if isinstance(event, NoRoom):
            continue
        ledger = after(ledger, event)
        if settle:
            held = ledger.of_attempt(f"t{task}", attempt)
            ledger = after(ledger, *settlements(held, Spent(calls=event.calls, cost_usd=event.cost_usd)))
        assert ledger.committed_calls <= calls
        assert ledger.committed_cost_usd <= cost + 1e-6
