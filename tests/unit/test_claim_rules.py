"""Rule 2: who may run an attempt, decided from the log alone."""

from __future__ import annotations

import msgspec

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue.task import TaskCancelled, TaskEnqueued, TaskFailed, TaskNoted, TaskStarted
from agenthub_events.ports import Recorded
from agenthub_events.serialization.codec import Unreadable
from agenthub_worker.domain.claim_decision import (
    ACK_WAIT_S,
    AckAndLeave,
    Claim,
    ClaimDecision,
    FailCrashed,
    NakLater,
    TakeOver,
    claim_decision,
    still_held,
)

ORDER = TaskEnqueued(
    task_id="t", agent="coding", agent_type="coding", attempt=2, lane="p2", title="x", timeout_s=9,
    originator_version=4,
)  # fmt: skip


def tail(*events: Event | Unreadable) -> list[Recorded]:
    return [Recorded(seq=11 + i, subject="evt.g.t.x.y", event=event) for i, event in enumerate(events)]


def started(delivery: int, instance: str = "a", attempt: int = 2) -> TaskStarted:
    return TaskStarted(
        task_id="t",
        attempt=attempt,
        worker="W",
        agent="coding",
        instance=instance,
        delivery=delivery,
        ack_subject="",
    )


def decide(*events: Event | Unreadable, delivery: int = 1, alive: bool = False) -> ClaimDecision:
    return claim_decision(order_seq=10, order=ORDER, delivery=delivery, tail=tail(*events), holder_alive=alive)


def test_a_fresh_order_is_claimed_right_behind_it() -> None:
    assert decide() == Claim(Fence(10, 4))


def test_a_note_between_order_and_claim_moves_the_fence() -> None:
    assert decide(TaskNoted(task_id="t", by="ann", text="hurry")) == Claim(Fence(11, 5))


def test_a_closed_or_newer_attempt_is_acknowledged_and_left() -> None:
    assert isinstance(decide(TaskCancelled(task_id="t", reason="r")), AckAndLeave)
    assert isinstance(decide(started(1), ORDER, delivery=2), AckAndLeave)


def test_a_dead_holder_is_taken_over_on_the_tail() -> None:
    assert decide(started(1), delivery=2) == TakeOver(Fence(11, 5))


def test_a_holder_that_says_it_is_alive_is_left_alone_for_a_moment() -> None:
    decision = decide(started(1), delivery=2, alive=True)
    assert isinstance(decision, NakLater)
    assert decision.delay_s < ACK_WAIT_S


def test_an_older_delivery_runs_nothing() -> None:
    assert isinstance(decide(started(2), delivery=2), NakLater)
    assert isinstance(decide(started(3), delivery=2), NakLater)


def test_the_fourth_claim_of_one_attempt_is_a_crash() -> None:
    assert decide(started(1), started(2), started(3), delivery=4) == FailCrashed(Fence(13, 7), 3)


def test_claims_of_earlier_attempts_do_not_count() -> None:
    assert decide(started(9, attempt=1)) == Claim(Fence(11, 5))


def test_nothing_is_run_on_a_message_that_cannot_be_read() -> None:
    assert isinstance(decide(Unreadable(b"{", "bad")), NakLater)


def test_a_hold_survives_notes_and_its_own_events_and_ends_with_anything_else() -> None:
    note = TaskNoted(task_id="t", by="ann", text="hurry")
    assert still_held(tail(note, started(1)), "a", 1)
    assert not still_held(tail(started(2, "b")), "a", 1)
    assert not still_held(tail(TaskCancelled(task_id="t", reason="r")), "a", 1)
    assert not still_held(tail(Unreadable(b"{", "bad", "task.cancelled")), "a", 1)


def test_what_workers_of_another_type_write_takes_no_claim_and_ends_no_hold() -> None:
    closing = TaskFailed(task_id="t", attempt=2, failure_class="model", reason="forged", originator_id="g.t")
    claim = msgspec.structs.replace(started(7, "mallory"), originator_id="g.t")
    forged: tuple[Event | Unreadable, ...] = (claim, closing, Unreadable(b"{", "bad", "task.failed"))
    foreign = [
        Recorded(seq=11 + number, subject=f"evt.g.t.{event.type}.review", event=event)
        for number, event in enumerate(forged)
    ]
    decision = claim_decision(order_seq=10, order=ORDER, delivery=1, tail=foreign, holder_alive=False)
    assert decision == Claim(Fence(13, 7))
    own = [Recorded(seq=14, subject="evt.g.t.task.failed.coding", event=closing)]
    decision = claim_decision(order_seq=10, order=ORDER, delivery=1, tail=[*foreign, *own], holder_alive=False)
    assert isinstance(decision, AckAndLeave)
