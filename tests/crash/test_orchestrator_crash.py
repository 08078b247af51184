"""Orchestrator and projector as processes, killed in the middle of their work, and the servers under them too."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued
from agenthub_events.ports import EventLog
from agenthub_orchestrator.projector.rebuild import verify
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.embedded.servers.postgres import PostgresServer
from agenthub_runtime.errors import DatabaseUnavailable, ReadModelsMissing
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.readmodels import list_goals, position
from agenthub_runtime.shutdown import end_tasks
from tests.support.scripted import TWELVE, ScriptedWorker, accepted, completes, goal_id, grown, store, story
from tests.support.servers import running_postgres
from tests.support.until import PATIENCE_S, until

pytestmark = pytest.mark.extra

ORCHESTRATOR = "agenthub_orchestrator"
PROJECTOR = "agenthub_orchestrator.projector"


class Service:
    """A module run as a process."""

    def __init__(self, module: str, nats_url: str, database_url: str, log: Path) -> None:
        self._module = module
        self._env = {**os.environ, "NATS_URL": nats_url, "DATABASE_URL": database_url}
        self._log = log
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, env=self._env, stdout=out, stderr=out
            )

    async def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.process.wait()


@asynccontextmanager
async def playing(log: EventLog) -> AsyncIterator[None]:
    """A worker that takes a moment for each task."""

    async def slowly(order: TaskEnqueued) -> Event:
        await asyncio.sleep(0.05)
        return await completes(order)

    task = asyncio.ensure_future(ScriptedWorker(log, slowly).run())
    try:
        yield
    finally:
        await end_tasks(task)


async def all_ready(database: Database, goals: int) -> None:
    async def ready() -> bool:
        try:
            async with database.connection() as connection:
                found = await list_goals(connection)
        except (DatabaseUnavailable, ReadModelsMissing):
            # Postgres may lose its last commits: the projector makes everything again.
            return False
        return [row.status for row in found.items] == ["ready_for_review"] * goals

    await until(ready, 300, f"{goals} goals ready in the read models", pause_s=0.1)


async def caught_up(log: EventLog, database: Database) -> None:
    end = await log.last_seq()

    async def reached() -> bool:
        async with database.connection() as connection:
            found = await position(connection)
        return found is not None and found.seq >= end

    await until(reached, 300, f"read models at {end}")


async def started(database: Database) -> None:
    """Wait for the projector's first tables, so that questions to them have an answer."""

    async def there() -> bool:
        async with database.connection() as connection:
            return await position(connection) is not None

    await until(there, 300, "the projector has made its tables")


async def one_effect(log: EventLog, goals: int) -> None:
    for number in range(1, goals + 1):
        messages = await log.read(goal_id(number))
        assert len(story(messages)) == len(messages)
        for kind in (TaskEnqueued, TaskCompleted):
            assert len([r for r in messages if isinstance(r.event, kind)]) == len(TWELVE)


@pytest.fixture
async def services(
    nats_server: NatsServer, bus: Client, database_url: str, tmp_path: Path
) -> AsyncIterator[list[Service]]:
    del bus  # has applied the streams
    made = [
        Service(module, nats_server.authorised_url, database_url, tmp_path / "services.log")
        for module in (ORCHESTRATOR, PROJECTOR)
    ]
    for service in made:
        await service.start()
    yield made
    for service in made:
        await service.end(signal.SIGKILL)


async def test_i2_orchestrator_and_projector_killed_at_random_leave_one_effect(
    bus: Client, database_url: str, services: list[Service]
) -> None:
    chance = random.Random(3)
    log = JetStreamEventLog(bus)
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database, playing(log):
        await started(database)
        begin, *_ = [await store(log, accepted(number)) for number in range(1, 5)]
        # Each task is at least an order, a start and an end.
        for moment in sorted(chance.sample(range(1, 4 * len(TWELVE) * 3), 8)):
            await grown(log, begin + moment)
            victim = chance.choice(services)
            await victim.end(signal.SIGKILL)
            await victim.start()
        await all_ready(database, 4)
        await caught_up(log, database)
        assert (await verify(log, database)).differences == ()
    await one_effect(log, 4)


async def test_both_stop_at_once_and_cleanly_when_they_are_told_to(
    bus: Client, database_url: str, services: list[Service]
) -> None:
    log = JetStreamEventLog(bus)
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database, playing(log):
        await started(database)
        begin = await store(log, accepted(1))
        await grown(log, begin + len(TWELVE))  # both are at work: before that, a signal ends a starting Python
        async with asyncio.timeout(60):
            assert [await service.end(signal.SIGTERM) for service in services] == [0, 0]
        for service in services:
            await service.start()
        await all_ready(database, 1)


async def test_a_nats_server_killed_in_between_delays_and_nothing_else(
    nats_server: NatsServer, bus: Client, database_url: str, services: list[Service]
) -> None:
    log = JetStreamEventLog(bus)
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database, playing(log):
        await started(database)
        begin = await store(log, accepted(1))
        await grown(log, begin + len(TWELVE))
        assert nats_server.process is not None
        nats_server.process.send(signal.SIGKILL)
        await nats_server.process.wait()
        await nats_server.start()
        await all_ready(database, 1)
        await caught_up(log, database)
        assert (await verify(log, database)).differences == ()
    assert all(service.process and service.process.returncode is None for service in services)
    await one_effect(log, 1)


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    with running_postgres(tmp_path / "postgres") as server:
        yield server


async def test_a_postgres_killed_in_between_delays_the_read_models_and_nothing_else(
    nats_server: NatsServer, bus: Client, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    log = JetStreamEventLog(bus)
    url = own_postgres.authorised_url
    made = [
        Service(module, nats_server.authorised_url, url, tmp_path / "services.log")
        for module in (ORCHESTRATOR, PROJECTOR)
    ]
    for service in made:
        await service.start()
    try:
        async with Database(url, name="test", patience_s=PATIENCE_S) as database, playing(log):
            await started(database)
            begin = await store(log, accepted(1))
            await grown(log, begin + len(TWELVE))
            assert own_postgres.process is not None
            own_postgres.process.send(signal.SIGKILL)
            await own_postgres.process.wait()
            await until(lambda: log.last(f"{goal_id(1)}._.seal"), 60, "the goal goes on without Postgres")
            await own_postgres.start()
            await all_ready(database, 1)
            await caught_up(log, database)
            assert (await verify(log, database)).differences == ()
        assert all(service.process and service.process.returncode is None for service in made)
    finally:
        for service in made:
            await service.end(signal.SIGKILL)
    await one_effect(log, 1)
