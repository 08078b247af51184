"""Puts the gateway together and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
import uvicorn
import uvloop
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.types import ASGIApp
from nats.aio.client import Client

from agenthub_events.subjects import STREAM
from agenthub_gateway.api import (
    branch,
    checking,
    fleet,
    goal_commands,
    goal_reads,
    interventions,
    live,
    operations,
    system,
)
from agenthub_gateway.api.access import public_names
from agenthub_gateway.api.browser import pages, session
from agenthub_gateway.api.command import caller_of
from agenthub_gateway.api.goals import submit
from agenthub_gateway.api.history import forks, replay, runs, traces
from agenthub_gateway.api.hooks import issues, schedules
from agenthub_gateway.api.notifications import history, links
from agenthub_gateway.api.reading import reading_of
from agenthub_gateway.api.schedules import calls
from agenthub_gateway.commands.append import Writer
from agenthub_gateway.commands.sessions import STREAM as SESSIONS
from agenthub_gateway.commands.sessions import Sessions
from agenthub_gateway.edge.accounts import trusted_accounts
from agenthub_gateway.edge.connections import BoundedConnection
from agenthub_gateway.edge.guard import Guard
from agenthub_gateway.edge.head import AnswersHead
from agenthub_gateway.edge.keys import Failures, Keys
from agenthub_gateway.edge.sign_in import SignIn
from agenthub_gateway.erasing import ERASING_LOOKED_AT_EVERY_S, ErasureKeeper, UnnamedKeeper, erase_goal
from agenthub_gateway.hub_figures import HubFigures
from agenthub_gateway.live.broadcaster import Broadcaster
from agenthub_gateway.live.outputs import RunOutputs
from agenthub_gateway.log_health import LogHealth
from agenthub_gateway.mcp.over_http import Endpoint
from agenthub_gateway.metrics import Metered
from agenthub_gateway.openapi import openapi_config
from agenthub_gateway.ports import GatewayPorts, Sources
from agenthub_gateway.problems import MEDIA_TYPE, problem_of
from agenthub_gateway.progress import ProgressWatch
from agenthub_gateway.queues import read_followers, read_model, read_queues, read_workers
from agenthub_replay.streams import StreamsSource
from agenthub_runtime.bus_users.rights import spans_of
from agenthub_runtime.clock import ServerClock, SystemIds
from agenthub_runtime.errors import SettingsInvalid
from agenthub_runtime.exact_texts import ExactTexts
from agenthub_runtime.following import Backoff, look_forever
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.connection import connect, log_generation, server_time
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fenced_stream import FencedStream
from agenthub_runtime.jetstream.run_log import STREAM as RUNS
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from agenthub_runtime.operations.escalation import EscalationWatch
from agenthub_runtime.operations.holding import NatsLanes
from agenthub_runtime.operations.registry import ask_service, registered, services
from agenthub_runtime.operations.storage import read_storage
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.processes.environment import forget_foreign
from agenthub_runtime.readmodels import PositionWatch
from agenthub_runtime.settings.records import GatewaySettings, read_gateway_settings
from agenthub_runtime.shutdown import end_tasks
from agenthub_runtime.signed_links import LinkSigner
from agenthub_runtime.telemetry.logs import configure_logging
from agenthub_runtime.telemetry.metrics import Metrics, configure_metrics
from agenthub_runtime.telemetry.span_sending import spans_sent
from agenthub_runtime.telemetry.tracing import Telemetry, configure_telemetry

_log = structlog.get_logger(__name__)

BODY_MAX = 4 << 20
SERVICE = "gateway"
_GRACE_S = 3
# People wait for what the live feed and the read models say.
_LONGEST_PAUSE_S = 0.5


class ServerPatience(msgspec.Struct, frozen=True, kw_only=True):
    """How many seconds the gateway waits for its servers before it says that they do not answer.

    An append waits longer than a restart of the NATS server takes, and shorter than people wait for an answer. A
    read waits for `read_s`, beside as much for a connection.
    """

    append_s: float = 4.0
    read_s: float = 3.0


_OF_PEOPLE = ServerPatience()


def create_app(
    ports: GatewayPorts,
    *,
    api_keys: Sequence[str] = (),
    allowed_hosts: Sequence[str] = (),
    accounts: frozenset[int] | None = None,
) -> ASGIApp:
    """The ASGI application on the hub's collaborators; only `accounts` of this machine need no key, None: all."""
    sign_in = SignIn(Keys(api_keys), Failures(time.monotonic), ports.sessions)
    tools = Endpoint()
    app = Litestar(
        route_handlers=[
            submit,
            *checking.HANDLERS,
            *goal_reads.HANDLERS,
            *branch.HANDLERS,
            *goal_commands.HANDLERS,
            *interventions.HANDLERS,
            *runs.HANDLERS,
            *traces.HANDLERS,
            *live.HANDLERS,
            *replay.HANDLERS,
            *forks.HANDLERS,
            *system.HANDLERS,
            *fleet.HANDLERS,
            *operations.HANDLERS,
            *calls.HANDLERS,
            *issues.HANDLERS,
            *schedules.HANDLERS,
            *history.HANDLERS,
            *links.HANDLERS,
            *session.HANDLERS,
            *pages.HANDLERS,
            tools.handler(),
        ],
        dependencies={
            "ports": Provide(lambda: ports, sync_to_thread=False),
            "caller": Provide(caller_of, sync_to_thread=False),
            "reading": Provide(reading_of, sync_to_thread=False),
            "sign_in": Provide(lambda: sign_in, sync_to_thread=False),
        },
        exception_handlers={Exception: _as_problem},
        openapi_config=openapi_config(version("agenthub")),
        request_max_body_size=BODY_MAX,
        logging_config=None,
    )
    metered = Metered(app, ports.telemetry)
    tools.gateway = Guard(metered, sign_in=sign_in, allowed_hosts=allowed_hosts, accounts=accounts)
    return AnswersHead(tools.gateway)


