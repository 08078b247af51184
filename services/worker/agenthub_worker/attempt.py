"""One attempt, from the moment it is claimed to the event that closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from agenthub_events.catalogue.values import Finding, TaskResult
from agenthub_events.context import GateOrder, WorkContext, decode_context
from agenthub_events.errors import AgenthubError
from agenthub_events.task_ids import TaskKind
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_worker.agent.loop import run_agent
from agenthub_worker.agent.model_calls import ModelDesk
from agenthub_worker.agent.setup import Crew
from agenthub_worker.agent.tool_calls import ToolDesk
from agenthub_worker.domain.agent_output import HandedIn, Planned, Reported
from agenthub_worker.domain.outcomes import Completed, Ending, Failed, Judged, Parked, Trace, closing_event
from agenthub_worker.domain.prompt import first_message
from agenthub_worker.errors import ProviderMissing, SandboxUnavailable
from agenthub_worker.gates.verdicts import review_verdict, scan_change, security_verdict, tests_verdict
from agenthub_worker.lease.budget import Purse
from agenthub_worker.lease.journal import RunBook, open_book
from agenthub_worker.lease.lease import AttemptOver, Hold
from agenthub_worker.workspace.merge import Merging, land_import
from agenthub_worker.workspace.workspace import Workplace, open_workplace

log = structlog.get_logger()

_KEEPS_NOTHING: frozenset[TaskKind] = frozenset({"plan", "gate", "debug"})
"""Kinds whose workspace is a copy to look at: what an agent changes in it is thrown away."""


class Preparation(msgspec.Struct, frozen=True):
    """What can be made ready while the claim is on its way: nothing in it has an effect outside this machine."""

    context: WorkContext
    place: Workplace | None


async def prepare(hold: Hold) -> Preparation:
    """Read the context and make the workspace. Raises `AgenthubError`."""
    bench, order = hold.bench, hold.order
    data = await bench.patiently(lambda: bench.artifacts.get(order.context_ref))
    context = _on_a_named_commit(decode_context(data))
    if context.kind == "prepare":
        return Preparation(context, None)
    return Preparation(context, await open_workplace(hold, context))


def _on_a_named_commit(context: WorkContext) -> WorkContext:
    """Before the first merge nobody has named a commit: a gate judges the root that every branch begins with."""
    gate = context.gate
    if gate is None or (gate.commit and gate.base):
        return context
    named = msgspec.structs.replace(gate, commit=gate.commit or ROOT_COMMIT, base=gate.base or ROOT_COMMIT)
    return msgspec.structs.replace(context, gate=named)


class Attempt:
    """A claimed attempt of real work."""

    def __init__(self, hold: Hold, crew: Crew) -> None:
        self._hold = hold
        self._crew = crew
        self._book: RunBook | None = None
        self._models: ModelDesk | None = None

    async def run(self, preparing: asyncio.Task[Preparation]) -> None:
        """Work until a closing event of this attempt is in the log. Raises `Lost` when that is not ours to say."""
        ending = await self._outcome(preparing)
        if ending is not None:
            await self._count()
            self._hold.bench.crash_point("before-closing-event")
            await self._hold.append(closing_event(ending, self._hold.order, self._trace()))
        self._hold.bench.crash_point("after-closing-event")

    async def _outcome(self, preparing: asyncio.Task[Preparation]) -> Ending | None:
        try:
            await self._hold.look()
            ready = await self._hold.while_held(preparing)
            if ready.place is None:
                return await land_import(self._hold, Path(ready.context.repository), self._trace())
            return await self._work(ready.context, ready.place)
        except AttemptOver as over:
            return over.ending
        except (ProviderMissing, SandboxUnavailable) as error:
            return Parked(reason="config", detail=str(error))
        except (AgenthubError, msgspec.DecodeError) as error:
            log.warning("attempt_failed", goal=self._hold.goal_id, task=self._hold.task_id, error=str(error))
            return Failed(failure_class="workspace", reason=str(error))

    async def _work(self, context: WorkContext, place: Workplace) -> Ending | None:
        hold, gate = self._hold, context.gate
        if gate is None:
            handed_in = await self._agent(
                context, place, first_message(context, other_side=await _other_side(place, context))
            )
            if isinstance(handed_in, Planned):
                result = TaskResult(summary=_plan_summary(handed_in), commit=place.base, plan=handed_in.plan)
                return Completed(result=result)
            return await self._deliver(context, place, handed_in)
        if gate.gate == "tests":
            return Judged(verdict=await tests_verdict(hold, place, context, gate))
        scanned = await scan_change(hold, place, gate) if gate.gate == "security" else ()
        report = await self._agent(context, place, first_message(context, scanned=scanned))
        if isinstance(report, Planned):
            return Failed(failure_class="invalid", reason="the agent of a gate handed in a plan")
        return self._judge(gate, scanned, report)

    def _judge(self, gate: GateOrder, scanned: Sequence[Finding], report: Reported) -> Ending:
        hold, usage = self._hold, self._trace().usage
        if gate.gate == "security":
            return Judged(verdict=security_verdict(hold, gate, report, scanned=scanned, usage=usage))
        read_diff = self._book is not None and self._book.run.read_diff
        return Judged(verdict=review_verdict(hold, gate, report, read_diff=read_diff, usage=usage))

    async def _agent(self, context: WorkContext, place: Workplace, first: str) -> HandedIn:
        """Run the agent of the order, from where its recorded steps stop."""
        hold = self._hold
        post = await self._crew.post_for(hold.order, context, place)
        book = self._book = await open_book(hold, context, first)
        await hold.recall_notes()
        if book.run.commit and book.run.commit != place.commit:
            await place.restore(book.run.commit, book.run.bundle_ref)
        models = self._models = ModelDesk(hold, book, Purse(hold), post.brief)
        tools = ToolDesk(hold, book, place, post.tool_context(place, context, book), post.permissions)
        return await run_agent(book, models, tools, post.bounds)

    async def _deliver(self, context: WorkContext, place: Workplace, report: Reported) -> Ending | None:
        """What a report means for a task that works on files: nothing counts but what is in the workspace."""
        if not report.done:
            return Failed(failure_class="model", reason=f"The agent could not do it: {report.summary}")
        result = TaskResult(
            summary=report.summary,
            tests_run=report.tests_run,
            insights=report.insights,
            findings=report.findings,
            commit=place.base,
        )
        if context.kind in _KEEPS_NOTHING:
            return Completed(result=result)
        order = self._hold.order
        finished = await place.finish(f"{order.title}\n\n{report.summary}\n\nTask: {order.task_id}\n")
        if not finished.changed:
            return Completed(result=result)
        await self._count()
        return await Merging(self._hold, place, context).land(finished, result, self._trace())

    async def _count(self) -> None:
        if self._models is not None:
            await self._models.count()

    def _trace(self) -> Trace:
        worker = self._hold.bench.worker
        if self._book is None:
            return Trace(worker=worker)
        run = self._book.run
        return Trace(worker=worker, checkpoint=run.commit, bundle_ref=run.bundle_ref, usage=run.usage())


async def _other_side(place: Workplace, context: WorkContext) -> str:
    """For a merge task: the change that did not fit, as a patch."""
    order = context.merge
    if order is None:
        return ""
    bench = place.hold.bench
    if not await place.repository.has(order.commit):
        await place.repository.absorb(await bench.patiently(lambda: bench.artifacts.get(order.bundle_ref)))
    return await place.repository.diff(order.base, order.commit)


def _plan_summary(planned: Planned) -> str:
    plan = planned.plan
    return plan.analysis.summary or f"A plan of {len(plan.tasks)} tasks"
