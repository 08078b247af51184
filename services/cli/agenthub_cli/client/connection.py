"""NATS and Postgres addresses for commands that work below the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agenthub_cli.client.environment import data_folder, environment, running_hub
from agenthub_cli.errors import CommandFailed

if TYPE_CHECKING:
    from nats.aio.client import Client

_GIVE_UP_S = 5.0


def nats_address(nats_url: str | None, data_dir: Path | None) -> str:
    """`nats_url`, or the running hub's with its credentials. Raises `CommandFailed`."""
    return nats_url or _of_running_hub(data_dir, "NATS_URL")


def postgres_address(database_url: str | None, data_dir: Path | None) -> str:
    """`database_url`, or the running hub's with its credentials. Raises `CommandFailed`."""
    return database_url or _of_running_hub(data_dir, "DATABASE_URL")


@asynccontextmanager
async def nats_connection(nats_url: str | None, data_dir: Path | None) -> AsyncIterator[Client]:
    """A connection that is closed afterwards. What happens on it is logged to standard error."""
    from agenthub_runtime.jetstream.connection import connect
    from agenthub_runtime.settings.records import read_log_settings
    from agenthub_runtime.telemetry.logs import configure_logging

    configure_logging(read_log_settings(environment(data_dir)), service="agenthub")
    nc = await connect(nats_address(nats_url, data_dir), "agenthub-cli", give_up_after_s=_GIVE_UP_S)
    try:
        yield nc
    finally:
        await nc.close()


def _of_running_hub(data_dir: Path | None, setting: str) -> str:
    from agenthub_runtime.embedded.data_folder import DataDir

    hub = running_hub(data_dir)
    folder = DataDir(getattr(hub, "data_dir", None) or data_folder(data_dir))
    if hub is None:
        raise CommandFailed(
            f"No hub runs on {folder.root}, and {setting} is not set",
            hint=f"start one with `agenthub up`, or set {setting}, or name the folder with --data-dir",
        )
    return folder.secrets.authorise(hub.nats_url if setting == "NATS_URL" else hub.postgres_url)
