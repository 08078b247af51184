"""What people may tell a goal."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from agenthub_events.catalogue.values import PlannedTask, Priority


class Approve(msgspec.Struct, frozen=True, kw_only=True):
    """Accept the result that the person saw at `ready_seq`."""

    by: str
    request_id: str
    ready_seq: int


class Rework(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for changes, on a goal that runs or is finished. Without a `priority` it keeps the one that it has."""

    by: str
    request_id: str
    feedback: str
    priority: Priority | None = None


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """Stop the goal for good."""

    by: str
    request_id: str
    reason: str = ""


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Start nothing new."""

    by: str
    request_id: str
    reason: str = ""


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Go on."""

    by: str
    request_id: str


class RequestTests(msgspec.Struct, frozen=True, kw_only=True):
    """Run the tests now."""

    by: str
    request_id: str


class RaiseBudget(msgspec.Struct, frozen=True, kw_only=True):
    """Allow more calls or more money."""

    by: str
    request_id: str
    max_cost_usd: float | None = None
    max_llm_calls: int | None = None


class Reprioritize(msgspec.Struct, frozen=True, kw_only=True):
    """Move the goal in the queues."""

    by: str
    request_id: str
    priority: Priority


class Erase(msgspec.Struct, frozen=True, kw_only=True):
    """Erase what a finished goal keeps beside the log."""

    by: str
    request_id: str
    reason: str = ""


class ApprovePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Let the plan of this revision begin."""

    by: str
    request_id: str
    revision: int


class EditPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Replace the not yet approved plan of this revision."""

    by: str
    request_id: str
    revision: int
    tasks: tuple[PlannedTask, ...]
    dropped: tuple[str, ...]


GoalCommand: TypeAlias = (
    Approve
    | Rework
    | Cancel
    | Pause
    | Resume
    | RequestTests
    | RaiseBudget
    | Reprioritize
    | Erase
    | ApprovePlan
    | EditPlan
)
