"""Keeps spans and dies beside a commit, as by kill -9: `python -m tests.support.dying_projector before|after`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agenthub_orchestrator.traces.keeper import TraceKeeper
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.following import Backoff
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.postgres.database import Connection, Database


class DeadlyDatabase(Database):
    """Kills this process at the end of the first transaction that inserts something."""

    when = "after"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            yield connection
            kept = await connection.fetchval("SELECT count(*) FROM agenthub_traces.spans")
            if kept and self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        if kept:
            os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    """Keep until the first spans are written."""
    DeadlyDatabase.when = sys.argv[1]
    nats = await connect(os.environ["NATS_URL"], "projector")
    async with DeadlyDatabase(os.environ["DATABASE_URL"], name="dying") as database:
        await TraceKeeper(nats, database, Backoff(SystemClock(), SystemIds()), days=7).run()


if __name__ == "__main__":
    asyncio.run(main())
