"""The real gateway over HTTP on a free port, in the test's own event loop, with the real projector beside it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
from nats.aio.client import Client

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue.goal import GoalPlanned
from agenthub_events.catalogue.values import Estimates, PlanTask
from agenthub_events.ports import EventLog, Stamp, Stored
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_events.subjects import aggregate_of
from agenthub_gateway.app import ServerPatience, create_app, listen, make_server, open_hub
from agenthub_gateway.edge.accounts import trusted_accounts
from agenthub_gateway.edge.connections import BoundedConnection
from agenthub_gateway.ports import GatewayPorts
from agenthub_orchestrator.projector.app import project
from agenthub_runtime.clock import SystemIds
from agenthub_runtime.jetstream.fleet import FollowerStatus
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.settings.records import GatewaySettings, LogSettings
from agenthub_runtime.shutdown import end_tasks
from tests.support.fleet import say
from tests.support.following import BACKOFF
from tests.support.running_hub import UNKEPT
from tests.support.until import PATIENCE_S, until

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def settings(nats_url: str, database_url: str, **more: Any) -> GatewaySettings:
    """Settings of a gateway for this machine alone."""
    wanted: dict[str, Any] = {
        "nats_url": nats_url,
        "database_url": database_url,
        "host": "127.0.0.1",
        "port": 0,
        "api_keys": (),
        "allowed_hosts": (),
        "data_dir": None,
        "embedded": False,
        "log": LogSettings(format="json", level="warning", otlp_endpoint=""),
    }
    return GatewaySettings(**{**wanted, **more})


_PATIENT = ServerPatience(append_s=PATIENCE_S, read_s=PATIENCE_S)


class Reader(httpx2.AsyncClient):
    """A client as a caller should be: what is told that the read models are behind asks again."""

    async def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        """The answer to a request, or the last one after minutes of `projection-behind`."""
        end = time.monotonic() + PATIENCE_S
        while True:
            response = await super().send(request, **more)
            if request.method != "GET" or response.status_code != 503 or time.monotonic() > end:
                return response
            if b"/problems/projection-behind" not in await response.aread():
                return response


class Gateway:
    """A running gateway: its address, a client for it, and what it works with."""

    def __init__(self, url: str, client: httpx2.AsyncClient, hub: GatewayPorts) -> None:
        self.url = url
        self.client = client
        self.hub = hub

    async def submit(self, **body: Any) -> dict[str, Any]:
        """Submit a goal and return the answer, as soon as everything behind the gateway answers."""
        wanted, key = {"goal": "Build a thing", **body}, {"Idempotency-Key": SystemIds().token()}
        end = time.monotonic() + PATIENCE_S
        while True:
            response = await self.client.post("/api/v1/goals", json=wanted, headers=key)
            if response.status_code != 503 or time.monotonic() > end:
                break
            await asyncio.sleep(0.1)
        assert response.status_code == 202, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def get(self, path: str, **params: Any) -> Any:
        """The JSON of a read, as soon as everything behind the gateway answers."""

        end = time.monotonic() + PATIENCE_S
        while (response := await self.client.get(path, params=params)).status_code == 503:
            assert time.monotonic() < end, response.text
            await asyncio.sleep(0.1)
        assert response.status_code == 200, response.text
        return response.json()

    async def log_end(self) -> int:
        """The sequence of the newest event."""
        return await self.hub.log.last_seq()


@contextlib.asynccontextmanager
async def running_gateway(
    wanted: GatewaySettings,
    *,
    accounts: frozenset[int] | None = None,
    connection: type[BoundedConnection] = BoundedConnection,
    patience: ServerPatience = _PATIENT,
    **client: Any,
) -> AsyncIterator[Gateway]:
    """Serve until the body ends; then stop as SIGTERM does."""
    async with open_hub(wanted, patience) as hub:
        app = create_app(
            hub,
            api_keys=wanted.api_keys,
            allowed_hosts=wanted.allowed_hosts,
            accounts=trusted_accounts() if accounts is None else accounts,
        )
        server = make_server(app, connection)
        listening = listen(wanted.host, wanted.port)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        try:
            await until(lambda: server.started or serving.done(), what="the server listens")
            await until(lambda: hub.feed.started, what="the live feed follows")
            async with Reader(base_url=url, timeout=PATIENCE_S, limits=UNKEPT, **client) as http:
                yield Gateway(url, http, hub)
        finally:
            hub.feed.close()
            server.should_exit = True
            await serving
            listening.close()


async def orchestrated(nc: Client, *, position: int = 0, caught_up: bool = True) -> None:
    """Say as an orchestrator does that it runs; the server keeps it for 15 s."""
    await say(nc, FollowerStatus(instance="test", position=position, caught_up=caught_up))


@contextlib.asynccontextmanager
async def running_projector(log: EventLog, database_url: str) -> AsyncIterator[None]:
    """The real projector, as a task."""
    async with Database(database_url, name="projector", patience_s=PATIENCE_S) as database:
        task = asyncio.ensure_future(project(log, database, BACKOFF))
        try:
            yield
            if task.done():
                task.result()
        finally:
            await end_tasks(task)


async def write(log: EventLog, goal_id: str, task_id: str, event: Event, *route: str, at: datetime = AT) -> int:
    """Append an event as its next writer would, and return its sequence."""
    records = await log.read(aggregate_of(goal_id, task_id, event.type))
    draft = Fence().after(records).draft(goal_id, task_id, event, str(len(records) + 1), route=route)
    result = await log.append(draft, Stamp(now=at, metadata={"actor": "test"}))
    assert isinstance(result, Stored), result
    return result.seq


def planned(*keys: str, minutes: float = 240.0) -> GoalPlanned:
    """A plan of independent tasks."""
    tasks = validate_plan([PlanTask(key=key, title=key.title()) for key in keys], limits=MANUAL_LIMITS)
    return GoalPlanned(
        revision=1,
        tasks=tasks,
        estimates=Estimates(tasks=len(keys), minutes=minutes, minutes_low=minutes, minutes_high=minutes),
    )
