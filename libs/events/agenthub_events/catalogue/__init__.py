"""Every event of the hub. The registry is closed: a type that no family lists in `EVENTS` cannot be decoded."""

from __future__ import annotations

from agenthub_events.base import Event, type_of
from agenthub_events.catalogue import agent, gate, goal, log, money, notification, operations, schedule, task

_FAMILIES = (goal, task, agent, gate, money, log, notification, operations, schedule)

REGISTRY: dict[str, type[Event]] = {type_of(kind): kind for family in _FAMILIES for kind in family.EVENTS}

CLOSES_ATTEMPT = frozenset(type_of(kind) for family in (task, agent, gate) for kind in family.CLOSES_ATTEMPT)
"""Types after which the attempt that a worker holds is over."""
