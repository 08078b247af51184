"""`agenthub up`: the whole hub on this machine, for keeps."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.client.hub_client import DataDirOption, Json
from agenthub_cli.client.model_access import provider_of, rehearses
from agenthub_cli.terminal.output import print_json, program, say

if TYPE_CHECKING:
    from agenthub_runtime.embedded.data_folder import DataDir, RunningHub
    from agenthub_runtime.embedded.stack import StackPlan
    from agenthub_runtime.settings.records import HubSettings

_MODULES = {
    "orchestrator": "agenthub_orchestrator",
    "projector": "agenthub_orchestrator.projector",
    "gateway": "agenthub_gateway",
    "worker": "agenthub_worker",
}


def up(
    *,
    port: Annotated[
        int | None,
        Parameter(help="Port of the gateway; 0 takes any free one [env var: AGENTHUB_PORT] [default: 8000]"),
    ] = None,
    host: Annotated[
        str | None, Parameter(help="Address of the gateway [env var: AGENTHUB_HOST] [default: 127.0.0.1]")
    ] = None,
    data_dir: DataDirOption = None,
    workers: Annotated[
        str | None,
        Parameter(help="Worker processes by type, e.g. `coding=3,testing=2` [env var: AGENTHUB_WORKERS]"),
    ] = None,
    json: Json = False,
) -> int:
    """Start NATS, PostgreSQL and every service on this machine, and keep them running until Ctrl-C.

    With --json one line tells when the hub is ready. It carries complete addresses, with credentials.
    """
    from agenthub_runtime.embedded.data_folder import DataDir, default_data_dir
    from agenthub_runtime.embedded.foreground import run_in_foreground
    from agenthub_runtime.embedded.stack import EmbeddedStack
    from agenthub_runtime.settings.records import read_hub_settings
    from agenthub_runtime.telemetry.logs import configure_logging

    env = with_options(os.environ, port=port, host=host, data_dir=data_dir, workers=workers)
    settings = read_hub_settings(env)
    configure_logging(settings.log, service="up")
    if not rehearses(settings):
        provider_of(settings)
    data = DataDir(settings.data_dir or default_data_dir())
    stack = EmbeddedStack(data, plan_of(settings, env))

    async def stay(hub: RunningHub) -> None:
        if json:
            print_json(_ready_line(hub, data))
        else:
            say(greeting(hub, data, settings))
        await asyncio.Event().wait()

    if not json:
        say(f"Starting agenthub on {data.root} …")
    asyncio.run(run_in_foreground(stack, stay))
    if not json:
        say("Stopped; nothing is lost: start again with the same folder to go on")
    return exit_codes.OK


def with_options(
    env: Mapping[str, str],
    *,
    port: int | None = None,
    host: str | None = None,
    data_dir: Path | None = None,
    workers: str | None = None,
) -> dict[str, str]:
    """The environment with the options that were given; an option wins over a variable."""
    given = {
        "AGENTHUB_PORT": port,
        "AGENTHUB_HOST": host,
        "AGENTHUB_DATA_DIR": data_dir,
        "AGENTHUB_WORKERS": workers,
    }
    return {**env, **{name: str(value) for name, value in given.items() if value is not None}}


def plan_of(settings: HubSettings, env: Mapping[str, str]) -> StackPlan:
    """What the embedded stack is to run."""
    from agenthub_runtime.embedded.stack import StackPlan
    from agenthub_runtime.jetstream.declared import apply_assets

    return StackPlan(
        port=settings.port,
        host=settings.host,
        workers=settings.workers,
        service_command=service_command,
        env=env,
        declare=apply_assets,
        pg_bin=settings.pg_bin,
        rehearsal_command=_rehearsal_command if rehearses(settings) else None,
    )


def service_command(service: str, *arguments: str) -> list[str]:
    """The command line of one service of this installation."""
    return [sys.executable, "-m", _MODULES[service], *arguments]


def _rehearsal_command(port: int) -> list[str]:
    return [sys.executable, "-m", "agenthub_worker.rehearsal", "--port", str(port)]


def _ready_line(hub: RunningHub, data: DataDir) -> dict[str, object]:
    secrets = data.secrets
    return {
        "ready": True,
        "url": hub.url,
        "nats_url": secrets.authorise(hub.nats_url),
        "postgres_url": secrets.authorise(hub.postgres_url),
        "data_dir": str(data.root),
    }


def greeting(hub: RunningHub, data: DataDir, settings: HubSettings) -> str:
    """What people are told when the hub is ready."""
    from agenthub_runtime.settings.worker_counts import unserved

    lines = [
        "",
        f"agenthub is ready at {hub.url}",
        f"  data      {data.root}",
        f"  workers   {', '.join(f'{types}={count}' for types, count in settings.workers.items())}",
    ]
    if missing := unserved(settings.workers):
        lines.append(f"  warning   no worker serves {', '.join(missing)}: their tasks will wait")
    if rehearses(settings):
        lines += [
            "  model     REHEARSAL: a scripted model that knows two sample goals and refuses all others;",
            "            set ANTHROPIC_API_KEY for a real one",
        ]
    if settings.asks_for_keys:
        lines.append("  keys      are configured: set AGENTHUB_API_KEY to one of them for the commands below")
    lines += [
        "",
        f'Submit a goal:  {program()} goal submit "Build authentication system with JWT" --watch',
        "Stop: Ctrl-C",
    ]
    return "\n".join(lines)
