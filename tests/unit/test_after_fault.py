"""What follows from a fault of the model's server, and how long a task rests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentAnswered
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskEnqueued, TaskParked, TaskRequeued
from agenthub_events.runs import Closed, Resumed, Step, TurnFailed, TurnIntent, TurnReply
from agenthub_worker.domain.after_fault import (
    MAX_RESTS,
    AfterFault,
    AskAgain,
    Rest,
    after_fault,
    after_rests,
    attempts_since_answered,
    backoff_s,
    faults_in_a_row,
    overloads_in_a_row,
)
from agenthub_worker.domain.model import FaultKind, ModelFault
from agenthub_worker.domain.outcomes import Blocked, Failed, Parked

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


def failed(fault: str) -> TurnFailed:
    return TurnFailed(turn=1, tries=1, may_be_billed=True, reason="r", fault=fault)


HUNG, CUT = failed("hung"), failed("transient")
INTENT = TurnIntent(turn=1, tries=1, request_hash="h", model="m")
REPLY = TurnReply(turn=1, tries=1, request_hash="h", model="m", provider="p", stop_reason="end_turn", content=())


@pytest.mark.parametrize(
    ("steps", "row"),
    [
        ([], 0),
        ([INTENT, HUNG, INTENT, HUNG], 2),
        ([HUNG, Resumed(instance="i", worker="w", delivery=1), INTENT, HUNG, Closed(reason="over")], 2),
        ([HUNG, HUNG, REPLY, HUNG], 1),
        ([HUNG, HUNG, CUT, HUNG], 1),
        ([HUNG, CUT], 0),
        ([HUNG, failed("")], 0),
    ],
)
def test_faults_in_a_row_end_at_an_answer_or_at_another_fault(steps: list[Step], row: int) -> None:
    assert faults_in_a_row(steps, "hung") == row


def order(attempt: int, instead_of: int = 0) -> TaskEnqueued:
    return TaskEnqueued(
        task_id="t",
        agent="coding",
        agent_type="coding",
        attempt=attempt,
        lane="p2",
        title="T",
        timeout_s=60,
        instead_of=instead_of,
    )


ANSWERED = AgentAnswered(action="retry", by="anna", blocked_seq=1)


@pytest.mark.parametrize(
    ("told", "attempts"),
    [
        ([order(1), DRAINED, order(2)], [1, 2]),
        ([order(1), order(1, instead_of=1), order(2)], [1, 2]),
        ([order(1), order(2), ANSWERED, order(3)], [3]),
        ([order(1), TaskRequeued(task_id="t", by="anna"), order(2), PARKED, order(3)], [2, 3]),
        ([], []),
    ],
)
def test_attempts_are_counted_since_somebody_decided_how_the_task_goes_on(
    told: list[Event], attempts: list[int]
) -> None:
    assert attempts_since_answered(told) == attempts


def test_each_rest_is_twice_as_long_up_to_a_quarter_of_an_hour() -> None:
    assert [backoff_s(rests, None) for rests in (0, 1, 2, 5, 6, 10_000)] == [20, 40, 80, 640, 900, 900]


@pytest.mark.parametrize(
    ("rests", "asked", "rest"), [(0, 1.0, 20), (0, 90.0, 90), (3, 90.0, 160), (9, 3_600, 3_600)]
)
def test_a_provider_that_asks_for_more_gets_it(rests: int, asked: float, rest: float) -> None:
    assert backoff_s(rests, asked) == rest


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def followed(kind: FaultKind, tries: int = 1, in_a_row: int = 1, answered: int = 1) -> AfterFault:
    return after_fault(ModelFault(kind, "words"), tries=tries, in_a_row=in_a_row, answered=answered)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("config", Parked(reason="config", detail="words")),
        ("refused", Failed(failure_class="model", reason="words")),
        ("too_long", Failed(failure_class="limit", reason="words")),
        ("rejected", Failed(failure_class="invalid", reason="words")),
    ],
)
def test_what_no_retry_mends_ends_the_attempt_at_once(kind: FaultKind, outcome: AfterFault) -> None:
    assert followed(kind) == outcome


def test_a_request_that_is_turned_down_from_the_first_is_a_matter_of_settings() -> None:
    assert followed("rejected", answered=0) == Parked(reason="config", detail="words")


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("unreachable", Parked(reason="unreachable", detail="words")),
        ("garbled", Parked(reason="config", detail="words")),
        ("invalid", Failed(failure_class="invalid", reason="words")),
    ],
)
def test_the_third_of_a_kind_in_a_row_ends_the_attempt(kind: FaultKind, outcome: AfterFault) -> None:
    assert [type(followed(kind, n, n)) for n in (1, 2)] == [AskAgain, AskAgain]
    assert followed(kind, 3, 3) == outcome


def test_the_third_hung_call_in_a_row_asks_a_person() -> None:
    asked = followed("hung", 3, 3)
    assert isinstance(asked, Blocked)
    assert "words" in asked.question


@pytest.mark.parametrize("kind", ["transient", "overload"])
def test_passing_trouble_rests_after_four_tries(kind: FaultKind) -> None:
    assert [type(followed(kind, n, n)) for n in (1, 3, 4)] == [AskAgain, AskAgain, Rest]


def test_a_long_wait_that_the_provider_wants_is_left_to_the_queue() -> None:
    fault = ModelFault("overload", "words", retry_after_s=60)
    assert after_fault(fault, tries=1, in_a_row=1, answered=0) == Rest(60)


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_no_fault_is_asked_for_again_without_end(kind: FaultKind) -> None:
    """Even when kinds take turns, so that none is ever the third in a row."""
    assert not isinstance(followed(kind, tries=8, in_a_row=1), AskAgain)
    assert not isinstance(followed(kind, tries=10_000, in_a_row=10_000), AskAgain)


def test_trouble_that_is_no_limit_is_put_to_a_person_after_most_of_an_hour_of_rests() -> None:
    for kind, ends in (("transient", Blocked), ("overload", Parked), ("hung", Blocked)):
        fault = ModelFault(kind, "words")  # type: ignore[arg-type]
        last = after_rests(fault, rests=MAX_RESTS, asked_s=None, now=NOW, spread=0.0)
        assert isinstance(last, ends)
        before = after_rests(fault, rests=MAX_RESTS - 1, asked_s=None, now=NOW, spread=0.0)
        assert isinstance(before, Parked)
        assert before.until is not None
