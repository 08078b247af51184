"""Ids of tasks that are made by rule."""

from __future__ import annotations

from typing import get_args

import pytest

from agenthub_events.gates import GATES, GateName
from agenthub_events.subjects import check_task_id, planned_task_id
from agenthub_events.task_ids import (
    PREPARE,
    debug_task_id,
    deliver_task_id,
    fix_task_id,
    gate_of,
    gate_repaired_by,
    gate_task_id,
    kind_of,
    merge_task_id,
    parent_of,
    plan_task_id,
    task_debug_id,
    task_helped_by,
)


def test_every_rule_makes_an_id_that_tells_its_kind() -> None:
    assert kind_of(plan_task_id(2)) == "plan"
    assert kind_of(PREPARE) == "prepare"
    assert kind_of(deliver_task_id(2)) == "deliver"
    assert kind_of(merge_task_id("t-a", 1)) == "merge"
    for gate in get_args(GateName):
        assert kind_of(gate_task_id(gate, 3)) == "gate"
        assert gate_of(gate_task_id(gate, 3)) == (gate, 3)
        assert kind_of(debug_task_id(gate, 1)) == "debug"
        assert kind_of(fix_task_id(gate, 1, 2)) == "fix"
        assert check_task_id(fix_task_id(gate, 1, 2))


def test_every_gate_that_events_may_name_has_its_entry() -> None:
    assert tuple(GATES) == get_args(GateName)
    assert [gate.name for gate in GATES.values()] == list(GATES)


def test_rules_find_room_behind_the_longest_planned_id() -> None:
    longest = planned_task_id("k" * 200)
    assert check_task_id(task_debug_id(merge_task_id(longest, 99), 99))
    assert check_task_id(merge_task_id(task_debug_id(longest, 99), 99))


@pytest.mark.parametrize("task_id", ["t-plan-1", "t-prepare", "t-gate-tests-1", "plan-", "plan-x", "prepared"])
def test_no_key_of_a_plan_can_pass_for_a_rule(task_id: str) -> None:
    assert kind_of(task_id) == "work"
    assert gate_of(task_id) is None


def test_repairs_name_what_they_are_about() -> None:
    for repair in (debug_task_id("security", 2), fix_task_id("security", 2, 1)):
        assert gate_repaired_by(repair) == ("security", 2)
        assert parent_of(repair) == gate_task_id("security", 2)
        assert task_helped_by(repair) == ""
    for helper in (merge_task_id("t-a-1", 2), task_debug_id("t-a-1", 2)):
        assert gate_repaired_by(helper) is None
        assert parent_of(helper) == task_helped_by(helper) == "t-a-1"
    assert parent_of("t-a") == ""


def test_a_gate_that_nobody_knows_is_taken_for_no_other() -> None:
    assert (gate_of("gate-licences-1"), kind_of("gate-licences-1")) == (None, "work")
    assert (gate_repaired_by("fix-licences-1-1"), kind_of("fix-licences-1-1")) == (None, "work")
    assert (gate_repaired_by("debug-licences-1"), task_helped_by("debug-licences-1")) == (None, "licences")
