"""How much room the streams take, what bounds them, and what the disk below them still has."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import StreamInfo
from nats.js.errors import NotFoundError

from agenthub_events.errors import StoreUnavailable
from agenthub_runtime.bus_users.people import STREAMS


class StreamSize(msgspec.Struct, frozen=True, kw_only=True):
    """A stream: its messages and their size in bytes, the size at which it drops the oldest, and the seconds after
    which it drops each; null: it keeps them whatever they come to."""

    stream: str
    bytes: int
    messages: int
    max_bytes: int | None
    max_age_s: float | None


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """The streams, and the disk of the log in bytes; null where its services do not see it."""

    streams: tuple[StreamSize, ...]
    disk_free: int | None = None
    disk_size: int | None = None


async def read_storage(nc: Client, folder: Path | None) -> Storage:
    """Ask the server, and the disk of `folder`. Raises `StoreUnavailable`."""
    try:
        infos = await stream_infos(nc)
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The server does not say what its streams hold: {error}") from error
    found = tuple(map(_size, infos))
    try:
        disk = shutil.disk_usage(folder) if folder is not None else None
    except OSError:
        disk = None
    return Storage(streams=found, disk_free=disk.free if disk else None, disk_size=disk.total if disk else None)


async def stream_infos(nc: Client) -> list[StreamInfo]:
    """What the server says of each stream that it has: an older hub may lack some. Raises what `nats` raises."""
    found = await asyncio.gather(*(_info(nc, name) for name in STREAMS))
    return [info for info in found if info is not None]


async def _info(nc: Client, name: str) -> StreamInfo | None:
    try:
        return await nc.jetstream().stream_info(name)
    except NotFoundError:
        return None


def _size(info: StreamInfo) -> StreamSize:
    config = info.config
    return StreamSize(
        stream=config.name or "",
        bytes=info.state.bytes,
        messages=info.state.messages,
        max_bytes=config.max_bytes if config.max_bytes and config.max_bytes > 0 else None,
        max_age_s=config.max_age or None,
    )
