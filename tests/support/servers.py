"""Real servers for tests: one nats-server and one Postgres for a session, a database of its own for each test."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.embedded.servers.postgres import PostgresServer
from tests.support.until import until

_numbers = itertools.count(1)
_GONE_WITHIN_S = 60.0
_MEMORY = Path("/dev/shm")
_MEMORY_FREE_BYTES = 2 << 30


@contextmanager
def quick_folder(otherwise: Path) -> Iterator[Path]:
    """A folder for what a server keeps: in memory where the machine has room for it, else `otherwise`.

    Most of what a test waits for is the disk. Kills are as in a folder on disk; only the machine's end is not.
    """
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _MEMORY_FREE_BYTES:
        yield otherwise
        return
    with tempfile.TemporaryDirectory(prefix="agenthub-tests-", dir=_MEMORY, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def running_nats(folder: Path) -> Iterator[NatsServer]:
    """A nats-server with its store below `folder`. For session fixtures: needs no running event loop."""
    server = NatsServer(DataDir(folder))
    _run(server.start())
    try:
        yield server
    finally:
        if server.process is not None:
            # Nobody reads its store again: an orderly end takes a third of a second.
            _run(server.process.stop(signal.SIGKILL, within_s=_GONE_WITHIN_S))


@contextmanager
def running_postgres(folder: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL with its data below `folder`. For session fixtures: needs no running event loop."""
    server = PostgresServer(DataDir(folder))
    _run(server.start())
    try:
        yield server
    finally:
        _run(server.stop())


@asynccontextmanager
async def fresh_database(server: PostgresServer, *, template: str = "template1") -> AsyncIterator[str]:
    """The address (with credentials) of a new database, dropped at the end.

    `template` names a database to clone, e.g. one with the migrations applied; nobody may be connected to it.
    """
    name = f"test_{next(_numbers)}"
    yield await _create_database(server.authorised_url, name, template=template)
    connection = await asyncpg.connect(server.authorised_url)

    async def dropped() -> bool:
        try:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        except asyncpg.ObjectInUseError:  # the server waits five seconds for whoever is in it
            return False
        return True

    try:
        await until(dropped)
    finally:
        await connection.close()


async def _create_database(url: str, name: str, *, template: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await connection.close()
    return url.rpartition("/")[0] + f"/{name}"


def _run(work: Coroutine[Any, Any, object]) -> None:
    # Not asyncio.run: it would take away the event loop that the test runner has set.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()
