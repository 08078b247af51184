"""What listeners are told when a person is needed: the same on WebSocket, SSE and webhook."""

from __future__ import annotations

from typing import Literal

import msgspec

INTERVENTION = "intervention_required"
MESSAGE = "Agents need your input to continue"


class BlockedTask(msgspec.Struct, frozen=True):
    """A task, or a goal as a whole (`_`), that waits for a person."""

    task_id: str
    title: str
    blocker_reason: str


class InterventionRequired(msgspec.Struct, frozen=True, kw_only=True):
    """Agents of one goal cannot go on without a person."""

    type: Literal["intervention_required"] = "intervention_required"
    workflow_id: str
    blocked_tasks: tuple[BlockedTask, ...]
    message: str = MESSAGE


def blocker_reason(question: str, error: str) -> str:
    """Why a person is needed, in the words of who asked."""
    return f"{question} ({error})" if error and error not in question else question
