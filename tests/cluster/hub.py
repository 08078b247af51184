"""What a test asks of the topology: over HTTP at any gateway, and in the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Recorded
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.cluster.engine import Engine
from tests.cluster.topology import Topology
from tests.support.lines import render_all
from tests.support.running_hub import UNKEPT, Body
from tests.support.until import until


class ClusterHub:
    """A topology that runs. `key` is a person's."""

    def __init__(self, topology: Topology, engine: Engine, *, nats_url: str, key: str) -> None:
        self.topology = topology
        self.engine = engine
        self.nats_url = nats_url
        self._headers = {"Authorization": f"Bearer {key}"}

    async def request(self, method: str, path: str, body: Body | None = None) -> httpx2.Response:
        """Ask one gateway after the other, as the address before them does, until one answers."""
        last: Exception = AssertionError("there is no gateway")
        async with httpx2.AsyncClient(
            headers=self._headers, timeout=180, limits=UNKEPT, trust_env=False
        ) as client:
            for name in self.engine.names("gateway"):
                url = f"http://{self.engine.containers[name].address}:8000{path}"
                try:
                    response = await client.request(method, url, json=body)
                except httpx2.TransportError as error:
                    last = error
                    continue
                if response.status_code != 503:
                    return response
                last = AssertionError(response.text)
        raise last

    async def submit(self, body: Body) -> str:
        """Submit a goal; returns its id."""
        response = await self.request("POST", "/api/v1/goals", body)
        assert response.status_code == 202, response.text
        return str(response.json()["goal_id"])

    async def goal(self, goal_id: str) -> dict[str, Any]:
        """The goal as a gateway shows it; empty while none can."""
        try:
            response = await self.request("GET", f"/api/v1/goals/{goal_id}")
        except (httpx2.TransportError, AssertionError):
            return {}
        shown: dict[str, Any] = response.json()
        return shown if response.status_code == 200 else {}

    @asynccontextmanager
    async def bus(self) -> AsyncIterator[Client]:
        """A connection with every right."""
        nc = await connect(self.nats_url, "test", give_up_after_s=300)
        try:
            yield nc
        finally:
            await nc.close()

    async def events(self, goal_id: str) -> list[Recorded]:
        """Everything in the log about the goal, in order."""
        async with self.bus() as nc:
            return await JetStreamEventLog(nc).read(goal_id)

    async def see(self, goal_id: str, wanted: Callable[[Event], bool], *, within_s: float = 900.0) -> Event:
        """Wait for an event of the goal, by the log alone; returns the first that is wanted."""
        async with self.bus() as nc:
            log = JetStreamEventLog(nc)

            async def found() -> Event | None:
                try:
                    events = [r.event for r in await log.read(goal_id)]
                except StoreUnavailable:
                    return None
                return next((e for e in events if isinstance(e, Event) and wanted(e)), None)

            try:
                seen = await until(found, within_s, f"an event of {goal_id}", pause_s=0.1)
            except AssertionError as error:
                raise AssertionError("\n".join([str(error), *await self.told(goal_id)])) from error
        assert seen is not None
        return seen

    async def told(self, goal_id: str) -> list[str]:
        """The goal's story in plain lines, without their times."""
        return [f"{line.component}: {line.text}" for line in render_all({}, await self.events(goal_id))]

    async def leader_of(self, stream: str) -> str:
        """The server that leads a stream, such as `nats-2`; empty while there is none."""
        async with self.bus() as nc:
            answer = msgspec.json.decode((await nc.request(f"$JS.API.STREAM.INFO.{stream}", timeout=30)).data)
        return str(answer.get("cluster", {}).get("leader", ""))
