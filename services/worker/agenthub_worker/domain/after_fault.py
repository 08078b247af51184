"""What follows from a fault of the model's server: ask again, rest, or end the attempt with words for people.

A fault that the same request would only meet again is never asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentAnswered
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskEnqueued, TaskParked, TaskRequeued
from agenthub_events.rules.answer_options import TRY_AGAIN
from agenthub_events.runs import Step, TurnFailed, TurnReply
from agenthub_events.serialization.codec import Unreadable
from agenthub_worker.domain.model import ModelFault
from agenthub_worker.domain.outcomes import AttemptOutcome, Blocked, Failed, Parked

FIRST_BACKOFF_S = 20.0
LONGEST_BACKOFF_S = 900.0
MAX_TRIES = 4
# How often in a row the same thing may go wrong where a fourth try would bring nothing new.
SAME_FAULTS = 3
# After so many rests in a row, most of an hour, trouble that the server does not call a limit is put to a person.
MAX_RESTS = 6
# Longer waits belong to the queue: a slot is not held through an outage.
LONGEST_WAIT_S = 5.0
_FIRST_WAIT_S = 0.5
# A server that is being started again needs some seconds.
_UNREACHABLE_WAITS_S = (2.0, 5.0)


class AskAgain(msgspec.Struct, frozen=True):
    """The same turn, after `wait_s` seconds."""

    wait_s: float


class Rest(msgspec.Struct, frozen=True):
    """Give the slot free and come back later; `asked_s`: how long the provider wants it, where it says so."""

    asked_s: float | None


AfterFault: TypeAlias = AskAgain | Rest | AttemptOutcome


def after_fault(fault: ModelFault, *, tries: int, in_a_row: int, answered: int) -> AfterFault:
    """What follows from the newest fault of a turn.

    `tries` of this turn, `in_a_row` faults of this kind without any other or an answer between them (those of a
    hung server also in earlier attempts), after `answered` calls of the attempt.
    """
    ended = _at_once(fault, answered) or (_after_the_same(fault, in_a_row) if in_a_row >= SAME_FAULTS else None)
    if ended is not None:
        return ended
    wait = _wait(fault, tries, in_a_row)
    most = MAX_TRIES if fault.kind in ("transient", "overload") else 2 * MAX_TRIES
    return Rest(fault.retry_after_s) if tries >= most or wait > LONGEST_WAIT_S else AskAgain(wait)


def _at_once(fault: ModelFault, answered: int) -> AttemptOutcome | None:
    match fault.kind:
        case "config":
            return Parked(reason="config", detail=fault.message)
        case "refused":
            return Failed(failure_class="model", reason=fault.message)
        case "too_long":
            return Failed(failure_class="limit", reason=fault.message)
        case "rejected" if answered == 0:
            # Nothing but what this hub always sends was in it, so every other task would fare the same.
            return Parked(reason="config", detail=fault.message)
        case "rejected":
            return Failed(failure_class="invalid", reason=fault.message)
    return None


def _after_the_same(fault: ModelFault, in_a_row: int) -> AttemptOutcome | None:
    match fault.kind:
        case "unreachable":
            return Parked(reason="unreachable", detail=fault.message)
        case "hung":
            return _ask_person(f"The model server hung {in_a_row} times in a row: {fault.message}")
        case "garbled":
            return Parked(reason="config", detail=fault.message)
        case "invalid":
            return Failed(failure_class="invalid", reason=fault.message)
    return None


def _wait(fault: ModelFault, tries: int, in_a_row: int) -> float:
    if fault.kind == "invalid":
        return 0.0
    if fault.kind == "unreachable":
        return _UNREACHABLE_WAITS_S[min(in_a_row, len(_UNREACHABLE_WAITS_S)) - 1]
    asked = fault.retry_after_s
    doubled: float = _FIRST_WAIT_S * 2.0 ** (min(tries, 2 * MAX_TRIES) - 1)
    return asked if asked is not None else min(doubled, LONGEST_WAIT_S)


def after_rests(
    fault: ModelFault, *, rests: int, asked_s: float | None, now: datetime, spread: float
) -> AttemptOutcome:
    """How an attempt ends that has to rest, after `rests` rests in a row. `spread`: at random, from 0 up to 1."""
    if rests >= MAX_RESTS and fault.kind != "overload":
        return _ask_person(f"The model server still fails after {rests} rests: {fault.message}")
    until = now + timedelta(seconds=backoff_s(rests, asked_s) * (1 + spread / 4))
    return Parked(reason="overload", detail=fault.message, until=until)


def _ask_person(question: str) -> Blocked:
    return Blocked(question=question, options=(TRY_AGAIN,), reason="provider")


def overloads_in_a_row(told: Iterable[Event | Unreadable]) -> int:
    """How often the task of these events was parked for overload since a model last answered it."""
    rests = 0
    for event in told:
        match event:
            case LlmCalled():
                rests = 0
            case TaskParked(reason="overload"):
                rests += 1
    return rests


def attempts_since_answered(told: Iterable[Event | Unreadable]) -> list[int]:
    """The attempts of the task of these events, in their order, since somebody last decided how it goes on."""
    attempts: list[int] = []
    for event in told:
        match event:
            case AgentAnswered() | TaskRequeued():
                attempts = []
            case TaskEnqueued(attempt=attempt) if attempt not in attempts:
                attempts.append(attempt)
    return attempts


def faults_in_a_row(steps: Iterable[Step], kind: str) -> int:
    """How often the server has shown this fault, and nothing else, at the end of these recorded steps."""
    row = 0
    for step in steps:
        match step:
            case TurnReply():
                row = 0
            case TurnFailed(fault=fault):
                row = row + 1 if fault == kind else 0
    return row


def backoff_s(rests: int, asked_s: float | None) -> float:
    """Seconds to rest after `rests` rests in a row; a longer wait that the provider asks for is granted."""
    doubled: float = FIRST_BACKOFF_S * 2.0 ** min(rests, 16)
    return max(asked_s or 0.0, min(doubled, LONGEST_BACKOFF_S))
