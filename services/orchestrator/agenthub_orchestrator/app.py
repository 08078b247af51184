"""The orchestrator as a process."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from typing import cast, get_args

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.notifications.escalation import Escalation
from agenthub_events.ports import EventLog
from agenthub_orchestrator.advisories import advisories
from agenthub_orchestrator.domain import Policy
from agenthub_orchestrator.domain.policy import Unanswered
from agenthub_orchestrator.follower import Follower, Start
from agenthub_orchestrator.queues.hold_keeper import keep_held
from agenthub_orchestrator.queues.nats_queues import NatsQueues
from agenthub_orchestrator.queues.queue_keeper import keep_queues
from agenthub_orchestrator.schedules.keeper import keep_schedules
from agenthub_runtime.agents.load import built_in_files, file_hashes, hub_files, load_agents
from agenthub_runtime.bus_users.rights import spans_of
from agenthub_runtime.clock import ServerClock, SystemIds
from agenthub_runtime.errors import DatabaseUnavailable, ReadModelsMissing
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.connection import connect, server_time
from agenthub_runtime.jetstream.declared import create_missing, declared_assets, keep_declared
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fleet import HEARTBEAT_S, FollowerStatus, NatsFleet
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from agenthub_runtime.jetstream.timers import NatsTimers
from agenthub_runtime.operations.escalation import said
from agenthub_runtime.operations.holding import NatsLanes
from agenthub_runtime.operations.registry import registered
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.readmodels import durations, position, unsettled_since
from agenthub_runtime.settings.records import OrchestratorSettings
from agenthub_runtime.shutdown import together, until_asked_to_stop
from agenthub_runtime.telemetry.metrics import configure_metrics
from agenthub_runtime.telemetry.span_sending import spans_sent
from agenthub_runtime.telemetry.tracing import configure_telemetry

log = structlog.get_logger(__name__)


_HISTORY_EVERY_S = 600.0
_PROGRESS_EVERY_S = 1.0


async def run_orchestrator(settings: OrchestratorSettings) -> None:
    """Run until SIGTERM or SIGINT. Postgres may be away: it only shortens the way to begin and the estimates."""
    telemetry = configure_telemetry(settings.log, service="orchestrator")
    reconnected = asyncio.Event()
    ids = SystemIds()
    nats = await connect(settings.nats_url, "orchestrator", on_reconnect=reconnected.set)
    metrics = configure_metrics(settings.log, service="orchestrator", nats=nats)
    clock = ServerClock(lambda: server_time(nats))
    declared = declared_assets(replicas=settings.replicas)
    policy = _policy(settings)
    try:
        await create_missing(nats, declared)
        async with (
            clock.kept(),
            Database(settings.database_url, name="agenthub-orchestrator", max_size=1) as database,
        ):
            await clock.known()
            event_log = JetStreamEventLog(nats, secrets=settings.log.secrets)
            follower = Follower(
                log=event_log,
                runs=JetStreamRunLog(nats),
                artifacts=JetStreamArtifacts(nats),
                timers=NatsTimers(nats),
                clock=clock,
                ids=ids,
                policy=policy,
                start=await start_of(event_log, database),
                seal_key=settings.seal_key,
                telemetry=telemetry,
            )
            async with (
                spans_sent(telemetry.keeper, nats, spans_of("orchestrator")),
                _registered(nats, follower, policy, ids.token()[-12:]),
            ):
                await until_asked_to_stop(
                    together(
                        follower.run(),
                        keep_declared(nats, reconnected, declared),
                        _learn_durations(follower, database),
                        _hear_of_dead_letters(follower, nats, Backoff(clock, ids)),
                        _tell_fleet(follower, nats),
                        keep_queues(follower, NatsQueues(nats), clock),
                        keep_held(event_log, NatsLanes(nats), clock),
                        keep_schedules(event_log, clock, telemetry),
                    )
                )
    finally:
        await nats.close()
        telemetry.shutdown()
        metrics.shutdown()


def _registered(
    nats: Client, follower: Follower, policy: Policy, instance: str
) -> AbstractAsyncContextManager[None]:
    escalation = said(
        Escalation(after_s=policy.escalate_after_s, reminders=policy.max_escalations, unanswered=policy.unanswered)
    )
    return registered(
        nats,
        "orchestrator",
        instance=instance,
        description="Decides what is to be done next",
        status=lambda: {
            "position": follower.position,
            "deciding": follower.caught_up.is_set(),
            **escalation,
        },
    )


def _policy(settings: OrchestratorSettings) -> Policy:
    return Policy(
        agent_hashes=_agent_hashes(settings),
        escalate_after_s=settings.escalate_after_s,
        unanswered=_unanswered(settings.unanswered),
    )


def _unanswered(word: str) -> Unanswered:
    for known in get_args(Unanswered):
        if word == known:
            return cast(Unanswered, known)
    raise ValueError(word)


def _agent_hashes(settings: OrchestratorSettings) -> dict[str, str]:
    agents = load_agents(built_in_files(), hub_files(settings.data_dir))
    for problem in agents.problems:
        log.warning("agent_file_unusable", problem=problem)
    return file_hashes(agents)


async def start_of(event_log: EventLog, database: Database) -> Start:
    """Where to begin, asked of the read models; at the first event when they cannot tell."""
    try:
        async with database.connection() as connection:
            known = await position(connection)
            if known is None or known.seq > await event_log.last_seq():
                return Start()
            return Start(after=await unsettled_since(connection, known.seq), known=known.seq)
    except (DatabaseUnavailable, ReadModelsMissing) as error:
        log.warning("follower_begins_at_the_first_event", reason=str(error))
        return Start()


async def _learn_durations(follower: Follower, database: Database) -> None:
    while True:
        try:
            async with database.connection() as connection:
                known = await durations(connection)
            follower.policy = msgspec.structs.replace(follower.policy, durations=known)
        except (DatabaseUnavailable, ReadModelsMissing) as error:
            log.info("durations_unknown", reason=str(error))
        await asyncio.sleep(_HISTORY_EVERY_S)


async def _hear_of_dead_letters(follower: Follower, nats: Client, backoff: Backoff) -> None:
    await follow_forever(lambda: advisories(nats), follower.receive, what="dead letters", backoff=backoff)


async def _tell_fleet(follower: Follower, nats: Client) -> None:
    """Say how far the follower is, at once when it begins to decide: a hub is not ready before that."""
    fleet, instance = NatsFleet(nats), SystemIds().token()[-12:]
    while True:
        is_ready = follower.caught_up.is_set()
        status = FollowerStatus(instance=instance, position=follower.position, caught_up=is_ready)
        try:
            await fleet.publish_follower(status)
        except NatsError as error:
            log.info("fleet_not_told", reason=str(error))
        if is_ready:
            await asyncio.sleep(HEARTBEAT_S)
            continue
        with suppress(TimeoutError):
            async with asyncio.timeout(_PROGRESS_EVERY_S):
                await follower.caught_up.wait()
