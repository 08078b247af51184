"""What `agenthub doctor` asks of a hub that runs here: its clock, whether its read models fit, who gets in."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agenthub_cli.client.connection import nats_connection, stores
from agenthub_cli.client.environment import data_folder

if TYPE_CHECKING:
    from agenthub_runtime.embedded.data_folder import DataDir
    from agenthub_runtime.embedded.place import RunningHub

_CLOCK_S = 1.0
_COMPARED_UP_TO = 20_000
_NO_HUB = "no hub runs on this machine"


class DoctorCheck(msgspec.Struct, frozen=True):
    """One thing that was looked at: `ok`, `warning` or `failed`, and in words what was found and what to do."""

    name: str
    state: str
    found: str


async def clock(data_dir: Path | None) -> DoctorCheck:
    """Whether this machine and the bus agree on the time: timers and leases go by the bus."""
    from agenthub_runtime.jetstream.connection import server_time

    if _hub_of(data_dir)[1] is None:
        return DoctorCheck("clock", "ok", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; {_NO_HUB}")
    async with nats_connection(None, data_dir) as nc:
        before = datetime.now(UTC)
        told = await server_time(nc)
        after = datetime.now(UTC)
    off = max((before - told).total_seconds(), (told - after).total_seconds(), 0.0)
    if off > _CLOCK_S:
        return DoctorCheck(
            "clock", "warning", f"{off:.1f} s between this machine and the bus: let both follow NTP"
        )
    return DoctorCheck("clock", "ok", f"{told:%Y-%m-%d %H:%M:%S} UTC, as the bus has it")


async def drift(data_dir: Path | None) -> DoctorCheck:
    """Whether the bus is as declared, and the read models are what the log says, row by row where it is short."""
    from agenthub_orchestrator.projector.rebuild import verify
    from agenthub_runtime.jetstream.declared import diff_assets

    if _hub_of(data_dir)[1] is None:
        return DoctorCheck("drift", "ok", f"nothing to compare: {_NO_HUB}")
    async with nats_connection(None, data_dir) as nc:
        differing = sorted({found.name for found in await diff_assets(nc)})
    if differing:
        names = ", ".join(differing)
        return DoctorCheck("drift", "failed", f"{names} on the bus differ from nats/: see `agenthub nats diff`")
    async with stores(None, None, data_dir) as (log, database):
        newest = await log.last_seq()
        if newest > _COMPARED_UP_TO:
            return DoctorCheck("drift", "ok", f"{newest} events: compare them with `agenthub rebuild --verify`")
        found = await verify(log, database)
    if found.differences:
        words = f"{len(found.differences)} of {found.rows} rows differ from the log: run `agenthub rebuild`"
        return DoctorCheck("drift", "failed", words)
    lag = f", {newest - found.position} events behind" if newest > found.position else ""
    return DoctorCheck("drift", "ok", f"{found.rows} rows are as the log says, as of event {found.position}{lag}")


async def accounts(data_dir: Path | None) -> DoctorCheck:
    """Whether every user of bus and database gets in with its own key, and nobody without one."""
    data, hub = _hub_of(data_dir)
    secret = data.root / "secret.json"
    if not secret.is_file():
        return DoctorCheck("accounts", "ok", f"{data.root} holds no hub yet")
    if mode := stat.S_IMODE(secret.stat().st_mode) & 0o077:
        return DoctorCheck("accounts", "failed", f"others may read {secret} (mode {mode:o}): chmod 600 it")
    if hub is None:
        return DoctorCheck("accounts", "ok", f"{len(data.secrets.nats_seeds)} keys of the bus; {_NO_HUB}")
    refused = await _refused(data, hub)
    if refused:
        words = f"the bus refuses {', '.join(refused)}: its users are those of an older start, start the hub again"
        return DoctorCheck("accounts", "failed", words)
    if await _gets_in(hub.nats_url):
        return DoctorCheck("accounts", "failed", f"the bus at {hub.nats_url} lets everybody in")
    if trouble := await _reader_trouble(data, hub):
        return DoctorCheck("accounts", "failed", trouble)
    users = len(data.secrets.nats_seeds)
    return DoctorCheck("accounts", "ok", f"{users} users of the bus get in, and the database's reader only reads")


def _hub_of(data_dir: Path | None) -> tuple[DataDir, RunningHub | None]:
    from agenthub_runtime.embedded.data_folder import DataDir

    data = DataDir(data_folder(data_dir))
    return data, data.running_hub()


async def _refused(data: DataDir, hub: RunningHub) -> list[str]:
    users = data.secrets.nats_seeds
    return [user for user in users if not await _gets_in(data.secrets.authorise(hub.nats_url, user))]


async def _gets_in(address: str) -> bool:
    import nats.errors
    from nats.aio.client import Client

    from agenthub_runtime.bus_users.keys import login_of

    async def ignore(_: Exception) -> None:
        """The refusal shows as the result."""

    client = Client()
    try:
        await client.connect(
            **login_of(address).options, allow_reconnect=False, connect_timeout=2, error_cb=ignore
        )
    except (nats.errors.Error, OSError, TimeoutError):
        return False
    else:
        return True
    finally:
        await client.close()


async def _reader_trouble(data: DataDir, hub: RunningHub) -> str:
    import asyncpg

    from agenthub_runtime.postgres.queries import MAY_WRITE

    try:
        connection = await asyncpg.connect(data.secrets.authorise_reader(hub.postgres_url), timeout=5)
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        return f"the database refuses its reader: {error}"
    try:
        can_write = await connection.fetchval(MAY_WRITE)
    finally:
        await connection.close()
    return "the database's reader may write: start the projector again" if can_write else ""
