"""Which task a rule-made task is about, as its id says."""

from __future__ import annotations

import re

from agenthub_events.catalogue.values import GateName
from agenthub_events.task_ids import gate_task_id

_GATE_REPAIR = re.compile(r"^(?:debug-(tests|security|review)-(\d+)|fix-(tests|security|review)-(\d+)-\d+)$")
_OF_TASK = re.compile(r"^(?:merge|debug)-(.+)-\d+$")


def gate_repaired_by(task_id: str) -> tuple[GateName, int] | None:
    """The gate and the round that a `debug-<gate>-<n>` or `fix-<gate>-<n>-<i>` repairs; None for others."""
    found = _GATE_REPAIR.match(task_id)
    if found is None:
        return None
    name = found.group(1) or found.group(3)
    gate: GateName = "tests" if name == "tests" else "security" if name == "security" else "review"
    return gate, int(found.group(2) or found.group(4))


def task_helped_by(task_id: str) -> str:
    """The task that a `merge-<task>-<n>` or `debug-<task>-<n>` is about; empty for others."""
    found = None if gate_repaired_by(task_id) else _OF_TASK.match(task_id)
    return found.group(1) if found else ""


def parent_of(task_id: str) -> str:
    """The task out of which a rule made this one; empty for others."""
    repaired = gate_repaired_by(task_id)
    return gate_task_id(*repaired) if repaired else task_helped_by(task_id)
