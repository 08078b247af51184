"""`agenthub rebuild`: the read models from zero, out of the log."""

from __future__ import annotations

import asyncio
from typing import Annotated

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.connection import nats_connection, postgres_address
from agenthub_cli.hub import DataDirOption, Json
from agenthub_cli.nats_assets import NatsUrl
from agenthub_cli.show import print_json, print_rows


def rebuild(
    *,
    verify: Annotated[
        bool, Parameter(negative="", help="Rebuild beside the live tables and compare row by row")
    ] = False,
    nats_url: NatsUrl = None,
    database_url: Annotated[
        str | None, Parameter(env_var="DATABASE_URL", help="Default: the running hub's")
    ] = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> int:
    """Rebuild the read models out of the log; exit code 1 when --verify finds a difference."""
    from agenthub_events.jetstream.store import JetStreamStore
    from agenthub_orchestrator.projector import rebuild as rebuilding

    async def work() -> rebuilding.Report:
        address = postgres_address(database_url, data_dir)
        async with nats_connection(nats_url, data_dir) as nc:
            log = JetStreamStore(nc)
            return await (rebuilding.verify(log, address) if verify else rebuilding.rebuild(log, address))

    report = asyncio.run(work())
    if json:
        print_json(report)
    else:
        print(f"{report.events} events, position {report.position}, {len(report.differences)} differences")
        if report.differences:
            print_rows(
                [
                    {"table": d.table, "key": d.key, "live": d.live, "rebuilt": d.rebuilt}
                    for d in report.differences
                ],
                ("table", "key", "live", "rebuilt"),
                empty="",
            )
    return exit_codes.FAILED if report.differences else exit_codes.OK
