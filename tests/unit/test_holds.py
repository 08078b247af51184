"""What people hold back, folded out of the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_events.base import Event
from agenthub_events.catalogue.goal import GoalPaused
from agenthub_events.catalogue.operations import MaintenanceEnded, MaintenanceStarted, QueuePaused, QueueResumed
from agenthub_events.ports import Recorded
from agenthub_events.rules.holds import Holds, holds_of
from agenthub_events.serialization.codec import Unreadable

AT = datetime(2026, 11, 28, tzinfo=UTC)
START, END = MaintenanceStarted(by="ann", reason="upgrade"), MaintenanceEnded(by="ann")
PAUSE, RESUME = QueuePaused(agent_type="coding", by="bob"), QueueResumed(agent_type="coding", by="bob")


def folded(*events: Event | Unreadable) -> Holds:
    records = []
    for seq, event in enumerate(events, start=1):
        at = AT + timedelta(seconds=seq)
        said = msgspec.structs.replace(event, timestamp=at) if isinstance(event, Event) else event
        records.append(Recorded(seq=seq, subject="evt.hub._.queue.x", event=said))
    return holds_of(records)


@pytest.mark.parametrize(
    ("events", "types"),
    [
        ((), ()),
        ((START,), AGENT_TYPES),
        ((START, START), AGENT_TYPES),
        ((START, END), ()),
        ((END,), ()),
        ((PAUSE,), ("coding",)),
        ((PAUSE, RESUME), ()),
        ((RESUME, PAUSE), ("coding",)),
        ((START, PAUSE, END), ("coding",)),
        ((PAUSE, START, RESUME), AGENT_TYPES),
        ((PAUSE, START, RESUME, END), ()),
        ((START, GoalPaused(by="ann"), Unreadable(b"{", "no JSON")), AGENT_TYPES),
    ],
)
def test_a_type_is_held_by_its_own_pause_or_by_maintenance(
    events: tuple[Event, ...], types: tuple[str, ...]
) -> None:
    assert folded(*events).types == frozenset(types)


def test_the_first_who_held_it_is_named_with_the_reason() -> None:
    holds = folded(START, MaintenanceStarted(by="bob"), PAUSE)
    assert holds.why("coding") == "the hub is in maintenance by ann: upgrade"
    assert holds.maintenance is not None
    assert holds.maintenance.since == AT + timedelta(seconds=1)
    assert folded(PAUSE).why("coding") == "`coding` is paused by bob"
    assert folded(PAUSE).why("review") == ""
