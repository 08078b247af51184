"""One round of a gate, as its runner finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from agenthub_events.catalogue.values import Finding, Usage
from agenthub_events.context import GateOrder, WorkContext
from agenthub_worker.domain.agent_output import Reported
from agenthub_worker.lease.lease import Lease
from agenthub_worker.workspace.workspace import Workspace


class Heard(NamedTuple):
    """What the agent of a round handed in."""

    report: Reported
    usage: Usage


class Agent(Protocol):
    """The agent of a round."""

    async def __call__(self, scanned: Sequence[Finding] = ()) -> Heard:
        """Let it judge, told what scanners found. Raises `LeaseLost`, or `AttemptOver` without a report."""


@dataclass(frozen=True, kw_only=True)
class GateRound:
    """A claimed round. `workspace` is a clean checkout of the ordered commit; `agent` is asked at most once."""

    lease: Lease
    workspace: Workspace
    context: WorkContext
    order: GateOrder
    agent: Agent
