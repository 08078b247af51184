"""What a whole log reads like."""

from __future__ import annotations

from collections.abc import Iterable

from agenthub_events.ports import Recorded
from agenthub_runtime.timeline.renderer import Line, TimelineRenderer


def render_all(narrators: dict[str, TimelineRenderer], batch: Iterable[Recorded]) -> list[Line]:
    """The lines of a batch, for a reader that can only print: each line is told once, in order.

    `narrators` holds one narrator a goal and is filled on the way.
    """
    lines: dict[int, Line] = {}
    touched: dict[str, TimelineRenderer] = {}
    for recorded in batch:
        goal_id = recorded.subject.split(".", 2)[1]
        narrator = touched[goal_id] = narrators.setdefault(goal_id, TimelineRenderer())
        if line := narrator.tell(recorded):
            lines[line.seq] = line
    for narrator in touched.values():
        narrator.cut()
    return list(lines.values())
