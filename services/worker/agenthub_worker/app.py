"""The worker as a process: reads settings, connects, probes its sandbox, works until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog
import uvloop
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_events.errors import AgenthubError
from agenthub_events.ports import Clock
from agenthub_runtime.bus_users.rights import spans_of
from agenthub_runtime.clock import ServerClock, SystemIds
from agenthub_runtime.embedded.place import default_data_dir
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.connection import connect, server_time
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus, serve_model_reports
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from agenthub_runtime.jetstream.work_queue import NatsWorkQueue
from agenthub_runtime.processes.environment import forget_foreign
from agenthub_runtime.repository.workspaces import clear_workspaces
from agenthub_runtime.settings.records import WorkerSettings, read_worker_settings
from agenthub_runtime.shutdown import until_asked_to_stop
from agenthub_runtime.telemetry.logs import configure_logging
from agenthub_runtime.telemetry.metrics import configure_metrics
from agenthub_runtime.telemetry.span_sending import spans_sent
from agenthub_runtime.telemetry.tracing import Telemetry, configure_telemetry
from agenthub_worker.advisories.source import AdvisorySource
from agenthub_worker.agent.setup import AgentSetup, open_agent_setup
from agenthub_worker.environment.provision import Environments
from agenthub_worker.environment.setup import SETUP_LIMITS
from agenthub_worker.errors import ProviderMissing, SandboxUnavailable
from agenthub_worker.heartbeat import Heartbeat
from agenthub_worker.ports import CrashPoint, WorkerPorts, no_crash
from agenthub_worker.registration import worker_registered
from agenthub_worker.sandbox.port import Sandbox
from agenthub_worker.worker import Worker
from agenthub_worker.workspace.surveying import Surveyor

log = structlog.get_logger()

_SAY_WITHIN_S = 5.0


async def run_worker(
    settings: WorkerSettings, types: Sequence[str], *, crash_point: CrashPoint = no_crash
) -> None:
    """Serve the queues of `types` until SIGTERM or SIGINT.

    Raises `ProviderMissing` or `SandboxUnavailable` at once when this worker could not do its work, and
    `HeartbeatLost` when others take over what it holds.
    """
    real_work = any(agent_type != "noop" for agent_type in types)
    try:
        agent_setup = open_agent_setup(settings, types)
        sandbox = await _sandbox(settings, probed=real_work)
    except (ProviderMissing, SandboxUnavailable) as error:
        await _say_why_not(settings, types, str(error))
        raise
    telemetry = configure_telemetry(settings.log, service="worker")
    nats = await connect(settings.nats_url, _name(settings))
    metrics = configure_metrics(settings.log, service="worker", name=_name(settings), nats=nats)
    try:
        clock = ServerClock(lambda: server_time(nats))
        ports = _ports(settings, nats, clock, sandbox=sandbox, telemetry=telemetry, crash_point=crash_point)
        queue = NatsWorkQueue(nats, types, slots=settings.slots)
        runner = Worker(ports, queue, agent_setup, types=types, slots=settings.slots)
        # What a process of this name left when it died.
        await asyncio.to_thread(clear_workspaces, ports.workspaces)
        if ports.environments is not None:
            await ports.environments.clear()
        await _report_model(settings, agent_setup, nats, ports.worker)
        heartbeat = Heartbeat(settings.nats_url, runner.held, runner.status)
        # What is parked at the end has spans as well.
        async with spans_sent(telemetry.keeper, nats, spans_of(types[0])):
            try:
                # Whoever sees it in the fleet may tell it to stop.
                async with clock.kept():
                    await until_asked_to_stop(_serve(nats, ports, runner, heartbeat))
            finally:
                await runner.stop()
                await heartbeat.stop()
    finally:
        await agent_setup.aclose()
        await nats.drain()
        telemetry.shutdown()
        metrics.shutdown()


async def _serve(nats: Client, ports: WorkerPorts, runner: Worker, heartbeat: Heartbeat) -> None:
    status = runner.status()
    await ports.fleet.publish(status)
    heartbeat.start()
    surveyor = Surveyor(ports.git, ports.environments)
    async with contextlib.aclosing(surveyor), worker_registered(nats, ports.fleet, runner, surveyor):
        log.info(
            "worker_ready",
            worker=status.worker,
            types=status.types,
            slots=status.slots,
            sandbox=ports.sandbox.name,
        )
        await heartbeat.while_beating(runner.run())


async def _say_why_not(settings: WorkerSettings, types: Sequence[str], problem: str) -> None:
    """Let the fleet know of a worker that cannot start: goals that need it say so."""
    name = _name(settings)
    status = WorkerStatus(worker=name, instance="", types=tuple(types), slots=0, problem=problem)
    with suppress(AgenthubError, NatsError, TimeoutError):
        nats = await connect(settings.nats_url, name, give_up_after_s=_SAY_WITHIN_S)
        try:
            await NatsFleet(nats).publish(status)
        finally:
            await nats.drain()


async def _report_model(settings: WorkerSettings, agent_setup: AgentSetup, nats: Client, worker: str) -> None:
    """Let people ask which model this hub works with: only its workers know the address and the key."""
    from agenthub_worker.llm.probe import ModelReporter, report_of

    if agent_setup.provider is not None:
        report = report_of(agent_setup.provider, AGENT_TYPES, settings.data_dir, worker=worker)
        await serve_model_reports(nats, ModelReporter(agent_setup.provider, report).answer)


def _ports(
    settings: WorkerSettings,
    nats: Client,
    clock: Clock,
    *,
    sandbox: Sandbox,
    telemetry: Telemetry,
    crash_point: CrashPoint,
) -> WorkerPorts:
    ids = SystemIds()
    return WorkerPorts(
        worker=_name(settings),
        instance=ids.token()[-12:],
        events=JetStreamEventLog(nats, secrets=settings.log.secrets),
        runs=JetStreamRunLog(nats),
        artifacts=JetStreamArtifacts(nats),
        fleet=NatsFleet(nats),
        clock=clock,
        ids=ids,
        sandbox=sandbox,
        folder=_folder(settings),
        telemetry=telemetry,
        secrets=settings.log.secrets,
        git=settings.git,
        environments=_environments(settings, sandbox),
        advisories=AdvisorySource(settings.advisories) if settings.advisories else None,
        crash_point=crash_point,
    )


def _environments(settings: WorkerSettings, sandbox: Sandbox) -> Environments | None:
    """Where a command could reach the network anyway, projects are set up by their people."""
    from agenthub_worker.sandbox.bubblewrap import Bubblewrap

    if not isinstance(sandbox, Bubblewrap):
        return None
    folder = _folder(settings) / "environments"
    return Environments(
        folder,
        sandbox,
        os.environ,
        Path.home(),
        setups=Bubblewrap(SETUP_LIMITS, groups=sandbox.groups),
        hosts=settings.setup_hosts,
        private=settings.private_hosts,
    )


def _name(settings: WorkerSettings) -> str:
    return settings.name or f"{socket.gethostname()}-{os.getpid()}"


def _folder(settings: WorkerSettings) -> Path:
    return (settings.data_dir or default_data_dir()).expanduser().absolute()


async def _sandbox(settings: WorkerSettings, *, probed: bool) -> Sandbox:
    from agenthub_worker.sandbox.bubblewrap import Bubblewrap
    from agenthub_worker.sandbox.probe import in_words, probe
    from agenthub_worker.sandbox.unsandboxed import Unsandboxed

    try:
        sandbox = Bubblewrap()
        if probed:
            log.info("sandbox_probed", walls=in_words(await probe(sandbox)))
    except AgenthubError as error:
        if not settings.allow_unsandboxed:
            raise
        log.warning("running_without_sandbox", reason=str(error))
        return Unsandboxed(allowed=True)
    return sandbox


def main(env: Mapping[str, str]) -> None:
    """Run one worker with settings from `env`; exits with 1 and a sentence when it cannot."""
    forget_foreign(os.environ)
    try:
        settings = read_worker_settings(env)
        configure_logging(settings.log, service=settings.name or "worker")
        uvloop.run(run_worker(settings, settings.agent_types))
    except AgenthubError as error:
        sys.exit(f"worker: {error}")