@contextlib.asynccontextmanager
async def open_hub(
    settings: GatewaySettings, patience: ServerPatience = _OF_PEOPLE
) -> AsyncIterator[GatewayPorts]:
    """Connect to everything that the gateway needs; waits for NATS, not for Postgres."""
    telemetry = configure_telemetry(settings.log, service=SERVICE)
    appends = LogHealth(settings.data_dir if settings.embedded else None)
    nc = await connect(settings.nats_url, SERVICE, on_reconnect=appends.works)
    try:
        async with contextlib.AsyncExitStack() as stack:
            metrics = configure_metrics(settings.log, service=SERVICE, nats=nc, always=True)
            stack.callback(metrics.shutdown)
            await stack.enter_async_context(spans_sent(telemetry.keeper, nc, spans_of(SERVICE)))
            about = {"address": f"{settings.host}:{settings.port}"}
            await stack.enter_async_context(
                registered(nc, SERVICE, instance=SystemIds().token()[-12:], description="Serves HTTP", about=about)
            )
            ports = await _assembled(settings, nc, (telemetry, metrics, appends), patience, stack)
            if settings.log.otlp_endpoint or settings.log.metrics:
                await stack.enter_async_context(_in_background(ports.figures.keep_fresh()))
            for look in (ErasureKeeper(nc).look, UnnamedKeeper(nc, ports.writer.doubtful).look):
                erasing = look_forever(look, every_s=ERASING_LOOKED_AT_EVERY_S, clock=ports.clock, what="erasing")
                await stack.enter_async_context(_in_background(erasing))
            yield ports
    finally:
        await nc.close()
        telemetry.shutdown()


async def _clock(nc: Client, stack: contextlib.AsyncExitStack) -> ServerClock:
    clock = ServerClock(lambda: server_time(nc))
    await stack.enter_async_context(clock.kept())
    return clock


async def _read_models(
    url: str, patience: ServerPatience, backoff: Backoff, stack: contextlib.AsyncExitStack
) -> tuple[Database, PositionWatch]:
    database = await stack.enter_async_context(Database(url, name=SERVICE, patience_s=patience.read_s))
    return database, await stack.enter_async_context(PositionWatch(database, backoff))


