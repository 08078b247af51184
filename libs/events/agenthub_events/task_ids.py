"""Ids of tasks that are made by rule, and what kind of task an id names."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from agenthub_events.catalogue.values import GateName

TaskKind: TypeAlias = Literal["work", "plan", "prepare", "gate", "debug", "fix", "merge"]

GATES: tuple[GateName, ...] = ("tests", "security", "review")
PREPARE = "prepare"

_GATE = re.compile(r"gate-(tests|security|review)-(\d+)")
_RULES: tuple[tuple[re.Pattern[str], TaskKind], ...] = (
    (re.compile(r"plan-\d+"), "plan"),
    (re.compile(r"prepare"), "prepare"),
    (_GATE, "gate"),
    (re.compile(r"debug-.+-\d+"), "debug"),
    (re.compile(r"fix-(tests|security|review)-\d+-\d+"), "fix"),
    (re.compile(r"merge-.+-\d+"), "merge"),
)


def kind_of(task_id: str) -> TaskKind:
    """What a task of this id does; everything that no rule made is `work`."""
    for pattern, kind in _RULES:
        if pattern.fullmatch(task_id):
            return kind
    return "work"


def plan_task_id(number: int) -> str:
    """The id of the goal's n-th planning task, from 1."""
    return f"plan-{number}"


def gate_task_id(gate: GateName, round_: int) -> str:
    """The id of a gate's round, from 1."""
    return f"gate-{gate}-{round_}"


def gate_of(task_id: str) -> tuple[GateName, int] | None:
    """The gate and the round that a task id names; None when it is no gate."""
    found = _GATE.fullmatch(task_id)
    if found is None:
        return None
    name = found.group(1)
    gate: GateName = "tests" if name == "tests" else "security" if name == "security" else "review"
    return gate, int(found.group(2))


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
