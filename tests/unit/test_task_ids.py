"""Ids of tasks that are made by rule."""

from __future__ import annotations

import pytest

from agenthub_events.subjects import check_task_id, planned_task_id
from agenthub_events.task_ids import (
    GATES,
    PREPARE,
    debug_task_id,
    fix_task_id,
    gate_of,
    gate_task_id,
    kind_of,
    merge_task_id,
    plan_task_id,
    task_debug_id,
)


def test_every_rule_makes_an_id_that_tells_its_kind() -> None:
    assert kind_of(plan_task_id(2)) == "plan"
    assert kind_of(PREPARE) == "prepare"
    assert kind_of(merge_task_id("t-a", 1)) == "merge"
    for gate in GATES:
        assert kind_of(gate_task_id(gate, 3)) == "gate"
        assert gate_of(gate_task_id(gate, 3)) == (gate, 3)
        assert kind_of(debug_task_id(gate, 1)) == "debug"
        assert kind_of(fix_task_id(gate, 1, 2)) == "fix"
        assert check_task_id(fix_task_id(gate, 1, 2))


def test_rules_find_room_behind_the_longest_planned_id() -> None:
    longest = planned_task_id("k" * 200)
    assert check_task_id(task_debug_id(merge_task_id(longest, 99), 99))
    assert check_task_id(merge_task_id(task_debug_id(longest, 99), 99))


@pytest.mark.parametrize("task_id", ["t-plan-1", "t-prepare", "t-gate-tests-1", "plan-", "plan-x", "prepared"])
def test_no_key_of_a_plan_can_pass_for_a_rule(task_id: str) -> None:
    assert kind_of(task_id) == "work"
    assert gate_of(task_id) is None
