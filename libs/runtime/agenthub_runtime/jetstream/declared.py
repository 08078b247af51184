"""Streams and consumers as they are declared in `nats/`: applied raw, and compared with what the server has.

The files hold the server's own API JSON, so `nats stream add --config FILE` and this code do the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_runtime.errors import BusError

log = structlog.get_logger(__name__)

_PACKAGE = Path(__file__).resolve().parents[1]
_TIMEOUT_S = 10.0
_AGAIN_S = 1.0
_LOOK_S = 15.0
_STREAM_EXISTS = 10058
_NOT_FOUND = frozenset({10014, 10059})


class Declared(msgspec.Struct, frozen=True):
    """One declared asset: `stream` is its own name, or that of the stream whose consumer it is."""

    kind: str
    stream: str
    name: str
    config: dict[str, Any]


class Applied(msgspec.Struct, frozen=True):
    """What was done with an asset: `created`, `updated` or `unchanged`."""

    kind: str
    name: str
    outcome: str


class Drift(msgspec.Struct, frozen=True):
    """A difference between a file and the server: `declared` and `actual` are JSON values."""

    kind: str
    name: str
    key: str
    declared: Any
    actual: Any


def nats_folder() -> Path:
    """The folder with `server.conf`, `streams/` and `consumers/`.

    An installed wheel carries it inside the package; a checkout has it at the top, where operators look for it.
    """
    installed = _PACKAGE / "_nats"
    return installed if installed.is_dir() else _PACKAGE.parents[2] / "nats"


def declared_assets(folder: Path | None = None, *, replicas: int = 1) -> list[Declared]:
    """Everything that `nats/` declares, streams first. `replicas` overlays `num_replicas` (a cluster has 3).

    Streams in memory too: one that a single server holds would be away for as long as that server is.
    """
    root = folder or nats_folder()
    streams = [
        Declared("stream", path.stem, path.stem, {**_read(path), "num_replicas": replicas})
        for path in sorted((root / "streams").glob("*.json"))
    ]
    consumers = [
        Declared("consumer", path.parent.name, path.stem, _read(path))
        for path in sorted((root / "consumers").glob("*/*.json"))
    ]
    return streams + consumers


async def apply_assets(nc: Client, assets: list[Declared] | None = None) -> list[Applied]:
    """Create what is missing and update what differs. Raises `BusError` with the server's reason."""
    wanted = assets if assets is not None else declared_assets()
    done = [await _apply_stream(nc, asset) for asset in wanted if asset.kind == "stream"]
    consumers = [_apply_consumer(nc, asset) for asset in wanted if asset.kind == "consumer"]
    return done + list(await asyncio.gather(*consumers))


async def create_missing(nc: Client, assets: list[Declared] | None = None) -> list[Applied]:
    """Create what the server lacks and leave the rest as its operator has it; waits for a server that starts.

    Raises `BusError` with the server's reason.
    """
    wanted = assets if assets is not None else declared_assets()
    while True:
        try:
            missing = [asset for asset in wanted if await _actual(nc, asset) is None]
            return await apply_assets(nc, missing)
        except (NatsError, TimeoutError) as error:
            log.warning("jetstream_not_ready", error=str(error) or type(error).__name__)
            await asyncio.sleep(_AGAIN_S)


async def keep_declared(
    nc: Client, reconnected: asyncio.Event, assets: list[Declared] | None = None, *, look_s: float = _LOOK_S
) -> None:
    """Create what the server lacks whenever `reconnected` is set, and every `look_s` seconds, for ever.

    A server that was started again has forgotten the streams that it held in memory.
    """
    assets = assets if assets is not None else declared_assets()
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(look_s):
                await reconnected.wait()
        reconnected.clear()
        try:
            created = await create_missing(nc, assets)
        except BusError as error:
            log.warning("declared_asset_refused", reason=str(error))
            continue
        if created:
            log.warning("declared_assets_created_again", names=[asset.name for asset in created])


async def diff_assets(nc: Client, assets: list[Declared] | None = None) -> list[Drift]:
    """Where the server differs from the files; defaults and `_nats.*` metadata of the server do not count."""
    drifts: list[Drift] = []
    for asset in assets if assets is not None else declared_assets():
        actual = await _actual(nc, asset)
        if actual is None:
            drifts.append(Drift(asset.kind, asset.name, "", "declared", "missing"))
            continue
        drifts.extend(
            Drift(asset.kind, asset.name, key, value, actual.get(key))
            for key, value in asset.config.items()
            if _plain(actual.get(key), value) != value
        )
    return drifts


async def _apply_stream(nc: Client, asset: Declared) -> Applied:
    before = await _actual(nc, asset)
    answer = await _ask(nc, f"STREAM.CREATE.{asset.name}", asset.config)
    if _error_code(answer) == _STREAM_EXISTS:
        answer = await _ask(nc, f"STREAM.UPDATE.{asset.name}", asset.config)
    return _applied(asset, before, answer)


async def _apply_consumer(nc: Client, asset: Declared) -> Applied:
    before = await _actual(nc, asset)
    subject = f"CONSUMER.CREATE.{asset.stream}.{asset.name}.{asset.config['filter_subject']}"
    answer = await _ask(nc, subject, {"stream_name": asset.stream, "config": asset.config})
    return _applied(asset, before, answer)


def _applied(asset: Declared, before: Mapping[str, Any] | None, answer: dict[str, Any]) -> Applied:
    if error := answer.get("error"):
        raise BusError(
            f"The server refused {asset.kind} `{asset.name}` of the nats/ folder: {error.get('description')}"
        )
    if before is None:
        return Applied(asset.kind, asset.name, "created")
    same = all(_plain(before.get(key), value) == value for key, value in asset.config.items())
    return Applied(asset.kind, asset.name, "unchanged" if same else "updated")


async def _actual(nc: Client, asset: Declared) -> dict[str, Any] | None:
    path = f"STREAM.INFO.{asset.name}" if asset.kind == "stream" else f"CONSUMER.INFO.{asset.stream}.{asset.name}"
    answer = await _ask(nc, path, {})
    if _error_code(answer) in _NOT_FOUND:
        return None
    if error := answer.get("error"):
        raise BusError(f"The server cannot tell about {asset.kind} `{asset.name}`: {error.get('description')}")
    config: dict[str, Any] = answer["config"]
    return config


async def _ask(nc: Client, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    reply = await nc.request(f"$JS.API.{path}", msgspec.json.encode(body) if body else b"", timeout=_TIMEOUT_S)
    answer: dict[str, Any] = msgspec.json.decode(reply.data)
    return answer


def _error_code(answer: Mapping[str, Any]) -> int:
    return int(answer.get("error", {}).get("err_code", 0))


def _plain(actual: Any, declared: Any) -> Any:
    """The server leaves zero values out and adds its own metadata."""
    if isinstance(declared, dict) and isinstance(actual, dict):
        return {key: value for key, value in actual.items() if not key.startswith("_nats")}
    if actual is None and declared in (0, False, ""):
        return declared
    return actual


def _read(path: Path) -> dict[str, Any]:
    config: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    return config
