"""The runner of each gate: it makes a round's evidence and comes to its verdict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from agenthub_events.catalogue.gate import GateVerdict
from agenthub_worker.gates.gate_round import GateRound
from agenthub_worker.gates.tests_gate import tests_verdict
from agenthub_worker.gates.verdicts import (
    advisories_of,
    not_scanned_of,
    review_verdict,
    scan_change,
    security_verdict,
)

GateRunner: TypeAlias = Callable[[GateRound], Awaitable[GateVerdict]]
"""Judges a round. Raises `AgenthubError`, and what the round's agent raises."""


async def _audit(round_: GateRound) -> GateVerdict:
    known = await advisories_of(round_)
    scanned = await scan_change(round_, known.findings)
    gaps = (*await not_scanned_of(round_), *known.said)
    return security_verdict(round_, await round_.agent(scanned), scanned, gaps)


async def _review(round_: GateRound) -> GateVerdict:
    return review_verdict(round_, await round_.agent())


RUNNERS: dict[str, GateRunner] = {"tests": tests_verdict, "security": _audit, "review": _review}
"""By the name of the gate; each gate has one."""
