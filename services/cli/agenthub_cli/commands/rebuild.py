"""`agenthub rebuild`: the read models from zero, out of the log."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.client.connection import stores
from agenthub_cli.commands.nats.assets import NatsUrl
from agenthub_cli.options.common import DataDirOption, Json
from agenthub_cli.terminal.output import print_json, print_rows, say


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
    report = asyncio.run(
        _verify(nats_url, database_url, data_dir) if verify else _rebuild(nats_url, database_url, data_dir)
    )
    differences: list[dict[str, Any]] = report.get("differences", [])
    if json:
        print_json(report)
    elif verify:
        say(f"{report['rows']} rows compared as of event {report['position']}: {len(differences)} differences")
        if differences:
            print_rows(differences, ("table", "key", "live", "rebuilt"), empty="")
    else:
        say(f"Rebuilt: generation {report['generation']}, as of event {report['position']}")
    return exit_codes.FAILED if differences else exit_codes.OK


async def _verify(nats_url: str | None, database_url: str | None, data_dir: Path | None) -> dict[str, Any]:
    from agenthub_orchestrator.projector.rebuild import verify

    async with stores(nats_url, database_url, data_dir) as (log, database):
        return _plain(await verify(log, database))


async def _rebuild(nats_url: str | None, database_url: str | None, data_dir: Path | None) -> dict[str, Any]:
    from agenthub_orchestrator.projector.rebuild import rebuild as rebuild_all

    async with stores(nats_url, database_url, data_dir) as (log, database):
        return _plain(await rebuild_all(log, database))


def _plain(report: Any) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(report)
    return value
