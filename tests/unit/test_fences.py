"""The end of an aggregate, behind which every event is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from agenthub_events.base import Fence
from agenthub_events.ports import Recorded
from tests.support.event_samples import GOAL, noted

ROOT = Path(__file__).parents[2]


def test_a_draft_expects_the_last_message_and_counts_itself() -> None:
    draft = Fence(7, 3).draft(GOAL, "t-a", noted(), "1", route=("coding", "p1"))
    assert (draft.expected, draft.version, draft.route) == (7, 4, ("coding", "p1"))
    first = Fence().draft(GOAL, "t-a", noted(), "1")
    assert (first.expected, first.version) == (0, 1)


def test_a_fence_moves_with_the_messages_of_its_aggregate() -> None:
    tail = [Recorded(seq=seq, subject=f"evt.{GOAL}.t-a.task.noted", event=noted()) for seq in (9, 12)]
    assert Fence(7, 3).after(tail) == Fence(12, 5) == Fence(7, 3).moved(9).moved(12)
    assert Fence(7, 3).after([]) == Fence(7, 3)


def test_nobody_makes_a_draft_but_a_fence() -> None:
    made = [
        path.relative_to(ROOT).as_posix()
        for folder in ("libs", "services", "tests")
        for path in (ROOT / folder).rglob("*.py")
        for call in calls_in(path)
        if isinstance(call.func, ast.Name) and call.func.id == "Draft"
    ]
    assert made == ["libs/events/agenthub_events/base.py"]


def calls_in(path: Path) -> Iterator[ast.Call]:
    text = path.read_text()
    # Most files name no draft, and parsing all of them takes its time.
    if "Draft(" in text:
        yield from (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
