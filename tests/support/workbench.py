"""A real worker on a real bus with a scripted model: the tests write orders, and read what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from nats.aio.client import Client

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_events.base import Draft, Event, Fence
from agenthub_events.catalogue import CLOSES_ATTEMPT
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.task import MergeDone, TaskEnqueued
from agenthub_events.catalogue.values import Constraints, PlanTask
from agenthub_events.context import WorkContext, encode_context
from agenthub_events.ports import Clock, Recorded, Stamp, Stored
from agenthub_events.redaction import KnownSecrets
from agenthub_events.rules import goal_aggregate
from agenthub_events.rules.budget import Spent, spent_in
from agenthub_events.runs import RecordedStep, RunId
from agenthub_events.subjects import aggregate_of
from agenthub_events.task_ids import kind_of
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fleet import NatsFleet
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from agenthub_runtime.jetstream.work_queue import NatsWorkQueue
from agenthub_runtime.remotes.credentials import NO_ACCESS, GitAccess
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_runtime.shutdown import end_tasks
from agenthub_runtime.telemetry.tracing import Telemetry, traceparent
from agenthub_worker.agent.setup import AgentSetup
from agenthub_worker.environment.provision import Environments
from agenthub_worker.llm.client import MessagesClient
from agenthub_worker.llm.providers import ProviderSettings, choose_provider
from agenthub_worker.ports import CrashPoint, WorkerPorts, no_crash
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.worker import Worker
from tests.support.until import until

E = TypeVar("E", bound=Event)


class ModelAddress(Protocol):
    """A model server, as far as a worker has to know it."""

    @property
    def url(self) -> str:
        """The base address, without `/v1`."""
        ...


class Desk:
    """The orders of one goal, written by hand as the orchestrator would write them."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.log = JetStreamEventLog(nc)
        self.artifacts = JetStreamArtifacts(nc)
        self.runs = JetStreamRunLog(nc)
        self.goal_id = f"g-{SystemIds().token()}"

    async def accept(
        self,
        *,
        test_command: str = "",
        workflow: Sequence[PlanTask] | None = None,
        secrets_ref: str = "",
        **constraints: Any,
    ) -> None:
        """Put the goal itself into the log."""
        event = GoalAccepted(
            goal="Add two numbers",
            test_command=test_command,
            workflow=None if workflow is None else tuple(workflow),
            constraints=Constraints(**constraints),
            secrets_ref=secrets_ref,
        )
        await self.store(goal_aggregate.draft(goal_aggregate.initial(self.goal_id), event, "body"))

    async def order(
        self,
        task_id: str = "t-add",
        agent: str = "coding",
        *,
        lane: str = "p2",
        context: Any = None,
        **fields: Any,
    ) -> int:
        """Enqueue the next attempt of a task; returns the attempt. `context` are fields of its context object."""
        known = await self.events(task_id)
        attempt = 1 + sum(1 for event in known if isinstance(event, TaskEnqueued))
        told = WorkContext(
            goal_id=self.goal_id,
            task_id=task_id,
            kind=kind_of(task_id),
            **{"goal": "Add two numbers", "title": "Write add.py", **(context or {})},
        )
        order = TaskEnqueued(
            task_id=task_id,
            agent=agent,
            agent_type=agent,
            attempt=attempt,
            lane=lane,  # type: ignore[arg-type]
            context_ref=await self.artifacts.put(encode_context(told)),
            **{
                "title": "Write add.py",
                "timeout_s": 300,
                "workspace_commit": await self.head(),
                **fields,
            },
        )
        messages = await self.log.read(f"{self.goal_id}.{task_id}")
        await self.store(
            Fence().after(messages).draft(self.goal_id, task_id, order, str(attempt), route=(agent, lane))
        )
        return attempt

    async def say(self, event: Event, ordinal: str, task_id: str = "_") -> int:
        """Append an event at the end of its aggregate."""
        messages = await self.log.read(aggregate_of(self.goal_id, task_id, event.type))
        return await self.store(Fence().after(messages).draft(self.goal_id, task_id, event, ordinal))

    async def store(self, draft: Draft) -> int:
        """Append a draft that nobody contradicts."""
        result = await self.log.append(draft, stamp())
        assert isinstance(result, Stored), result
        return result.seq

    async def messages(self, task_id: str = "t-add") -> list[Recorded]:
        """Everything in the task's aggregate."""
        return await self.log.read(f"{self.goal_id}.{task_id}")

    async def events(self, task_id: str = "t-add") -> list[Event]:
        """The task's events, oldest first."""
        return [m.event for m in await self.messages(task_id) if isinstance(m.event, Event)]

    async def ended(self, task_id: str = "t-add", *, attempt: int = 1, deadline_s: float = 300.0) -> Event:
        """Wait for the event that closes the attempt."""

        async def closing() -> Event | None:
            events = await self.events(task_id)
            orders = [i for i, e in enumerate(events) if isinstance(e, TaskEnqueued) and e.attempt == attempt]
            later = events[orders[0] + 1 :] if orders else []
            return next((event for event in later if event.type in CLOSES_ATTEMPT), None)

        found = await until(closing, deadline_s, f"the end of attempt {attempt} of {task_id}")
        assert found is not None
        return found

    async def ended_by(self, kind: type[E], task_id: str = "t-add", deadline_s: float = 300.0) -> E:
        """Wait for the task's first event of this kind."""

        async def told() -> list[E]:
            return await self.of(kind, task_id)

        return (await until(told, deadline_s, f"{kind.__name__} of {task_id}"))[0]

    async def merges(self) -> list[MergeDone]:
        """The goal's branch."""
        found = await self.log.read(f"{self.goal_id}._.merge")
        return [m.event for m in found if isinstance(m.event, MergeDone)]

    async def head(self) -> str:
        """The commit that the branch is at."""
        merges = await self.merges()
        return merges[-1].head if merges else ROOT_COMMIT

    async def steps(self, task_id: str = "t-add", attempt: int = 1) -> list[RecordedStep]:
        """The recorded run of an attempt."""
        return await self.runs.read(RunId(self.goal_id, task_id, attempt))

    async def spent(self, task_id: str = "t-add", attempt: int = 1) -> Spent:
        """What the run shows that the attempt has used, at no cost for an unanswered call."""
        return spent_in([recorded.step for recorded in await self.steps(task_id, attempt)], 0.0)

    async def of(self, kind: type[E], task_id: str = "t-add") -> list[E]:
        """The task's events of one kind."""
        return [event for event in await self.events(task_id) if isinstance(event, kind)]


