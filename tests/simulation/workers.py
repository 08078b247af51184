"""Workers: the real loop, claims, budget, recorded runs, tools and merges on scripted models and repositories."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from opentelemetry.trace import INVALID_SPAN, Span

from agenthub_events.agent_types import AGENT_TYPES, agent_type_of
from agenthub_events.catalogue.gate import GateVerdict
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.context import WorkContext
from agenthub_events.ports import Clock
from agenthub_events.runs import NOWHERE, World
from agenthub_events.task_ids import kind_of
from agenthub_runtime.agents.load import AgentDefinition, Agents, built_in_files, load_agents
from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_runtime.telemetry.tracing import Telemetry
from agenthub_worker.agent.setup import AgentConfig, AgentSetup
from agenthub_worker.attempt import Attempt, Preparation, read_context
from agenthub_worker.domain.heartbeat_schedule import ORDER_BEAT_S, HeartbeatSchedule
from agenthub_worker.domain.model import ModelReply, ModelRequest
from agenthub_worker.gates.gate_round import GateRound
from agenthub_worker.gates.runners import RUNNERS, GateRunner
from agenthub_worker.gates.verdicts import security_verdict
from agenthub_worker.lease.keep_alive import keep_alive
from agenthub_worker.lease.lease import Lease
from agenthub_worker.llm.providers import Provider as ProviderRecord
from agenthub_worker.ports import WorkerPorts
from agenthub_worker.sandbox.port import ExecResult
from agenthub_worker.sandbox.scripted import ScriptedCall, ScriptedSandbox
from agenthub_worker.worker import Worker
from agenthub_worker.workspace.target_merge import mark_conflicts
from agenthub_worker.workspace.workspace import Workspace, read_branch
from tests.simulation.branch import ChangeSets, Disk
from tests.simulation.deliveries import Elsewhere, SystemTask
from tests.simulation.faults import Adversary
from tests.simulation.ports import GatedFleet, GatedWorkQueue
from tests.simulation.process import current
from tests.simulation.script import Provider, Script, ScriptedModel

TYPES = tuple(agent_type for agent_type in AGENT_TYPES if agent_type != "noop")


class Stage:
    """What a worker process finds on its machine: a disk, and the scripts of the goals."""

    def __init__(self, scripts: dict[str, Script], provider: Provider, elsewhere: Elsewhere) -> None:
        self.scripts = scripts
        self.elsewhere = elsewhere
        self.provider = provider
        self.disk = Disk()
        self.sandbox = ScriptedSandbox(self._run)

    def _run(self, command: ScriptedCall) -> ExecResult:
        words = str(command.command).split()[1:]
        if command.writable:
            self.disk.workspaces[command.workspace].update(words)
        return ExecResult(exit_code=0, output=" ".join(words).encode())

    async def prepare(self, lease: Lease) -> Preparation:
        """What the worker's own preparation does, without git."""
        ports, order = lease.ports, lease.order
        context = await read_context(lease)
        branch = await read_branch(ports, lease.goal_id)
        repository = ChangeSets(ports.folder / f"{ports.instance}-{lease.goal_id}.git", self.disk, ports.artifacts)
        await ports.patiently(lambda: repository.materialise(branch.links))
        path = ports.workspaces / f"{lease.goal_id}-{lease.task_id}-{lease.claim}"
        start = context.gate.commit if context.gate else order.workspace_commit
        workspace = Workspace(lease, repository, branch, path, start or ROOT_COMMIT)  # type: ignore[arg-type]
        saved = context.checkpoint
        if saved is not None and saved.commit and order.resumes:
            await workspace.restore(saved.commit, saved.bundle_ref)
        else:
            await repository.checkout(workspace.base, path)
        if context.merge is not None and context.merge.target:
            await mark_conflicts(workspace, context.merge)
        return Preparation(context, workspace)


class _Nobody:
    """Stands in the crew until an order says whose model is asked."""

    async def complete(self, request: ModelRequest, *, on_activity: Callable[[str], None]) -> ModelReply:
        raise AssertionError("a model was asked for no order")


class ScriptedCrew(AgentSetup):
    """The built-in agents with a scripted model behind each."""

    def __init__(self, stage: Stage) -> None:
        record = ProviderRecord(name="rehearsal", base_url="", api_key="", model="rehearsal")
        super().__init__(record, _Nobody(), {})
        self._stage = stage

    async def config_for(self, order: TaskEnqueued, context: WorkContext, workspace: Workspace) -> AgentConfig:
        """The post of the agent, on the model that plays this order."""
        post = await super().config_for(order, context, workspace)
        goal_id = workspace.lease.goal_id
        part = self._stage.scripts[goal_id].part_of(order, context)
        model = ScriptedModel(self._stage.provider, goal_id, order, part)
        return dataclasses.replace(post, brief=dataclasses.replace(post.brief, client=model, tools=(), system=""))

    async def _agent(self, order: TaskEnqueued, workspace: Workspace) -> AgentDefinition:
        return _built_in().find(order.agent, agent_type_of(order.agent_type))


