"""Ids of tasks that are made by rule: what kind of task an id names, and which task it is about."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from agenthub_events.gates import GATES, GateName

TaskKind: TypeAlias = Literal["work", "plan", "prepare", "gate", "debug", "fix", "merge", "deliver"]

PREPARE = "prepare"

_GATE = re.compile(r"gate-(.+)-(\d+)")
_DEBUG = re.compile(r"debug-(.+)-(\d+)")
_FIX = re.compile(r"fix-(.+)-(\d+)-\d+")
_MERGE = re.compile(r"merge-(.+)-(\d+)")
_RULES: tuple[tuple[re.Pattern[str], TaskKind], ...] = (
    (re.compile(r"plan-\d+"), "plan"),
    (re.compile(r"prepare"), "prepare"),
    (re.compile(r"deliver-\d+"), "deliver"),
    (_DEBUG, "debug"),
    (_MERGE, "merge"),
)


def kind_of(task_id: str) -> TaskKind:
    """What a task of this id does; everything that no rule made is `work`."""
    if gate_of(task_id) is not None:
        return "gate"
    if _round_in(_FIX, task_id) is not None:
        return "fix"
    for pattern, kind in _RULES:
        if pattern.fullmatch(task_id):
            return kind
    return "work"


def plan_task_id(number: int) -> str:
    """The id of the goal's n-th planning task, from 1."""
    return f"plan-{number}"


def deliver_task_id(number: int) -> str:
    """The id of the delivery after the goal's n-th approval, from 1."""
    return f"deliver-{number}"


def gate_task_id(gate: GateName, round_: int) -> str:
    """The id of a gate's round, from 1."""
    return f"gate-{gate}-{round_}"


def gate_of(task_id: str) -> tuple[GateName, int] | None:
    """The gate and the round that a task id names; None when it is no gate."""
    return _round_in(_GATE, task_id)


def gate_repaired_by(task_id: str) -> tuple[GateName, int] | None:
    """The gate and the round that a `debug-<gate>-<n>` or `fix-<gate>-<n>-<i>` repairs; None for others."""
    return _round_in(_DEBUG, task_id) or _round_in(_FIX, task_id)


def task_helped_by(task_id: str) -> str:
    """The task that a `merge-<task>-<n>` or `debug-<task>-<n>` is about; empty for others."""
    if gate_repaired_by(task_id):
        return ""
    found = _MERGE.fullmatch(task_id) or _DEBUG.fullmatch(task_id)
    return found.group(1) if found else ""


def parent_of(task_id: str) -> str:
    """The task out of which a rule made this one; empty for others."""
    repaired = gate_repaired_by(task_id)
    return gate_task_id(*repaired) if repaired else task_helped_by(task_id)


def _round_in(pattern: re.Pattern[str], task_id: str) -> tuple[GateName, int] | None:
    """The gate and the round in an id of this form; None when it names no gate that is known."""
    found = pattern.fullmatch(task_id)
    gate = GATES.get(found.group(1)) if found else None
    return (gate.name, int(found.group(2))) if found and gate else None


def debug_task_id(gate: GateName, round_: int) -> str:
    """The id of the diagnosis after a failed round."""
    return f"debug-{gate}-{round_}"


def task_debug_id(task_id: str, number: int) -> str:
    """The id of the n-th diagnosis of a task whose attempts keep failing, from 1."""
    return f"debug-{task_id}-{number}"


def fix_task_id(gate: GateName, round_: int, index: int) -> str:
    """The id of the index-th repair after a failed round, from 1."""
    return f"fix-{gate}-{round_}-{index}"


def merge_task_id(task_id: str, number: int) -> str:
    """The id of the n-th task that resolves a conflict of `task_id`, from 1."""
    return f"merge-{task_id}-{number}"