def stamp() -> Stamp:
    """A stamp of now, in the current trace."""
    return Stamp(now=datetime.now(UTC), metadata={"actor": "test"}, traceparent=traceparent())


@asynccontextmanager
async def running_worker(
    nc: Client,
    model: ModelAddress,
    folder: Path,
    *,
    types: Sequence[str] = AGENT_TYPES,
    slots: int = 4,
    name: str = "Worker-1",
    crash_point: CrashPoint = no_crash,
    idle_timeout_s: float = 60.0,
    priced_as: str = "",
    clock: Clock | None = None,
    telemetry: Telemetry | None = None,
    secrets: Sequence[str] = (),
    git: GitAccess = NO_ACCESS,
    environments: Environments | None = None,
) -> AsyncIterator[Worker]:
    """A worker in this process, on `nc`, with everything real but the model's mind; without a heartbeat.

    `priced_as`: what the model charges as, for a rehearsal costs nothing.
    """
    chosen = ProviderSettings(provider="local" if priced_as else "rehearsal", base_url=model.url, model=priced_as)
    provider = choose_provider(chosen)
    client = MessagesClient(provider, idle_timeout_s=idle_timeout_s)
    ids = SystemIds()
    ports = WorkerPorts(
        worker=name,
        instance=ids.token()[-12:],
        events=JetStreamEventLog(nc),
        runs=JetStreamRunLog(nc),
        artifacts=JetStreamArtifacts(nc),
        fleet=NatsFleet(nc),
        clock=clock or SystemClock(),
        ids=ids,
        sandbox=Bubblewrap(),
        folder=folder,
        telemetry=telemetry or Telemetry("worker"),
        secrets=KnownSecrets(secrets),
        git=git,
        environments=environments,
        crash_point=crash_point,
    )
    queue = NatsWorkQueue(nc, types, slots=slots)
    runner = Worker(ports, queue, AgentSetup(provider, client, {}), types=types, slots=slots)
    working = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        await end_tasks(working)
        await runner.stop()
        await client.aclose()
