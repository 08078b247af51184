"""`agenthub backup` and `agenthub restore`: the log and all that belongs to it, while the hub runs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import humanize
from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.client.connection import nats_connection
from agenthub_cli.commands.nats.assets import NatsUrl
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.common import DataDirOption, Json
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, say

if TYPE_CHECKING:
    from nats.aio.client import Client

    from agenthub_runtime.backups.archive import Manifest, StreamFile
    from agenthub_runtime.embedded.data_folder import DataDir


def backup(
    folder: Annotated[Path, Parameter(help="A new or empty folder for it")],
    *,
    verify: Annotated[
        bool, Parameter(negative="--no-verify", help="Make a second server out of it, and compare")
    ] = True,
    nats_url: NatsUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> int:
    """Back up the log, the runs and the artifacts of a running hub, which goes on meanwhile."""
    manifest = asyncio.run(_backup(folder.absolute(), nats_url, data_dir, verify=verify, quiet=json))
    if json:
        print_json({"folder": str(folder.absolute()), "verified": verify, **_summary(manifest)})
        return exit_codes.OK
    if verify:
        say(f"Verified: a second server made the same {len(manifest.streams)} streams out of it")
    say(f"Backup of {humanize.naturalsize(manifest.bytes)} in {folder}, as of event {manifest.last_event}")
    say(f"Restore it with: {program()} restore {folder} --data-dir <new folder>")
    return exit_codes.OK


def restore(folder: Path, *, data_dir: DataDirOption = None, json: Json = False) -> int:
    """Make the data folder of a new hub out of a backup; its read models are built at the first start."""
    from agenthub_runtime.backups.archive import read_manifest
    from agenthub_runtime.embedded.data_folder import DataDir

    if data_dir is None:
        raise CommandFailed(
            "Where to? A backup is restored into a data folder of its own",
            hint="name a new folder with --data-dir",
            code=exit_codes.USAGE,
        )
    manifest = read_manifest(folder)
    data = DataDir(data_dir)
    asyncio.run(_restore(folder, manifest, data, quiet=json))
    if json:
        print_json({"data_dir": str(data.root), **_summary(manifest)})
        return exit_codes.OK
    say(f"Restored to {data.root}, as of event {manifest.last_event}")
    say("Never let two hubs go on from one log: stop the hub that the backup is of, unless it is gone")
    say(f"Start it with: {program()} up --data-dir {data.root}")
    return exit_codes.OK


async def _backup(
    folder: Path, nats_url: str | None, data_dir: Path | None, *, verify: bool, quiet: bool
) -> Manifest:
    from agenthub_runtime.backups.archive import restore_backup, take_backup
    from agenthub_runtime.clock import SystemClock
    from agenthub_runtime.embedded.data_folder import DataDir

    async with nats_connection(nats_url, data_dir) as nc:
        manifest = await take_backup(
            nc, folder, taken_at=SystemClock().now(), version=_version(), told=_silent if quiet else _told
        )
    if verify:
        with tempfile.TemporaryDirectory(prefix="agenthub-backup-") as scratch:
            async with _server(DataDir(Path(scratch) / "hub")) as nc:
                await restore_backup(nc, folder, manifest, told=_silent)
    return manifest


async def _restore(folder: Path, manifest: Manifest, data: DataDir, *, quiet: bool) -> None:
    from agenthub_runtime.backups.archive import check_files, restore_backup
    from agenthub_runtime.embedded.servers.folder_lock import locked

    await asyncio.to_thread(check_files, folder, manifest)
    with data.claim(to_restore=True):
        if not (data.is_fresh or data.is_half_restored):
            raise CommandFailed(
                f"{data.root} holds the log of a hub already: nothing was changed",
                hint="name a new folder with --data-dir",
                code=exit_codes.USAGE,
            )
        if data.is_half_restored:
            # The server of who was killed may still be ending.
            async with locked(data.root / "jetstream.lock"):
                pass
        with data.restoring():
            async with _server(data) as nc:
                await restore_backup(nc, folder, manifest, told=_silent if quiet else _told)


@asynccontextmanager
async def _server(data: DataDir) -> AsyncIterator[Client]:
    """A connection to a nats-server on a folder, which is stopped afterwards."""
    from agenthub_runtime.embedded.servers.nats import NatsServer
    from agenthub_runtime.jetstream.connection import connect

    server = NatsServer(data)
    await server.start()
    try:
        nc = await connect(server.authorised_url, "agenthub-restore", give_up_after_s=5.0)
        try:
            yield nc
        finally:
            await nc.close()
    finally:
        await server.stop()


def _summary(manifest: Manifest) -> dict[str, Any]:
    streams = {
        stream.stream: {"messages": stream.held.messages, "bytes": stream.bytes} for stream in manifest.streams
    }
    return {"last_event": manifest.last_event, "bytes": manifest.bytes, "streams": streams}


def _told(stream: StreamFile) -> None:
    count = f"{stream.held.messages} messages"
    say(f"  {stream.stream:<14} {count:>18}  {humanize.naturalsize(stream.bytes)}")


def _silent(_: StreamFile) -> None:
    """For programs that read the result alone."""


def _version() -> str:
    from importlib.metadata import version

    return version("agenthub")
