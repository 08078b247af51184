"""One attempt, from the moment it is claimed to the event that closes it."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.catalogue.values import Finding, LeftOut, TaskResult, Usage
from agenthub_events.context import WorkContext, decode_context
from agenthub_events.errors import AgenthubError
from agenthub_events.redaction import encodable, mapped
from agenthub_events.rules.answer_options import GIVE_UP, SKIP_IT, TRY_AGAIN
from agenthub_events.runs import encode_setup
from agenthub_events.task_ids import TaskKind, kind_of
from agenthub_runtime.remotes.errors import RemoteRefused
from agenthub_runtime.repository.errors import SourceRefused
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_runtime.telemetry.conventions import (
    AGENT_NAME,
    CONVERSATION_ID,
    GATE,
    OPERATION,
    OUTCOME,
    PROVIDER_NAME,
    REQUEST_MODEL,
    ROUND,
)
from agenthub_runtime.telemetry.tracing import step
from agenthub_worker.agent.loop import run_agent
from agenthub_worker.agent.model_calls import ModelCalls, ModelConfig
from agenthub_worker.agent.setup import AgentConfig, AgentSetup, Told
from agenthub_worker.agent.tool_calls import ToolCalls
from agenthub_worker.delivery.deliver import deliver
from agenthub_worker.domain.agent_output import AgentOutput, Planned, Reported
from agenthub_worker.domain.outcomes import (
    AttemptOutcome,
    Blocked,
    Completed,
    Failed,
    Judged,
    Parked,
    RunSummary,
    closing_event,
    outcome_word,
)
from agenthub_worker.domain.prompt import first_message, on_named_commits
from agenthub_worker.errors import ProviderMissing, SandboxUnavailable
from agenthub_worker.gates.gate_round import GateRound, Heard
from agenthub_worker.gates.runners import RUNNERS, GateRunner
from agenthub_worker.lease.budget import AttemptBudget
from agenthub_worker.lease.journal import Journal, open_journal, recorded_setup
from agenthub_worker.lease.lease import AttemptOver, Lease, LeaseLost
from agenthub_worker.tools.registry import ENDINGS
from agenthub_worker.workspace.left_out import kept_left_out
from agenthub_worker.workspace.merge import Merging, land_import
from agenthub_worker.workspace.target_merge import joined, mark_conflicts
from agenthub_worker.workspace.workspace import Workspace, open_workspace
from agenthub_worker.world.gather import TellsOfPlace, world_of

log = structlog.get_logger()

REASON_MAX = 2_000
_WITHOUT_WORKSPACE: frozenset[TaskKind] = frozenset({"prepare", "deliver"})
_KEEPS_NOTHING: frozenset[TaskKind] = frozenset({"plan", "gate", "debug"})
"""Kinds whose workspace is a copy to look at: what an agent changes in it is thrown away."""


class Preparation(msgspec.Struct, frozen=True):
    """What can be made ready while the claim is on its way: nothing in it has an effect outside this machine."""

    context: WorkContext
    workspace: Workspace | None


async def prepare(lease: Lease) -> Preparation:
    """Read the context and make the workspace. Raises `AgenthubError`."""
    with step("prepare workspace"):
        context = await read_context(lease)
        if context.kind in _WITHOUT_WORKSPACE:
            return Preparation(context, None)
        workspace = await open_workspace(lease, context)
        if context.merge is not None and context.merge.target:
            try:
                await mark_conflicts(workspace, context.merge)
            except BaseException:
                await asyncio.shield(workspace.close())
                raise
        return Preparation(context, workspace)


async def read_context(lease: Lease) -> WorkContext:
    """What the order says of the work, with the texts that it keeps elsewhere. Raises `AgenthubError`."""
    data = await lease.ports.patiently(lambda: lease.ports.artifacts.get(lease.order.context_ref))
    return on_named_commits(decode_context(await lease.restored(data)), ROOT_COMMIT)


class AttemptEnd(NamedTuple):
    """How an attempt ended, None when its work is on the branch; and what it used."""

    outcome: AttemptOutcome | None
    usage: Usage


class Attempt:
    """A claimed attempt of real work. `runners` are those of the gates by name, `world` tells of the place."""

    def __init__(
        self,
        lease: Lease,
        agent_setup: AgentSetup,
        runners: Mapping[str, GateRunner] = RUNNERS,
        world: TellsOfPlace = world_of,
    ) -> None:
        self._lease = lease
        self._agent_setup = agent_setup
        self._runners = runners
        self._world = world
        self._journal: Journal | None = None
        self._models: ModelCalls | None = None

    async def run(self, preparing: asyncio.Task[Preparation]) -> AttemptEnd:
        """Work until an event that closes it is in the log. Raises `LeaseLost` when that is not ours to say."""
        outcome = await self._outcome(preparing)
        if outcome is not None:
            await self._count()
            self._lease.ports.crash_point("before-closing-event")
            await self._lease.append(closing_event(outcome, self._lease.order, self._run_summary()))
        self._lease.ports.crash_point("after-closing-event")
        return AttemptEnd(outcome, self._run_summary().usage)

    async def _outcome(self, preparing: asyncio.Task[Preparation]) -> AttemptOutcome | None:
        try:
            await self._lease.look()
            ready = await self._lease.while_held(preparing)
            if ready.context.delivery is not None:
                with step("deliver"):
                    order = ready.context.delivery
                    return await deliver(self._lease, ready.context, order, self._run_summary())
            if ready.workspace is None:
                with step("import repository"):
                    return await land_import(self._lease, ready.context, self._run_summary())
            return await self._work(ready.context, ready.workspace)
        except AttemptOver as over:
            return over.outcome
        except (ProviderMissing, SandboxUnavailable) as error:
            return Parked(reason="config", detail=str(error))
        except RemoteRefused as refused:
            # Deterministic: another try would be refused as well.
            return _ask_about(refused, kind_of(self._lease.task_id))
        except SourceRefused as refused:
            return Failed(failure_class="refused", reason=str(refused))
        except (AgenthubError, msgspec.DecodeError, OSError) as error:
            log.warning("attempt_failed", goal=self._lease.goal_id, task=self._lease.task_id, error=str(error))
            return Failed(failure_class="workspace", reason=str(error))
        except LeaseLost:
            raise
        except Exception as error:
            # Left to a redelivery it would cost claim after claim, and end as a dead letter without its cause.
            place = {"goal": self._lease.goal_id, "task": self._lease.task_id}
            log.error("attempt_broke", **place, trace=traceback.format_exc())
            reason = f"the worker has a fault of its own: {type(error).__name__}: {error}"
            return Failed(failure_class="crash", reason=reason[:REASON_MAX])

    async def _work(self, context: WorkContext, workspace: Workspace) -> AttemptOutcome | None:
        if context.gate is not None:
            agent = partial(self._judging, context, workspace)
            order = context.gate
            round_ = GateRound(lease=self._lease, workspace=workspace, context=context, order=order, agent=agent)
            with step(f"gate {order.gate}", {GATE: order.gate, ROUND: order.round}) as span:
                verdict = await self._runners[order.gate](round_)
                span.set_attribute(OUTCOME, verdict.type)
            return Judged(verdict=verdict)
        agent_output = await self._agent(
            context, workspace, Told(other_side=await _other_side(workspace, context))
        )
        if isinstance(agent_output, Planned):
            result = TaskResult(summary=_plan_summary(agent_output), commit=workspace.base, plan=agent_output.plan)
            return Completed(result=result)
        return await self._deliver(context, workspace, agent_output)

    async def _judging(self, context: WorkContext, workspace: Workspace, scanned: Sequence[Finding] = ()) -> Heard:
        """The agent of a gate's round."""
        report = await self._agent(context, workspace, Told(scanned=scanned))
        if isinstance(report, Planned):
            raise AttemptOver(Failed(failure_class="invalid", reason="the agent of a gate handed in a plan"))
        return Heard(report, self._run_summary().usage)

    async def _agent(self, context: WorkContext, workspace: Workspace, told: Told) -> AgentOutput:
        """Run the agent of the order, from where its recorded steps stop."""
        lease = self._lease
        post = await self._agent_setup.config_for(lease.order, context, workspace)
        first, told = await self._first(context, workspace, told, read_only=post.read_only)
        setup_ref = await self._keep_setup(post, first, told)
        journal = self._journal = await open_journal(lease, context, first, ENDINGS, setup_ref)
        await lease.recall_notes()
        if journal.run.commit and journal.run.commit != workspace.commit:
            await workspace.restore(journal.run.commit, journal.run.bundle_ref)
        models = self._models = ModelCalls(lease, journal, AttemptBudget(lease), post.brief)
        permissions = replace(post.permissions, scanned=len(told.scanned))
        place = post.tool_context(workspace, context, journal)
        tools = ToolCalls(lease, journal, workspace, place, permissions)
        try:
            with step(f"invoke_agent {lease.order.agent}", self._of_agent(post.brief)):
                return await run_agent(journal, models, tools, post.bounds)
        finally:
            if place.shell is not None:
                await asyncio.shield(place.shell.close())

    async def _first(
        self, context: WorkContext, workspace: Workspace, told: Told, *, read_only: bool
    ) -> tuple[str, Told]:
        """The first message, and all that it is made of. A run that goes on begins with what it began with."""
        lease = self._lease
        before = await recorded_setup(lease)
        world = before.setup.world if before else await self._world(workspace, context, read_only)
        words = first_message(context, other_side=told.other_side, scanned=told.scanned, world=world)
        if before and before.attempt == lease.order.attempt and before.told(told.scanned, told.other_side):
            words = before.setup.first
        return lease.secrets.masked(words), replace(told, world=world)

    def _of_agent(self, brief: ModelConfig) -> dict[str, str]:
        return {
            OPERATION: "invoke_agent",
            AGENT_NAME: self._lease.order.agent,
            CONVERSATION_ID: self._lease.run_id.prefix,
            PROVIDER_NAME: brief.provider,
            REQUEST_MODEL: brief.model,
        }

    async def _keep_setup(self, post: AgentConfig, first: str, told: Told) -> str:
        """Store what the run's calls have in common, without what the hub knows as secret; returns its digest."""
        ports, secrets = self._lease.ports, self._lease.secrets
        file = secrets.masked(post.definition.text).encode(errors="replace")
        agent_file = await ports.patiently(lambda: ports.artifacts.put(file))
        setup = mapped(post.run_setup(agent_file, first, told), lambda text: encodable(secrets.masked(text)))
        return await ports.patiently(lambda: ports.artifacts.put(encode_setup(setup)))

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
            thrown_away = await workspace.repository.changed_files(workspace.base, workspace.commit)
            left_out = [LeftOut(path=path, reason=f"a {context.kind} task keeps no files") for path in thrown_away]
            return Completed(result=msgspec.structs.replace(result, left_out=kept_left_out(left_out)))
        message = _message(self._lease.order, report)
        if context.merge is not None and context.merge.target:
            joining = await joined(workspace, context.merge, message)
            if isinstance(joining, Failed):
                return joining
            finished = joining
        else:
            finished = await workspace.finish(message)
        result = msgspec.structs.replace(result, left_out=kept_left_out(workspace.left_out))
        if not finished.changed:
            return Completed(result=result)
        await self._count()
        with step("merge") as span:
            outcome = await Merging(self._lease, workspace, context).land(finished, result, self._run_summary())
            span.set_attribute(OUTCOME, outcome_word(outcome))
            return outcome

    async def _count(self) -> None:
        if self._models is not None:
            await self._models.count()

    def _run_summary(self) -> RunSummary:
        worker = self._lease.ports.worker
        if self._journal is None:
            return RunSummary(worker=worker)
        run = self._journal.run
        return RunSummary(worker=worker, checkpoint=run.commit, bundle_ref=run.bundle_ref, usage=run.usage())


def _ask_about(refused: RemoteRefused, kind: TaskKind) -> Blocked:
    """The options are those whose meaning the orchestrator knows."""
    if kind == "deliver":
        return Blocked(question=str(refused), options=(TRY_AGAIN, SKIP_IT), reason="delivery")
    return Blocked(question=str(refused), options=(TRY_AGAIN, GIVE_UP), reason="repository")


def _message(order: TaskEnqueued, report: Reported) -> str:
    return f"{order.title}\n\n{report.summary}\n\nTask: {order.task_id}\n"


async def _other_side(workspace: Workspace, context: WorkContext) -> str:
    """For a merge task: the change that did not fit, as a patch."""
    order = context.merge
    if order is None:
        return ""
    ports = workspace.lease.ports
    if not await workspace.repository.has(order.commit):
        await ports.patiently(partial(workspace.repository.absorb, order.bundle_ref))
    return await workspace.repository.diff(order.base, order.commit)


def _plan_summary(planned: Planned) -> str:
    plan = planned.plan
    return plan.analysis.summary or f"A plan of {len(plan.tasks)} tasks"
