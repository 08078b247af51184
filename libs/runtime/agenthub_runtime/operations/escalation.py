"""What becomes of unanswered questions, as the services say that see to it: orchestrators and notifiers."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec
from nats.aio.client import Client

from agenthub_events.notifications.escalation import Audience, Escalation
from agenthub_events.ports import Clock
from agenthub_runtime.operations.registry import any_service

ESCALATION, AUDIENCE = "escalation", "audience"
_FRESH_S = 10.0

T = TypeVar("T")


class EscalationKnown(msgspec.Struct, frozen=True, kw_only=True):
    """What the running services do; None: no orchestrator, or no notifier, answers."""

    escalation: Escalation | None = None
    audience: Audience | None = None


NOTHING_KNOWN = EscalationKnown()


def said(of: Escalation | Audience) -> dict[str, Any]:
    """The status of a service, with what it does about questions that nobody answers."""
    name = ESCALATION if isinstance(of, Escalation) else AUDIENCE
    return {name: msgspec.to_builtins(of)}


async def escalation_now(nc: Client) -> Escalation | None:
    """What one running orchestrator does about unanswered questions; None when none answers."""
    return await _ask(nc, "orchestrator", ESCALATION, Escalation)


class EscalationWatch:
    """Asks the bus when somebody wants to know, at most every few seconds."""

    def __init__(self, nc: Client, clock: Clock) -> None:
        self._nc = nc
        self._clock = clock
        self._known = NOTHING_KNOWN
        self._until = float("-inf")

    async def known(self) -> EscalationKnown:
        """What one orchestrator and one notifier have said within the last seconds."""
        now = self._clock.monotonic()
        if now >= self._until:
            escalation, audience = await asyncio.gather(
                escalation_now(self._nc), _ask(self._nc, "notifier", AUDIENCE, Audience)
            )
            self._known = EscalationKnown(escalation=escalation, audience=audience)
            self._until = now + _FRESH_S
        return self._known


async def _ask(nc: Client, service: str, what: str, kind: type[T]) -> T | None:
    found = await any_service(nc, service)
    try:
        return msgspec.convert(found.status[what], kind) if found else None
    except (KeyError, msgspec.ValidationError):
        return None  # one of another version
