"""Lanes: what is urgent, what holds others up, and what can wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.catalogue.values import Lane, Origin, Priority
from agenthub_events.task_ids import TaskKind
from agenthub_orchestrator.domain import lane

KINDS: tuple[TaskKind, ...] = ("work", "plan", "prepare", "gate", "debug", "fix", "merge", "deliver")


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ("p0", {"answered": True, "priority": "low"}),
        ("p0", {"priority": "urgent"}),
        ("p0", {"kind": "debug", "sole": True, "priority": "low"}),
        ("p0", {"kind": "gate", "sole": True}),
        ("p1", {"attempt": 2, "priority": "low"}),
        ("p1", {"origin": "rework"}),
        ("p1", {"priority": "high"}),
        ("p2", {"kind": "fix"}),
        ("p2", {"kind": "work", "sole": True}),
        ("p2", {}),
        ("p3", {"priority": "low"}),
    ],
)
def test_the_lane_of_an_order_follows_the_rules_in_their_order(expected: Lane, words: dict[str, object]) -> None:
    assert lane(**{"kind": "work", "attempt": 1, **words}) == expected  # type: ignore[arg-type]


@given(
    st.sampled_from(KINDS),
    st.integers(1, 9),
    st.sampled_from(["low", "normal", "high", "urgent"]),
    st.sampled_from(["planner", "rework", "replanner"]),
    st.booleans(),
)
def test_a_persons_answer_never_makes_an_order_wait_longer(
    kind: TaskKind, attempt: int, priority: Priority, origin: Origin, sole: bool
) -> None:
    without = lane(kind=kind, attempt=attempt, priority=priority, origin=origin, sole=sole)
    answered = lane(kind=kind, attempt=attempt, priority=priority, origin=origin, sole=sole, answered=True)
    assert answered == "p0"
    assert answered <= without
