"""Ready means that what readers see is true; and a Postgres that says nothing keeps nobody waiting."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx2
import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_gateway.app import ServerPatience
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.embedded.servers.postgres import PostgresServer
from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.postgres.database import Database
from tests.support.deciding import deciding
from tests.support.gateway import Gateway, orchestrated, running_gateway, running_projector, settings
from tests.support.running_hub import clean_environment
from tests.support.slow_network import SlowNetwork, slow_network
from tests.support.stopwatch import Stopwatch
from tests.support.until import until


@pytest.fixture
def log(bus: Client) -> JetStreamEventLog:
    return JetStreamEventLog(bus)


@pytest.fixture
async def network(database_url: str) -> AsyncIterator[tuple[SlowNetwork, str]]:
    async with slow_network(database_url) as made:
        yield made


async def check(gateway: Gateway, name: str) -> tuple[int, bool, str]:
    answer = await gateway.client.get("/health/ready")
    found = answer.json()["checks"][name]
    return answer.status_code, found["ok"], found["detail"]


async def test_a_hub_is_ready_once_its_orchestrator_has_caught_up(
    bus: Client, log: JetStreamEventLog, nats_server: NatsServer, database_url: str
) -> None:
    wanted = settings(nats_server.authorised_url, database_url)
    async with running_projector(log, database_url), running_gateway(wanted) as gateway:
        answer = await gateway.submit()
        await gateway.get("/api/v1/goals", after=answer["sequence"])
        assert await check(gateway, "orchestrator") == (
            503, False, "No orchestrator has said lately that it runs: goals stand still",
        )  # fmt: skip
        await orchestrated(bus, position=7, caught_up=False)
        assert await check(gateway, "orchestrator") == (
            503, False, "The orchestrator still reads the log, it is at event 7",
        )  # fmt: skip
        await orchestrated(bus, position=8)
        assert await check(gateway, "orchestrator") == (200, True, "")
        assert await gateway.get("/api/v1/queues") != {}


async def test_a_follower_says_when_it_has_caught_up(bus: Client) -> None:
    async with deciding(bus) as follower:
        await until(follower.caught_up.is_set, 300, "the follower decides")


async def test_a_projector_that_stands_still_makes_the_hub_not_ready(
    bus: Client,
    log: JetStreamEventLog,
    nats_server: NatsServer,
    database_url: str,
) -> None:
    wanted = settings(nats_server.authorised_url, database_url)
    async with running_gateway(wanted) as gateway:
        gateway.hub.lag._stuck_after_s = 1.0
        async with running_projector(log, database_url):
            answer = await gateway.submit()
            await gateway.get("/api/v1/goals", after=answer["sequence"])
            await orchestrated(bus)
            assert (await check(gateway, "projection"))[:2] == (200, True)
        await gateway.submit()

        async def stuck() -> bool:
            return (await check(gateway, "projection"))[0] == 503

        await until(stuck, 300, "not ready")
        code, is_ok, detail = await check(gateway, "projection")
        assert (code, is_ok) == (503, False)
        assert "1 events wait" in detail
        async with running_projector(log, database_url):

            async def well() -> bool:
                await orchestrated(bus)
                return (await check(gateway, "projection"))[0] == 200

            await until(well, 300, "ready again")


async def test_a_dropped_table_makes_the_hub_not_ready(
    bus: Client, log: JetStreamEventLog, nats_server: NatsServer, database_url: str
) -> None:
    wanted = settings(nats_server.authorised_url, database_url)
    async with running_gateway(wanted) as gateway:
        await orchestrated(bus)
        async with running_projector(log, database_url):
            answer = await gateway.submit()
            await gateway.get("/api/v1/goals", after=answer["sequence"])
        connection = await asyncpg.connect(database_url)
        try:
            await connection.execute("DROP TABLE readmodels_v5_g1.goals CASCADE")
        finally:
            await connection.close()
        code, is_ok, detail = await check(gateway, "projection")
        assert (code, is_ok) == (503, False)
        assert "The read models lack goals" in detail
        response = await gateway.client.get("/api/v1/goals")
        assert (response.status_code, response.json()["type"]) == (503, "/problems/read-models-unavailable")


PATHS = ("/api/v1/goals", "/api/v1/interventions", "/api/v1/dead-letters", "/health/ready", "/metrics")


async def bounded(gateway: Gateway, path: str) -> tuple[int, str]:
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=300, trust_env=False) as http:
        with Stopwatch() as watch:
            answer = await http.get(path)
    assert watch.seconds < 7.0, path
    return answer.status_code, answer.text


async def reads_are_bounded(gateway: Gateway) -> None:
    for path in PATHS:
        status, text = await bounded(gateway, path)
        if path != "/metrics":
            assert status == 503, (path, text)
            assert "Postgres" in text or "No answer" in text


async def test_reads_are_bounded_when_the_network_stops_passing_bytes(
    bus: Client,
    log: JetStreamEventLog,
    nats_server: NatsServer,
    database_url: str,
    network: tuple[SlowNetwork, str],
) -> None:
    lost, url = network
    async with (
        running_projector(log, database_url),
        running_gateway(settings(nats_server.authorised_url, url), patience=ServerPatience()) as gateway,
    ):
        answer = await gateway.submit()
        await gateway.get("/api/v1/goals", after=answer["sequence"])
        lost.hold()
        await reads_are_bounded(gateway)
        written = await gateway.submit()
        lost.release()

        async def read_again() -> bool:
            found = await gateway.client.get("/api/v1/goals", params={"after": written["sequence"]})
            return found.status_code == 200

        await until(read_again, 300, "reads answer again")


async def test_a_command_line_reads_again_what_postgres_has_not_answered(
    log: JetStreamEventLog, nats_server: NatsServer, database_url: str, network: tuple[SlowNetwork, str]
) -> None:
    lost, url = network
    wanted = settings(nats_server.authorised_url, url)
    async with running_projector(log, database_url), running_gateway(wanted, patience=ServerPatience()) as gateway:
        answer = await gateway.submit(goal="Write a parser")
        await gateway.get("/api/v1/goals", after=answer["sequence"])
        lost.hold()
        reading = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agenthub_cli.main", "goal", "list"),
            env={**clean_environment(), "AGENTHUB_URL": gateway.url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert (await bounded(gateway, "/api/v1/goals"))[0] == 503
        lost.release()
        told, problem = await reading.communicate()
        assert (reading.returncode, problem) == (0, b"")
        assert b"Write a parser" in told


async def test_a_command_line_sends_again_what_the_log_has_not_answered_and_it_is_done_once(
    bus: Client, log: JetStreamEventLog, nats_server: NatsServer, database_url: str
) -> None:
    wanted = settings(nats_server.authorised_url, database_url)
    async with running_gateway(wanted, patience=ServerPatience()) as gateway:
        assert nats_server.process is not None
        await nats_server.process.stop(signal.SIGKILL, within_s=60)
        sending = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agenthub_cli.main", "goal", "submit", "Write a parser", "--key", "parser"),
            env={**clean_environment(), "AGENTHUB_URL": gateway.url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        refused = await gateway.client.post("/api/v1/goals", json={"goal": "Another"})
        assert refused.status_code == 503
        await nats_server.start()
        told, problem = await sending.communicate()
        assert sending.returncode == 0, problem
    accepted = [r.event for r in await log.read("*._.goal") if isinstance(r.event, GoalAccepted)]
    (once,) = (goal for goal in accepted if goal.goal == "Write a parser")
    assert once.originator_id.partition(".")[0].encode() in told


async def test_reads_are_bounded_while_postgres_is_stopped(
    log: JetStreamEventLog, nats_server: NatsServer, tmp_path: Path
) -> None:
    server = PostgresServer(DataDir(tmp_path / "pg"))
    await server.start()
    try:
        url = server.authorised_url
        async with (
            running_projector(log, url),
            running_gateway(settings(nats_server.authorised_url, url), patience=ServerPatience()) as gateway,
        ):
            answer = await gateway.submit()
            await gateway.get("/api/v1/goals", after=answer["sequence"])
            everybody = processes(server)
            for pid in everybody:
                os.kill(pid, signal.SIGSTOP)
            try:
                await reads_are_bounded(gateway)
            finally:
                for pid in everybody:
                    os.kill(pid, signal.SIGCONT)
            after = (await gateway.submit())["sequence"]

            async def read_again() -> bool:
                found = await gateway.client.get("/api/v1/goals", params={"after": after})
                return found.status_code == 200

            await until(read_again, 300, "reads answer again")
    finally:
        await server.stop()


def processes(server: PostgresServer) -> list[int]:
    """The server with all its children, from the top."""
    assert server.process is not None
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = [server.process.pid]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


async def test_a_question_that_is_not_answered_ends_in_words(network: tuple[SlowNetwork, str]) -> None:
    lost, url = network
    async with Database(url, name="test", patience_s=0.5) as database:
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1
        lost.hold()
        with pytest.raises(DatabaseUnavailable, match=r"has not answered within 0\.5 s"):
            async with database.connection() as connection, connection.transaction():
                await connection.fetchval("SELECT 1")
        lost.release()
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1
