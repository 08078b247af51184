"""What goes into a decision besides the fold, and what comes out of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from agenthub_events.base import Draft
from agenthub_events.rules.budget import Slice
from agenthub_events.runs import RunId

TimerKind: TypeAlias = Literal["retry", "attempt", "deadline", "park", "escalate", "stall"]


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """A slice to be settled for an attempt that has ended, and the run that says how much of it was used.

    `slices` are all of the attempt, in order; `number` is the one to settle.
    """

    run: RunId
    slices: tuple[Slice, ...]
    number: int


class Due(msgspec.Struct, frozen=True):
    """An event that should be in the log and is not yet.

    `context` is the object that the event names by its digest (`TaskEnqueued.context_ref`, `SealRecorded.sha256`):
    it must be stored before the draft is appended. None when the event names no object. With a `charge` the draft
    settles a slice as if all of it had been used: `ledger.charged` puts in what the run shows, once it is closed.
    """

    draft: Draft
    context: bytes | None = None
    charge: Charge | None = None


class Fired(msgspec.Struct, frozen=True):
    """A timer that has fired, as an input: `kind`, `task_id` (`_` for the goal) and `ref` are as requested.

    The kind `advisory` is no timer: the server has given up delivering the order of attempt `ref` of the task. Nor
    are `lost`, `unserved` and `queued`: they say of the order `ref` (its sequence) that no queue has it any more,
    that no running worker serves it (`detail`: what hinders one), and that it has waited for long.
    """

    kind: str
    task_id: str
    ref: str
    detail: str = ""


class TimerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A timer that should be set. Either `due` is a date, or the timer is to run `after_s` seconds from now on.

    There is at most one request for each (kind, task); a changed `ref` means that the timer has to be moved. A
    request with `after_s` counts from the moment when the fold has first shown it.
    """

    kind: TimerKind
    goal_id: str
    task_id: str
    ref: str
    due: datetime | None = None
    after_s: float | None = None
