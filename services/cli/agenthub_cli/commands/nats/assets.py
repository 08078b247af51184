"""`agenthub nats apply|diff`: the declarations of `nats/` and the server."""

from __future__ import annotations

import asyncio
from typing import Annotated, TypeAlias

from cyclopts import App, Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import whole, within
from agenthub_cli.client.connection import nats_connection
from agenthub_cli.commands.nats.context import context
from agenthub_cli.commands.nats.keys import app as keys
from agenthub_cli.options.common import DataDirOption, Json
from agenthub_cli.terminal.output import print_json, print_rows

NatsUrl: TypeAlias = Annotated[
    str | None, Parameter(name="--nats-url", env_var="NATS_URL", help="NATS server; default: the running hub's")
]
Replicas: TypeAlias = Annotated[
    int,
    Parameter(
        name="--replicas",
        env_var="NATS_REPLICAS",
        converter=whole,
        validator=within(1, 5),
        help="Copies of each stream (3 in a cluster)",
    ),
]

app = App(name="nats", help="Streams and consumers as the nats/ folder declares them, and who may use them.")
app.command(keys)
app.command(context)


@app.command
def apply(
    *, nats_url: NatsUrl = None, data_dir: DataDirOption = None, replicas: Replicas = 1, json: Json = False
) -> None:
    """Create what is missing on the server and update what differs."""
    from agenthub_runtime.jetstream.declared import apply_assets, declared_assets

    async def work() -> list[dict[str, object]]:
        async with nats_connection(nats_url, data_dir) as nc:
            done = await apply_assets(nc, declared_assets(replicas=replicas))
            return [{"kind": a.kind, "name": a.name, "outcome": a.outcome} for a in done]

    rows = asyncio.run(work())
    if json:
        for row in rows:
            print_json(row)
    else:
        print_rows(rows, ("kind", "name", "outcome"), empty="Nothing is declared")


@app.command
def diff(
    *, nats_url: NatsUrl = None, data_dir: DataDirOption = None, replicas: Replicas = 1, json: Json = False
) -> int:
    """Show where the server differs from the files; exit code 1 when it does."""
    from agenthub_runtime.jetstream.declared import declared_assets, diff_assets

    async def work() -> list[dict[str, object]]:
        async with nats_connection(nats_url, data_dir) as nc:
            found = await diff_assets(nc, declared_assets(replicas=replicas))
            return [
                {"kind": d.kind, "name": d.name, "key": d.key, "declared": d.declared, "actual": d.actual}
                for d in found
            ]

    rows = asyncio.run(work())
    if json:
        for row in rows:
            print_json(row)
    else:
        print_rows(rows, ("kind", "name", "key", "declared", "actual"), empty="The server is as declared")
    return exit_codes.FAILED if rows else exit_codes.OK
