"""Which waiting orders are lost, unserved or old, by what queues and workers say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from agenthub_orchestrator.domain import Fired, LaneView, Policy, QueuedOrder, QueueWatch, Workers
from agenthub_orchestrator.domain.queued import LOST_AFTER_S, Lane

AT = datetime(2026, 11, 28, 14, tzinfo=UTC)
CODING: Lane = ("coding", "p2")
SERVED = Workers(served=frozenset({"coding"}))
POLICY = Policy()


def order(seq: int, *, claimed: bool = False, agent_type: str = "coding") -> QueuedOrder:
    return QueuedOrder(
        goal_id="g",
        task_id=f"t-{seq}",
        agent_type=agent_type,
        lane="p2",
        seq=seq,
        at=AT,
        claimed=claimed,
        ref=f"{seq}-1" if claimed else str(seq),
        attempt_key=f"g.t-{seq}.1",
    )


def at_work(*seqs: int) -> Workers:
    """Living workers that hold these orders."""
    return Workers(served=frozenset({"coding"}), holding=frozenset(f"g.t-{seq}.1" for seq in seqs))


def seen(
    orders: list[QueuedOrder],
    lane: LaneView | None,
    *,
    after_s: float,
    workers: Workers = SERVED,
    watch: QueueWatch | None = None,
) -> list[Fired]:
    """What two looks at the same sight, `after_s` seconds apart, have found out."""
    lanes: Mapping[Lane, LaneView] = {} if lane is None else {CODING: lane}
    watch = watch or QueueWatch()
    watch.look(orders, lanes, workers, now=AT, monotonic=0.0, policy=POLICY)
    now = AT + timedelta(seconds=after_s)
    found = watch.look(orders, lanes, workers, now=now, monotonic=after_s, policy=POLICY)
    return [fired for _, fired in found]


LOST = [Fired("lost", "t-7", "7")]


@pytest.mark.parametrize(
    ("lane", "found"),
    [
        (LaneView(acked=9, delivered=9, held=0), LOST),
        (LaneView(acked=7, delivered=7, held=0), LOST),
        (LaneView(acked=3, delivered=9, held=0), LOST),
        (LaneView(acked=3, delivered=9, held=1), []),
        (LaneView(acked=3, delivered=6, held=0), []),
        (LaneView(acked=0, delivered=0, held=0), []),
        (None, []),
    ],
    ids=["acknowledged", "the last one", "between", "held", "not given out", "declared anew", "no consumer"],
)
def test_an_order_that_its_consumer_neither_holds_nor_has_pending_is_lost(
    lane: LaneView | None, found: list[Fired]
) -> None:
    assert seen([order(7)], lane, after_s=LOST_AFTER_S) == found


def test_one_look_proves_nothing() -> None:
    lane = LaneView(acked=9, delivered=9, held=0)
    assert seen([order(7)], lane, after_s=LOST_AFTER_S - 1) == []


def test_a_sight_that_was_wrong_in_between_begins_anew() -> None:
    watch, lost = QueueWatch(), LaneView(acked=9, delivered=9, held=0)
    assert seen([order(7)], lost, after_s=LOST_AFTER_S - 1, watch=watch) == []
    fine = {CODING: LaneView(acked=3, delivered=9, held=1)}
    assert watch.look([order(7)], fine, SERVED, now=AT, monotonic=LOST_AFTER_S, policy=POLICY) == []
    again = watch.look([order(7)], {CODING: lost}, SERVED, now=AT, monotonic=LOST_AFTER_S + 1, policy=POLICY)
    assert again == []


def test_what_workers_have_claimed_counts_among_what_the_lane_holds() -> None:
    orders = [order(5, claimed=True), order(6, claimed=True), order(7)]
    both = at_work(5, 6)
    assert seen(orders, LaneView(acked=4, delivered=7, held=2), after_s=LOST_AFTER_S, workers=both) == LOST
    assert seen(orders, LaneView(acked=4, delivered=7, held=3), after_s=LOST_AFTER_S, workers=both) == []


def test_what_a_living_worker_holds_is_never_ordered_again() -> None:
    lane = LaneView(acked=9, delivered=9, held=0)
    assert seen([order(7, claimed=True)], lane, after_s=3_600, workers=at_work(7)) == []


@pytest.mark.parametrize(
    ("lane", "found"),
    [
        (LaneView(acked=9, delivered=9, held=0), [Fired("lost", "t-7", "7-1")]),
        (LaneView(acked=3, delivered=9, held=0), [Fired("lost", "t-7", "7-1")]),
        (LaneView(acked=3, delivered=9, held=1), []),
        (None, []),
    ],
    ids=["acknowledged", "between", "comes again by itself", "no consumer"],
)
def test_a_claimed_order_is_lost_with_its_worker_only(lane: LaneView | None, found: list[Fired]) -> None:
    assert seen([order(7, claimed=True)], lane, after_s=LOST_AFTER_S, workers=at_work(8)) == found
    assert seen([order(7, claimed=True)], lane, after_s=LOST_AFTER_S - 1, workers=at_work(8)) == []


def test_a_worker_that_is_heard_again_in_between_has_lost_nothing() -> None:
    watch, lane = QueueWatch(), LaneView(acked=9, delivered=9, held=0)
    silent, claimed = at_work(), order(7, claimed=True)
    assert seen([claimed], lane, after_s=LOST_AFTER_S - 1, workers=silent, watch=watch) == []
    for monotonic, workers in ((LOST_AFTER_S, at_work(7)), (LOST_AFTER_S + 1, silent)):
        lanes = {CODING: lane}
        assert watch.look([claimed], lanes, workers, now=AT, monotonic=monotonic, policy=POLICY) == []


def test_a_type_that_nobody_serves_is_told_after_the_stall_time() -> None:
    lane, nobody = LaneView(acked=0, delivered=0, held=0), Workers(served=frozenset({"review"}))
    assert seen([order(7)], lane, after_s=POLICY.stall_after_s - 1, workers=nobody) == []
    assert seen([order(7)], lane, after_s=POLICY.stall_after_s, workers=nobody) == [Fired("unserved", "t-7", "7")]
    hindered = Workers(served=frozenset(), problems={"coding": "Worker a cannot start: no sandbox"})
    (fired,) = seen([order(7)], lane, after_s=POLICY.stall_after_s, workers=hindered)
    assert fired.detail == "Worker a cannot start: no sandbox"


def test_an_order_that_waits_too_long_behind_others_is_told() -> None:
    lane = LaneView(acked=0, delivered=0, held=0)
    assert seen([order(7)], lane, after_s=POLICY.queue_age_s - 1) == []
    assert seen([order(7)], lane, after_s=POLICY.queue_age_s) == [Fired("queued", "t-7", "7")]


def test_nobody_is_asked_why_an_order_waits_in_a_queue_that_people_hold() -> None:
    held = LaneView(acked=0, delivered=0, held=0, paused=True)
    nobody = Workers(served=frozenset())
    long = 10 * max(POLICY.queue_age_s, POLICY.stall_after_s)
    assert seen([order(7)], held, after_s=long) == []
    assert seen([order(7)], held, after_s=long, workers=nobody) == []
    # What was acknowledged without an end is lost, held or not.
    assert seen([order(7)], LaneView(acked=9, delivered=9, held=0, paused=True), after_s=LOST_AFTER_S) == LOST


def test_what_an_order_waited_for_a_held_queue_is_not_its_age() -> None:
    watch, lane = QueueWatch(), LaneView(acked=0, delivered=0, held=0)
    held = LaneView(acked=0, delivered=0, held=0, paused=True)
    until = 2 * POLICY.queue_age_s
    assert seen([order(7)], held, after_s=until, watch=watch) == []
    soon, late = until + 1, until + POLICY.queue_age_s
    for after_s, found in ((soon, []), (late - 1, []), (late, [Fired("queued", "t-7", "7")])):
        now = AT + timedelta(seconds=after_s)
        told = watch.look([order(7)], {CODING: lane}, SERVED, now=now, monotonic=after_s, policy=POLICY)
        assert [fired for _, fired in told] == found
