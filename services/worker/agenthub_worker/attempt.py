"""One attempt, from the moment it is claimed to the event that closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import msgspec
import structlog

from agenthub_events.catalogue.values import Finding, TaskResult
from agenthub_events.context import WorkContext, decode_context
from agenthub_events.errors import AgenthubError
from agenthub_events.task_ids import TaskKind
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_worker.agent.loop import run_agent
from agenthub_worker.agent.model_calls import ModelCalls
from agenthub_worker.agent.setup import AgentSetup
from agenthub_worker.agent.tool_calls import ToolCalls
from agenthub_worker.domain.agent_output import AgentOutput, Planned, Reported
from agenthub_worker.domain.outcomes import (
    AttemptOutcome,
    Completed,
    Failed,
    Judged,
    Parked,
    RunSummary,
    closing_event,
)
from agenthub_worker.domain.prompt import first_message
from agenthub_worker.errors import ProviderMissing, SandboxUnavailable
from agenthub_worker.gates.gate_round import GateRound, Heard
from agenthub_worker.gates.runners import RUNNERS, GateRunner
from agenthub_worker.lease.budget import AttemptBudget
from agenthub_worker.lease.journal import Journal, open_journal
from agenthub_worker.lease.lease import AttemptOver, Lease
from agenthub_worker.tools.registry import ENDINGS
from agenthub_worker.workspace.merge import Merging, land_import
from agenthub_worker.workspace.workspace import Workspace, open_workspace

log = structlog.get_logger()

_KEEPS_NOTHING: frozenset[TaskKind] = frozenset({"plan", "gate", "debug"})
"""Kinds whose workspace is a copy to look at: what an agent changes in it is thrown away."""


class Preparation(msgspec.Struct, frozen=True):
    """What can be made ready while the claim is on its way: nothing in it has an effect outside this machine."""

    context: WorkContext
    workspace: Workspace | None


async def prepare(lease: Lease) -> Preparation:
    """Read the context and make the workspace. Raises `AgenthubError`."""
    context = await read_context(lease)
    if context.kind == "prepare":
        return Preparation(context, None)
    return Preparation(context, await open_workspace(lease, context))


async def read_context(lease: Lease) -> WorkContext:
    """What the order says of the work, with the texts that it keeps elsewhere. Raises `AgenthubError`."""
    data = await lease.ports.patiently(lambda: lease.ports.artifacts.get(lease.order.context_ref))
    return _on_a_named_commit(decode_context(await lease.restored(data)))


def _on_a_named_commit(context: WorkContext) -> WorkContext:
    """Before the first merge nobody has named a commit: a gate judges the root that every branch begins with."""
    gate = context.gate
    if gate is None or (gate.commit and gate.base):
        return context
    named = msgspec.structs.replace(gate, commit=gate.commit or ROOT_COMMIT, base=gate.base or ROOT_COMMIT)
    return msgspec.structs.replace(context, gate=named)


class Attempt:
    """A claimed attempt of real work. `runners` are those of the gates by their names."""

    def __init__(self, lease: Lease, agent_setup: AgentSetup, runners: Mapping[str, GateRunner] = RUNNERS) -> None:
        self._lease = lease
        self._agent_setup = agent_setup
        self._runners = runners
        self._journal: Journal | None = None
        self._models: ModelCalls | None = None

    async def run(self, preparing: asyncio.Task[Preparation]) -> None:
        """Work until an event that closes it is in the log. Raises `LeaseLost` when that is not ours to say."""
        outcome = await self._outcome(preparing)
        if outcome is not None:
            await self._count()
            self._lease.ports.crash_point("before-closing-event")
            await self._lease.append(closing_event(outcome, self._lease.order, self._run_summary()))
        self._lease.ports.crash_point("after-closing-event")

    async def _outcome(self, preparing: asyncio.Task[Preparation]) -> AttemptOutcome | None:
        try:
            await self._lease.look()
            ready = await self._lease.while_held(preparing)
            if ready.workspace is None:
                return await land_import(self._lease, ready.context, self._run_summary())
            return await self._work(ready.context, ready.workspace)
        except AttemptOver as over:
            return over.outcome
        except (ProviderMissing, SandboxUnavailable) as error:
            return Parked(reason="config", detail=str(error))
        except (AgenthubError, msgspec.DecodeError, OSError) as error:
            log.warning("attempt_failed", goal=self._lease.goal_id, task=self._lease.task_id, error=str(error))
            return Failed(failure_class="workspace", reason=str(error))

    async def _work(self, context: WorkContext, workspace: Workspace) -> AttemptOutcome | None:
        if context.gate is not None:
            agent = partial(self._judging, context, workspace)
            order = context.gate
            round_ = GateRound(lease=self._lease, workspace=workspace, context=context, order=order, agent=agent)
            return Judged(verdict=await self._runners[order.gate](round_))
        agent_output = await self._agent(
            context, workspace, first_message(context, other_side=await _other_side(workspace, context))
        )
        if isinstance(agent_output, Planned):
            result = TaskResult(summary=_plan_summary(agent_output), commit=workspace.base, plan=agent_output.plan)
            return Completed(result=result)
        return await self._deliver(context, workspace, agent_output)

    async def _judging(self, context: WorkContext, workspace: Workspace, scanned: Sequence[Finding] = ()) -> Heard:
        """The agent of a gate's round."""
        report = await self._agent(context, workspace, first_message(context, scanned=scanned), len(scanned))
        if isinstance(report, Planned):
            raise AttemptOver(Failed(failure_class="invalid", reason="the agent of a gate handed in a plan"))
        return Heard(report, self._run_summary().usage)

    async def _agent(
        self, context: WorkContext, workspace: Workspace, first: str, scanned: int = 0
    ) -> AgentOutput:
        """Run the agent of the order, from where its recorded steps stop."""
        lease = self._lease
        post = await self._agent_setup.config_for(lease.order, context, workspace)
        journal = self._journal = await open_journal(lease, context, lease.secrets.masked(first), ENDINGS)
        await lease.recall_notes()
        if journal.run.commit and journal.run.commit != workspace.commit:
            await workspace.restore(journal.run.commit, journal.run.bundle_ref)
        models = self._models = ModelCalls(lease, journal, AttemptBudget(lease), post.brief)
        permissions = replace(post.permissions, scanned=scanned)
        tools = ToolCalls(lease, journal, workspace, post.tool_context(workspace, context, journal), permissions)
        return await run_agent(journal, models, tools, post.bounds)

    async def _deliver(
        self, context: WorkContext, workspace: Workspace, report: Reported
    ) -> AttemptOutcome | None:
        """What a report means for a task that works on files: nothing counts but what is in the workspace."""
        if not report.done:
            return Failed(failure_class="model", reason=f"The agent could not do it: {report.summary}")
        result = TaskResult(
            summary=report.summary,
            tests_run=report.tests_run,
            insights=report.insights,
            findings=report.findings,
            commit=workspace.base,
        )
        if context.kind in _KEEPS_NOTHING:
            return Completed(result=result)
        order = self._lease.order
        finished = await workspace.finish(f"{order.title}\n\n{report.summary}\n\nTask: {order.task_id}\n")
        if not finished.changed:
            return Completed(result=result)
        await self._count()
        return await Merging(self._lease, workspace, context).land(finished, result, self._run_summary())

    async def _count(self) -> None:
        if self._models is not None:
            await self._models.count()

    def _run_summary(self) -> RunSummary:
        worker = self._lease.ports.worker
        if self._journal is None:
            return RunSummary(worker=worker)
        run = self._journal.run
        return RunSummary(worker=worker, checkpoint=run.commit, bundle_ref=run.bundle_ref, usage=run.usage())


async def _other_side(workspace: Workspace, context: WorkContext) -> str:
    """For a merge task: the change that did not fit, as a patch."""
    order = context.merge
    if order is None:
        return ""
    ports = workspace.lease.ports
    if not await workspace.repository.has(order.commit):
        await workspace.repository.absorb(await ports.patiently(lambda: ports.artifacts.get(order.bundle_ref)))
    return await workspace.repository.diff(order.base, order.commit)


def _plan_summary(planned: Planned) -> str:
    plan = planned.plan
    return plan.analysis.summary or f"A plan of {len(plan.tasks)} tasks"
