"""Kept traces are whole: also when a hub stops, a projector dies, a goal is erased, or the table is full."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from agenthub_events.base import Fence
from agenthub_events.catalogue.goal import GoalErased
from agenthub_events.catalogue.task import TaskStarted
from agenthub_events.ports import Stored
from agenthub_orchestrator.traces.keeper import DURABLE, TraceKeeper, traces_kept
from agenthub_orchestrator.traces.store import add_spans, delete_surplus, prepare_spans
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.declared import apply_assets, declared_assets
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.shutdown import end_tasks
from agenthub_runtime.telemetry.conventions import GOAL_ID
from agenthub_runtime.telemetry.span_records import SpanRecord, message_of, pack, read_message
from agenthub_runtime.telemetry.span_sending import STREAM
from tests.support.following import BACKOFF
from tests.support.until import PATIENCE_S, until
from tests.support.workbench import Desk, stamp

GOAL, OTHER = "g-" + "0" * 26, "g-" + "1" * 26
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await prepare_spans(database)
        yield database


def span(number: int, goal_id: str = GOAL, *, linked: Sequence[bytes] = ()) -> SpanRecord:
    attributes = {} if linked else {GOAL_ID: goal_id}
    return SpanRecord(
        goal_id[-1].encode() * 16,
        number.to_bytes(8),
        b"",
        f"step {number}",
        0,
        1,
        1,
        attributes,  # type: ignore[arg-type]
        linked=list(linked),
    )


async def send(bus: Client, *spans: SpanRecord) -> None:
    await bus.jetstream().publish("span.worker.coding", message_of("test", [pack(one) for one in spans]))


async def names(database: Database) -> list[str]:
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT name FROM agenthub_traces.spans ORDER BY kept_at, name")
    return [row["name"] for row in rows]


async def test_what_is_in_the_stream_when_the_projector_stops_is_kept_first(
    bus: Client, database: Database
) -> None:
    async with traces_kept(bus, database, BACKOFF, days=7):
        for number in range(3):
            await send(bus, span(number))
    assert await names(database) == ["step 0", "step 1", "step 2"]


async def test_a_worker_that_stops_sends_the_span_of_what_it_parks(
    bus: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with _silent_model() as url:
        env = {
            "PATH": os.environ["PATH"],
            "NATS_URL": nats_server.authorised_url,
            "AGENT_TYPE": "coding",
            "AGENTHUB_DATA_DIR": str(tmp_path / "data"),
            "AGENTHUB_PROVIDER": "rehearsal",
            "ANTHROPIC_BASE_URL": url,
        }
        worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "agenthub_worker", env=env)
        try:
            desk = Desk(bus)
            await desk.accept()
            await desk.order()
            await desk.ended_by(TaskStarted)
            worker.terminate()
            assert await worker.wait() == 0
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
    assert "process coding" in {one.name for one in await _sent(bus)}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_projector_that_is_killed_beside_its_commit_neither_loses_nor_doubles_a_span(
    bus: Client, nats_server: NatsServer, database: Database, database_url: str, when: str
) -> None:
    await _hasty(bus)
    await send(bus, span(1), span(2))
    env = {
        **os.environ,
        "NATS_URL": nats_server.authorised_url,
        "DATABASE_URL": database_url,
    }
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.dying_projector", when, env=env
    )
    assert await dying.wait() == -9
    assert await names(database) == ([] if when == "before" else ["step 1", "step 2"])
    async with traces_kept(bus, database, BACKOFF, days=7):

        async def taken() -> bool:
            state = await bus.jetstream().consumer_info(STREAM, DURABLE)
            return (state.num_pending, state.num_ack_pending, state.ack_floor.stream_seq) == (0, 0, 1)

        await until(taken, 300, "the message has come again and is answered")
    assert await names(database) == ["step 1", "step 2"]


async def test_the_spans_of_an_erased_goal_go_also_those_that_come_later(bus: Client, database: Database) -> None:
    mine, other = GOAL[-1].encode() * 16, OTHER[-1].encode() * 16
    async with traces_kept(bus, database, BACKOFF, days=7):
        await send(bus, span(1), span(2, OTHER), span(3, linked=[mine]), span(4, linked=[mine, other]))
        await until(lambda: _are(database, 4), 300, "all are kept")
        draft = Fence().draft(GOAL, "_", GoalErased(by="ann"), "erased")
        assert isinstance(await JetStreamEventLog(bus).append(draft, stamp=stamp()), Stored)
        await until(lambda: _are(database, 2), 300, "the goal's own are gone")
        await send(bus, span(5))
        await send(bus, span(6, OTHER))
        await until(lambda: _are(database, 3), 300, "what came later is kept of the other alone")
    assert set(await names(database)) == {"step 2", "step 4", "step 6"}
    async with traces_kept(bus, database, BACKOFF, days=7):
        await send(bus, span(7))
    assert set(await names(database)) == {"step 2", "step 4", "step 6"}


async def test_the_oldest_spans_go_when_there_are_too_many(bus: Client, database: Database) -> None:
    for number in range(6):
        async with database.transaction() as connection:
            await add_spans(connection, "gateway", [span(number)], kept_at=NOON + timedelta(hours=number))
    await delete_surplus(database, 6)
    assert len(await names(database)) == 6
    await delete_surplus(database, 4)
    assert await names(database) == ["step 2", "step 3", "step 4", "step 5"]
    keeping = asyncio.create_task(TraceKeeper(bus, database, BACKOFF, days=90_000, most=2).run())
    try:
        await send(bus, span(6))
        await until(lambda: _are(database, 2), 300, "the keeper deletes the surplus by itself")
    finally:
        await end_tasks(keeping)
    assert await names(database) == ["step 5", "step 6"]


async def _are(database: Database, number: int) -> bool:
    return len(await names(database)) == number


async def _sent(bus: Client) -> list[SpanRecord]:
    stream = bus.jetstream()
    last = (await stream.stream_info(STREAM)).state.last_seq
    messages = [await stream.get_msg(STREAM, seq) for seq in range(1, last + 1)]
    return [one for message in messages for one in read_message(message.data or b"").spans]


async def _hasty(bus: Client) -> None:
    """What a dead projector held comes again after a second instead of half a minute."""
    (traces,) = (asset for asset in declared_assets() if asset.name == DURABLE)
    await apply_assets(bus, [msgspec.structs.replace(traces, config={**traces.config, "ack_wait": 10**9})])


@asynccontextmanager
async def _silent_model() -> AsyncIterator[str]:
    """A model that takes questions and never answers."""
    ended = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        ended.set()
        server.close()
