"""Everything that a hub holds, as text in which a secret would be found."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import asyncpg
import msgspec
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from agenthub_runtime.jetstream.connection import connect
from tests.support.running_hub import RunningHub

_LINE_MIN = 16


@asynccontextmanager
async def bus_of(hub: RunningHub) -> AsyncIterator[Client]:
    nc = await connect(hub.ready.nats_url, "test", give_up_after_s=300)
    try:
        yield nc
    finally:
        await nc.close()


async def streams(hub: RunningHub) -> AsyncIterator[tuple[str, str]]:
    """Every stream of the hub with all that lies in it: subjects, headers and bodies."""
    async with bus_of(hub) as nc:
        js = nc.jetstream()
        for info in await js.streams_info():
            messages = []
            for seq in range(max(info.state.first_seq, 1), info.state.last_seq + 1):
                try:
                    message = await js.get_msg(str(info.config.name), seq)
                except NotFoundError:
                    continue
                body = (message.data or b"").decode("utf-8", "replace")
                messages.append(f"{message.subject} {message.headers} {body}")
            yield str(info.config.name), "\n".join(messages)


async def tables(hub: RunningHub) -> dict[str, str]:
    """Every row of every table of the read models."""
    connection = await asyncpg.connect(hub.ready.postgres_url)
    try:
        names = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        found = {}
        for (name,) in names:
            rows = await connection.fetch(f"SELECT t::text FROM {name} t")
            found[str(name)] = "\n".join(str(row[0]) for row in rows)
        return found
    finally:
        await connection.close()


def logs(hub: RunningHub) -> dict[str, str]:
    """What the hub and its children have logged."""
    files = [*hub.data.logs.iterdir(), hub.data.root.with_name(f"{hub.data.root.name}.log")]
    return {str(file): file.read_text(errors="replace") for file in files}


def spellings(secret: str) -> set[str]:
    """How a secret may stand in a text: as it is, in JSON, and line by line."""
    whole = {secret, json.dumps(secret)[1:-1], msgspec.json.encode(secret).decode()[1:-1]}
    return whole | {line for line in secret.splitlines() if len(line) >= _LINE_MIN}


def found_in(held: Mapping[str, str], secrets: Iterable[str]) -> set[tuple[str, str]]:
    """(where, which) of every secret that stands in what is held."""
    return {
        (name, secret)
        for secret in secrets
        for form in spellings(secret)
        for name, text in held.items()
        if form in text
    }
