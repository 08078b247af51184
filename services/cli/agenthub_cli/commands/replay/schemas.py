"""Makes schemas of read models and compares them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.client.connection import stores
from agenthub_cli.terminal.output import print_json, print_rows, say
from agenthub_replay.schemas import Projected, SchemasCompared, compare_schemas, project


class Stores(NamedTuple):
    """Where the log and the read models are; None: those of the running hub."""

    nats_url: str | None
    database_url: str | None
    data_dir: Path | None


def run_project(name: str, schema: str, to_seq: int | None, at: Stores, *, json: bool) -> None:
    """`agenthub replay project`."""

    async def work() -> Projected:
        async with stores(*at) as (log, database):
            return await project(log, database, name, schema, to_seq)

    made = asyncio.run(work())
    if json:
        print_json(made)
    else:
        say(f"{made.schema} holds {made.projection} as of event {made.to_seq}")


def run_compare_schemas(first: str, second: str, at: Stores, *, json: bool) -> int:
    """`agenthub replay compare-schemas`."""

    async def work() -> SchemasCompared:
        async with stores(*at) as (_, database):
            return await compare_schemas(database, first, second)

    found = asyncio.run(work())
    if json:
        print_json(found)
    else:
        say(f"{found.rows} rows of {first} and {second} compared: {len(found.differences)} differences")
        if found.differences:
            rows = [{"table": d.table, "key": d.key, first: d.live, second: d.rebuilt} for d in found.differences]
            print_rows(msgspec.to_builtins(rows), ("table", "key", first, second), empty="")
    return exit_codes.FAILED if found.differences else exit_codes.OK