@functools.cache
def _built_in() -> Agents:
    return load_agents(built_in_files())


def gate_runners(stage: Stage) -> dict[str, GateRunner]:
    """Gates whose tests and scanners are scripted; everything else is the worker's own."""

    async def run_tests(round_: GateRound) -> GateVerdict:
        lease = round_.lease
        await lease.while_held(lease.ports.clock.sleep(1.0))
        return stage.scripts[lease.goal_id].tests_verdict(lease.order, round_.order, lease.ports.worker)

    async def audit(round_: GateRound) -> GateVerdict:
        return security_verdict(round_, await round_.agent(), ())

    return {**RUNNERS, "tests": run_tests, "security": audit}


class ScriptedRunner(Worker):
    """The worker's loop over attempts that the stage prepares."""

    def __init__(self, ports: WorkerPorts, queue: GatedWorkQueue, stage: Stage, *, slots: int) -> None:
        super().__init__(ports, queue, ScriptedCrew(stage), types=TYPES, slots=slots)
        self._stage = stage
        self._gate_runners = gate_runners(stage)

    async def prepare(self, lease: Lease) -> Preparation:
        """What the stage has ready for the attempt."""
        return await self._stage.prepare(lease)

    async def attempt(self, lease: Lease, preparing: asyncio.Task[Preparation]) -> None:
        """One claimed attempt, to its closing event."""
        if kind_of(lease.task_id) in ("prepare", "deliver"):
            ready = await lease.while_held(preparing)
            assert ready.workspace is not None
            repository: ChangeSets = ready.workspace.repository  # type: ignore[assignment]
            script = self._stage.scripts[lease.goal_id]
            await SystemTask(lease, repository, script, self._stage.elsewhere).run(ready)
            return
        await Attempt(lease, self._agent_setup, self._gate_runners, _nowhere).run(preparing)


async def _nowhere(workspace: Workspace, context: WorkContext, read_only: bool) -> World:
    """No machine: asking a real one would take real time."""
    del workspace, context, read_only
    return NOWHERE


class Silent(Telemetry):
    """Telemetry that makes no spans: they would take most of the time, and their ids come from no seed."""

    def __init__(self) -> None:
        super().__init__("simulation")

    @contextmanager
    def span(self, name: str, **_: object) -> Iterator[Span]:
        """Nothing."""
        yield INVALID_SPAN


SILENT = Silent()


class Drained(Exception):
    """The process is told to stop."""


class Thread:
    """The thread of a heartbeat: it finds no time now and then, and its messages may not get out."""

    def __init__(
        self,
        held: Callable[[], dict[str, str]],
        queue: GatedWorkQueue,
        fleet: GatedFleet,
        adversary: Adversary,
    ) -> None:
        process = current()
        assert process is not None
        self._process = process
        self._held = held
        self._queue = queue
        self._fleet = fleet
        self._adversary = adversary
        self._rolls_at = 0.0

    async def in_progress(self, ack_subject: str) -> None:
        await self._adversary.gate("heartbeat")
        await self._queue.in_progress(ack_subject)

    async def publish(self, status: WorkerStatus) -> None:
        await self._fleet.publish(status)

    async def pause(self, seconds: float) -> None:
        """Wait for the next tick, or longer. Raises `Drained`."""
        if not self._held():
            # Nothing is kept: ticks of idle workers would only take time.
            await asyncio.sleep(ORDER_BEAT_S)
            return
        await asyncio.sleep(seconds)
        now = asyncio.get_running_loop().time()
        if now < self._rolls_at:
            return
        self._rolls_at = now + ORDER_BEAT_S
        if self._adversary.starves(self._process):
            await asyncio.sleep(self._process.starved_until - now)
        elif self._adversary.drains(self._process):
            raise Drained


async def beat(runner: Worker, clock: Clock, thread: Thread) -> None:
    """The heartbeat of a worker until it is told to stop."""
    with suppress(Drained):
        await keep_alive(
            thread,
            HeartbeatSchedule(),
            held=runner.held,
            status=runner.status,
            monotonic=clock.monotonic,
            moved=clock.monotonic,
            pause=thread.pause,
        )