async def _assembled(
    settings: GatewaySettings,
    nc: Client,
    told: tuple[Telemetry, Metrics, LogHealth],
    patience: ServerPatience,
    stack: contextlib.AsyncExitStack,
) -> GatewayPorts:
    telemetry, metrics, appends = told
    log = JetStreamEventLog(nc, patience_s=patience.append_s, secrets=settings.log.secrets)
    clock, ids, artifacts = await _clock(nc, stack), SystemIds(), JetStreamArtifacts(nc)
    texts, backoff = ExactTexts(artifacts, ids), Backoff(clock, ids, longest_s=_LONGEST_PAUSE_S)
    database, position = await _read_models(settings.database_url, patience, backoff, stack)
    feed = await stack.enter_async_context(Broadcaster(log, lambda: log_generation(nc), backoff))
    runs = FencedStream(nc, RUNS)
    outputs = await stack.enter_async_context(RunOutputs(runs, backoff, secrets=settings.log.secrets))
    return GatewayPorts(
        log=log,
        writer=Writer(log, clock, telemetry, texts, appends=appends, secrets=settings.log.secrets),
        database=database,
        position=position,
        feed=feed,
        outputs=outputs,
        artifacts=artifacts,
        histories=StreamsSource(FencedStream(nc, STREAM), runs, artifacts),
        runs=JetStreamRunLog(nc),
        secrets=settings.log.secrets,
        clock=clock,
        ids=ids,
        repositories=_folder(settings, stack) / "repositories",
        connected=lambda: nc.is_connected,
        queues=lambda: read_queues(nc, log),
        workers=lambda: read_workers(nc),
        model=lambda probe: read_model(nc, probe=probe),
        followers=lambda: read_followers(nc),
        services=partial(services, nc),
        tell=partial(ask_service, nc),
        escalation=EscalationWatch(nc, clock).known,
        storage=lambda: read_storage(nc, settings.data_dir if settings.embedded else None),
        lanes=NatsLanes(nc),
        lag=(await stack.enter_async_context(ProgressWatch(log, position))).lag,
        erase=lambda goal_id: erase_goal(nc, goal_id),
        sources=Sources(settings.git, local=settings.embedded, private=settings.private_hosts),
        telemetry=telemetry,
        metrics=metrics,
        figures=HubFigures(nc, database, clock, settings.data_dir if settings.embedded else None),
        sessions=Sessions(FencedStream(nc, SESSIONS, patience_s=patience.append_s), clock),
        public_url=settings.public_url,
        links=LinkSigner(settings.link_key) if settings.link_key else None,
        hooks=settings.hooks,
    )


def _folder(settings: GatewaySettings, stack: contextlib.AsyncExitStack) -> Path:
    if settings.data_dir is not None:
        return settings.data_dir
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agenthub-gateway-")))


@contextlib.asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        await end_tasks(task)


async def run_gateway(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    listening = listen(settings.host, settings.port)
    with contextlib.closing(listening):
        async with open_hub(settings) as ports:
            app = create_app(
                ports,
                api_keys=settings.api_keys,
                allowed_hosts=_names_of(settings),
                accounts=trusted_accounts(),
            )
            server = make_server(app)
            stop_on_signals(server, ports)
            host, port = listening.getsockname()[:2]
            _log.info("gateway_listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}")
            await server.serve(sockets=[listening])
    _log.info("gateway_stopped")


class Server(uvicorn.Server):
    """uvicorn, with signals left to us: listeners of the live feed have to be told first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install nothing."""
        yield


def make_server(app: ASGIApp, connection: type[BoundedConnection] = BoundedConnection) -> Server:
    """The HTTP server, which speaks over `connection`; give it sockets that listen."""
    config = uvicorn.Config(
        app,
        http=connection,
        ws="websockets-sansio",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return Server(config)


def stop_on_signals(server: Server, ports: GatewayPorts) -> None:
    """End the live feed, then the server, at the first SIGTERM or SIGINT."""

    def stop() -> None:
        ports.feed.close()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def main(env: Mapping[str, str] = os.environ) -> int:
    """`python -m agenthub_gateway`: 0 after a clean stop, 2 when the settings do not fit."""
    forget_foreign(os.environ)
    try:
        settings = read_gateway_settings(env)
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging(settings.log, service=SERVICE)
    uvloop.run(run_gateway(settings))
    return 0


def _names_of(settings: GatewaySettings) -> tuple[str, ...]:
    """Further names of this hub; links in messages use that of its public address."""
    public = urlsplit(settings.public_url).hostname
    return (*settings.allowed_hosts, *((public,) if public else ()))


def _as_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    found = problem_of(error, public_names(request))
    if found.status == 500:
        _log.error("request_failed", method=request.method, path=request.url.path, exc_info=error)
    headers = dict(getattr(error, "headers", None) or {})
    if found.status == 503:
        headers["Retry-After"] = "1"
    return Response(msgspec.json.encode(found), status_code=found.status, media_type=MEDIA_TYPE, headers=headers)


def listen(host: str, port: int) -> socket.socket:
    """A socket for `Server.serve`; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By this number asyncio knows that it may send small pieces at once; without it each answer waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(2_048)
    listening.setblocking(False)
    return listening
