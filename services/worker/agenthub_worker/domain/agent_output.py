"""What an agent hands in at the end of its run: its own words, no evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from agenthub_events.catalogue.values import Finding, Plan
from agenthub_worker.domain.gate_judgement import Verdict


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A result by `report_result`. `done` False: the agent says that it could not do the task.

    `dismissed` are an audit's reasons against findings of the scanners, by their numbers from 1.
    """

    done: bool
    summary: str
    tests_run: str = "N/A"
    insights: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    verdict: Verdict | None = None
    dismissed: Mapping[int, str] = {}


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A plan by `submit_plan` that keeps the rules."""

    plan: Plan


AgentOutput: TypeAlias = Reported | Planned
