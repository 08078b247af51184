"""The role that reads: it sees every read model and can change none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agenthub_runtime.postgres import queries

if TYPE_CHECKING:
    # Whoever only wants the role's name, such as a command that looks for its hub, loads no driver for it.
    from agenthub_runtime.postgres.database import Connection

READER = "agenthub_reader"


async def make_reader(connection: Connection, password: str) -> None:
    """See to it that the role is there with this password. Needs the right to make roles."""
    async with connection.transaction():
        await connection.execute(queries.LOCK_FOR_TRANSACTION, _LOCK)
        if not await connection.fetchval(queries.ROLE, READER):
            await connection.execute(queries.make_reader(READER))
        await connection.execute(await connection.fetchval(queries.SET_PASSWORD, READER, password))


async def let_reader_read(connection: Connection) -> None:
    """Let the role read what this database holds of ours now, and what will be made in it by who calls this.

    Nothing happens where there is no such role: an operator's own Postgres may have other ones.
    """
    if await connection.fetchval(queries.ROLE, READER):
        async with connection.transaction():
            await connection.execute(queries.LOCK_FOR_TRANSACTION, _LOCK)
            for row in await connection.fetch(queries.READABLE, READER):
                await connection.execute(row["command"])


# Not that of the migrations, which call this.
_LOCK = 0x61676876
