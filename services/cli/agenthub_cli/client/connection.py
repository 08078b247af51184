"""NATS and Postgres addresses for commands that work below the gateway."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agenthub_cli.client.environment import data_folder, environment, running_hub
from agenthub_cli.errors import CommandFailed
from agenthub_cli.program import program
from agenthub_runtime.errors import SettingsInvalid
from agenthub_runtime.settings.setting import Setting
from agenthub_runtime.settings.stores import DATABASE_PASSWORD, DATABASE_URL, NATS_CA, NATS_SEED, NATS_URL

if TYPE_CHECKING:
    from nats.aio.client import Client

    from agenthub_runtime.embedded.data_folder import DataDir
    from agenthub_runtime.embedded.place import RunningHub
    from agenthub_runtime.jetstream.event_log import JetStreamEventLog
    from agenthub_runtime.postgres.database import Database

_GIVE_UP_S = 5.0
_BESIDE_THE_BUS = (NATS_SEED.name, NATS_CA.name)
_BESIDE_THE_DATABASE = (DATABASE_PASSWORD.name,)


def nats_address(nats_url: str | None, data_dir: Path | None) -> str:
    """`nats_url`, or the running hub's with its credentials. Raises `CommandFailed`."""
    return _checked(NATS_URL, nats_url) if nats_url else _of_running_hub(data_dir, NATS_URL)


def postgres_address(database_url: str | None, data_dir: Path | None) -> str:
    """`database_url`, or the running hub's with its credentials. Raises `CommandFailed`."""
    return _checked(DATABASE_URL, database_url) if database_url else _of_running_hub(data_dir, DATABASE_URL)


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


@asynccontextmanager
async def stores(
    nats_url: str | None, database_url: str | None, data_dir: Path | None
) -> AsyncIterator[tuple[JetStreamEventLog, Database]]:
    """The event log and the database of a hub, closed afterwards."""
    from agenthub_runtime.jetstream.event_log import JetStreamEventLog
    from agenthub_runtime.postgres.database import Database

    address = postgres_address(database_url, data_dir)
    async with nats_connection(nats_url, data_dir) as nc, Database(address, name="agenthub-cli") as database:
        yield JetStreamEventLog(nc), database


def embedded_folder(data_dir: Path | None) -> DataDir | None:
    """The data folder of the hub that runs here, if any. Raises `CommandFailed` when several do."""
    hub = running_hub(data_dir)
    return None if hub is None else _folder_of(hub, data_dir)


def _folder_of(hub: RunningHub | None, data_dir: Path | None) -> DataDir:
    from agenthub_runtime.embedded.data_folder import DataDir

    return DataDir(getattr(hub, "data_dir", None) or data_folder(data_dir))


def _checked(setting: Setting[str], address: str) -> str:
    """An address that was given, whole: its secret may stand in a setting or file of its own."""
    from agenthub_runtime.settings.from_files import with_values_of_files

    own = _BESIDE_THE_BUS if setting is NATS_URL else _BESIDE_THE_DATABASE
    beside = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") in own}
    found, problems = with_values_of_files({**beside, setting.name: address})
    if problems:
        raise SettingsInvalid(tuple(problems))
    try:
        return setting.parse(found[setting.name])
    except ValueError as error:
        raise SettingsInvalid((f"{setting.name}: {error}",)) from None


def _of_running_hub(data_dir: Path | None, setting: Setting[str]) -> str:
    hub = running_hub(data_dir)
    folder = _folder_of(hub, data_dir)
    if hub is None:
        raise CommandFailed(
            f"No hub runs on {folder.root}, and {setting.name} is not set",
            hint=f"start one with `{program()} up`, or set {setting.name}, or name the folder with --data-dir",
        )
    return folder.secrets.authorise(hub.nats_url if setting is NATS_URL else hub.postgres_url)
