"""Gates alone: commits as a test writes them, judged by the worker's own gates in their own sandbox."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agenthub_events.agent_types import AgentType
from agenthub_events.base import Fence
from agenthub_events.catalogue.gate import GateVerdict
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.catalogue.values import Constraints, Finding, ProjectCheck, Usage
from agenthub_events.context import GateOrder, WorkContext
from agenthub_events.ports import Stored
from agenthub_events.rules import goal_aggregate
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.in_memory.fleet import InMemoryFleet
from agenthub_runtime.in_memory.run_log import InMemoryRunLog
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository
from agenthub_runtime.telemetry.tracing import Telemetry
from agenthub_worker.advisories.source import AdvisorySource
from agenthub_worker.domain.agent_output import Reported
from agenthub_worker.gates.gate_round import Agent, GateRound, Heard
from agenthub_worker.gates.runners import RUNNERS
from agenthub_worker.lease.lease import Lease
from agenthub_worker.ports import WorkerPorts
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.port import Sandbox
from agenthub_worker.workspace.workspace import GoalBranch, Workspace
from tests.support.workbench import stamp

Files = Mapping[str, str | bytes]


async def _nobody(scanned: Sequence[Finding] = ()) -> Heard:
    raise AssertionError("the tests gate asks no model")


async def _content(scanned: Sequence[Finding] = ()) -> Heard:
    return Heard(Reported(done=True, summary="All clean."), Usage())


class Bench:
    """One goal whose commits a test writes, and rounds of gates on them. Make one with `Bench.begin`."""

    def __init__(self, ports: WorkerPorts, log: InMemoryEventLog, repository: GoalRepository) -> None:
        self._ports = ports
        self._log = log
        self._repository = repository
        self.goal_id = f"g-{ports.ids.token()}"
        self.head = ROOT_COMMIT

    @classmethod
    async def begin(
        cls, folder: Path, sandbox: Sandbox | None = None, *, advisories: AdvisorySource | None = None
    ) -> Bench:
        """A goal that starts from nothing; all files are below `folder`."""
        clock, log, artifacts = SystemClock(), InMemoryEventLog(), InMemoryArtifacts()
        ports = WorkerPorts(
            worker="Worker-1",
            instance="i1",
            events=log,
            runs=InMemoryRunLog(),
            artifacts=artifacts,
            fleet=InMemoryFleet(clock),
            clock=clock,
            ids=SystemIds(),
            sandbox=sandbox or Bubblewrap(),
            folder=folder,
            telemetry=Telemetry("worker"),
            advisories=advisories,
        )
        bench = cls(ports, log, await GoalRepository.open(folder / "repository", artifacts))
        accepted = goal_aggregate.draft(
            goal_aggregate.initial(bench.goal_id), GoalAccepted(goal="Add two numbers"), "body"
        )
        assert isinstance(await log.append(accepted, stamp()), Stored)
        return bench

    async def commit(
        self, files: Files, *, gone: Sequence[str] = (), links: Mapping[str, str] | None = None
    ) -> str:
        """Write a commit on the last one: `files` as they are, `gone` without, `links` by what they point to."""
        path = self._ports.folder / "writing"
        await self._repository.checkout(self.head, path)
        await asyncio.to_thread(_write, path, files, gone, links or {})
        done = await self._repository.commit_workspace(
            path, parent=self.head, message="Work", when=datetime.now(UTC)
        )
        await self._repository.discard_workspace(path)
        self.head = done.commit
        return self.head

    async def judge(
        self,
        *,
        round_: int = 1,
        base: str = ROOT_COMMIT,
        test_command: str = "",
        requirements: Sequence[str] = (),
        constraints: Constraints | None = None,
        checks: Sequence[ProjectCheck] = (),
        **order: Any,
    ) -> GateVerdict:
        """The verdict of the tests gate on the last commit, which later rounds find in the log."""
        told = GateOrder(gate="tests", round=round_, commit=self.head, base=base, **order)
        context = {
            "test_command": test_command,
            "requirements": tuple(requirements),
            "checks": tuple(checks),
            "constraints": constraints or Constraints(),
        }
        return await self._judged(told, _nobody, **context)

    async def audit(self, *, round_: int = 1, base: str = ROOT_COMMIT, agent: Agent = _content) -> GateVerdict:
        """The verdict of the security gate on the last commit, whose auditor is `agent`."""
        return await self._judged(GateOrder(gate="security", round=round_, commit=self.head, base=base), agent)

    async def _judged(self, told: GateOrder, agent: Agent, **context: Any) -> GateVerdict:
        task_id, title = f"gate-{told.gate}-{told.round}", f"Judge {told.gate}"
        worded = WorkContext(
            goal_id=self.goal_id,
            task_id=task_id,
            kind="gate",
            goal="Add two numbers",
            title=title,
            gate=told,
            **context,
        )
        agent_type: AgentType = "testing" if told.gate == "tests" else "security"
        enqueued = TaskEnqueued(
            task_id=task_id,
            agent=agent_type,
            agent_type=agent_type,
            attempt=1,
            lane="p2",
            title=title,
            timeout_s=600,
        )
        lease = Lease(self._ports, self.goal_id, enqueued, delivery=1, trace="")
        path = self._ports.folder / "judged"
        branch = GoalBranch(links=(), fence=Fence(), imported=told.base)
        workspace = Workspace(lease, self._repository, branch, path, self.head)
        await self._repository.checkout(self.head, path)
        try:
            verdict = await RUNNERS[told.gate](
                GateRound(lease=lease, workspace=workspace, context=worded, order=told, agent=agent)
            )
        finally:
            await workspace.close()
        draft = Fence().draft(self.goal_id, task_id, verdict, "1")
        assert isinstance(await self._log.append(draft, stamp()), Stored)
        return verdict


def _write(root: Path, files: Files, gone: Sequence[str], links: Mapping[str, str]) -> None:
    for name in gone:
        (root / name).unlink()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    for name, target in links.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, root / name)
