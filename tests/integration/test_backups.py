"""Backups: taken from a server that is written to, and given back to another one, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from agenthub_runtime.backups.archive import (
    MANIFEST,
    Manifest,
    StreamFile,
    check_files,
    read_manifest,
    restore_backup,
    streams_to_keep,
    take_backup,
)
from agenthub_runtime.backups.errors import BackupFailed
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.errors import DataDirUnusable
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.event_samples import STAMP, draft, noted
from tests.support.running_hub import run_cli
from tests.support.servers import running_nats

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LARGE = os.urandom(3 << 20)


@pytest.fixture
def second(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that holds nothing."""
    with running_nats(tmp_path / "second") as server:
        yield server


@pytest.fixture
async def empty(second: NatsServer) -> AsyncIterator[Client]:
    nc = await connect(second.authorised_url, "test", give_up_after_s=300)
    yield nc
    await nc.close()


async def write(bus: Client, first: int, count: int) -> None:
    log = JetStreamEventLog(bus)
    for number in range(first, first + count):
        await log.append(draft(noted(), task_id=f"t-{number}"), STAMP)


async def taken(bus: Client, folder: Path) -> tuple[Manifest, list[str]]:
    told: list[StreamFile] = []
    manifest = await take_backup(bus, folder, taken_at=WHEN, version="1.2.3", told=told.append)
    return manifest, [stream.stream for stream in told]


async def restored(nc: Client, folder: Path) -> None:
    await restore_backup(nc, folder, read_manifest(folder), told=lambda _: None)


async def test_everything_comes_back_byte_for_byte(bus: Client, empty: Client, tmp_path: Path) -> None:
    digest = await JetStreamArtifacts(bus).put(LARGE)
    await write(bus, 0, 60)
    manifest, told = await taken(bus, tmp_path / "backup")
    assert told == streams_to_keep()
    assert told[0] == "EVENTS"
    assert (manifest.last_event, manifest.version, manifest.taken_at) == (60, "1.2.3", WHEN)
    assert read_manifest(tmp_path / "backup") == manifest
    await restored(empty, tmp_path / "backup")
    assert await JetStreamArtifacts(empty).get(digest) == LARGE
    before, after = [await JetStreamEventLog(nc).read("*") for nc in (bus, empty)]
    assert [(m.seq, m.subject, m.sha256) for m in after] == [(m.seq, m.subject, m.sha256) for m in before]
    consumers = [
        {
            (c.name, c.ack_floor.stream_seq if c.ack_floor else 0)
            for c in await nc.jetstream().consumers_info("EVENTS")
        }
        for nc in (bus, empty)
    ]
    assert consumers[0] == consumers[1]
    assert len(consumers[0]) > 10


async def test_a_backup_of_a_server_that_is_written_to_is_a_beginning_of_its_log(
    bus: Client, empty: Client, tmp_path: Path
) -> None:
    await write(bus, 0, 20)
    writing = asyncio.create_task(write(bus, 20, 200))
    manifest, _ = await taken(bus, tmp_path / "backup")
    await writing
    await restored(empty, tmp_path / "backup")
    whole, part = [await JetStreamEventLog(nc).read("*") for nc in (bus, empty)]
    assert len(whole) == 220
    assert 20 <= manifest.last_event == len(part) <= 220
    assert [m.sha256 for m in part] == [m.sha256 for m in whole[: len(part)]]


async def test_only_their_owner_can_read_the_files(bus: Client, tmp_path: Path) -> None:
    await taken(bus, tmp_path / "backup")
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "backup").iterdir()} == {0o600}


@pytest.mark.parametrize("harm", ["flipped", "shorter", "longer", "gone", "a folder"])
async def test_a_file_that_was_changed_is_named_and_nothing_is_made(
    bus: Client, empty: Client, tmp_path: Path, harm: str
) -> None:
    await write(bus, 0, 5)
    await taken(bus, tmp_path / "backup")
    path = tmp_path / "backup" / "RUNS.snapshot"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    match harm:
        case "flipped":
            path.write_bytes(data)
        case "shorter":
            path.write_bytes(data[:-1])
        case "longer":
            path.write_bytes(data + b"x")
        case "a folder":
            path.mkdir()
    with pytest.raises(BackupFailed, match=r"RUNS\.snapshot"):
        await restored(empty, tmp_path / "backup")
    assert await empty.jetstream().streams_info() == []


async def test_a_manifest_that_is_none_is_said(bus: Client, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="holds no whole backup"):
        read_manifest(tmp_path)
    await taken(bus, tmp_path / "backup")
    path = tmp_path / "backup" / MANIFEST
    good = path.read_bytes()
    path.write_bytes(good[:-20])
    with pytest.raises(BackupFailed, match="is damaged"):
        read_manifest(tmp_path / "backup")
    path.write_bytes(good.replace(b'"format":1', b'"format":9'))
    with pytest.raises(BackupFailed, match="newer agenthub"):
        read_manifest(tmp_path / "backup")
    path.write_bytes(good.replace(b"RUNS.snapshot", b"../elsewhere"))
    with pytest.raises(BackupFailed, match="no name of a file"):
        check_files(tmp_path / "backup", read_manifest(tmp_path / "backup"))


async def test_a_stream_that_is_there_already_is_never_written_over(bus: Client, tmp_path: Path) -> None:
    await write(bus, 0, 5)
    await taken(bus, tmp_path / "backup")
    await write(bus, 5, 5)
    with pytest.raises(BackupFailed, match="EVENTS"):
        await restored(bus, tmp_path / "backup")
    assert await JetStreamEventLog(bus).last_seq() == 10


async def test_a_folder_that_holds_things_is_left_alone(bus: Client, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BackupFailed, match="is not empty"):
        await taken(bus, tmp_path)
    assert "manifest.json" not in os.listdir(tmp_path)


async def test_a_backup_that_breaks_off_leaves_nothing_that_looks_like_one(bus: Client, tmp_path: Path) -> None:
    await write(bus, 0, 5)
    body = msgspec.json.encode({})
    assert b"success" in (await bus.request("$JS.API.STREAM.DELETE.RUNS", body, timeout=60)).data
    with pytest.raises(BackupFailed, match="`RUNS` gives no snapshot"):
        await taken(bus, tmp_path / "backup")
    assert list((tmp_path / "backup").iterdir()) == []


@pytest.mark.parametrize("stream", ["EVENTS", "TIMERS"])
async def test_no_hub_starts_on_a_restore_that_was_killed_and_the_next_one_makes_it_whole(
    bus: Client, tmp_path: Path, stream: str
) -> None:
    await write(bus, 0, 30)
    manifest, _ = await taken(bus, tmp_path / "backup")
    words = ["restore", str(tmp_path / "backup"), "--data-dir", str(tmp_path / "hub")]
    assert exit_code_of_restore_killed_at(stream, words) == -signal.SIGKILL
    with pytest.raises(DataDirUnusable, match="not to its end"), DataDir(tmp_path / "hub").claim():
        pytest.fail("a hub on a part of its log")
    again = run_cli(*words)
    assert (again.returncode, again.stderr) == (0, "")
    data = DataDir(tmp_path / "hub")
    with data.claim():
        assert not data.is_fresh
    server = NatsServer(data)
    await server.start()
    try:
        nc = await connect(server.authorised_url, "test", give_up_after_s=300)
        assert len(await JetStreamEventLog(nc).read("*")) == manifest.last_event == 30
        await nc.close()
    finally:
        await server.stop()
    third = run_cli(*words)
    assert (third.returncode, "holds the log of a hub already" in third.stderr) == (2, True)


def exit_code_of_restore_killed_at(stream: str, words: Sequence[str]) -> int:
    command = [sys.executable, "-m", "tests.support.dying_restore", stream, *words]
    return subprocess.run(command, check=False).returncode


async def test_a_restore_that_fails_leaves_nothing_also_where_one_was_killed(bus: Client, tmp_path: Path) -> None:
    await write(bus, 0, 5)
    await taken(bus, tmp_path / "backup")
    data = DataDir(tmp_path / "hub")
    with data.claim(to_restore=True):
        (data.root / "restoring").touch()
        (data.jetstream / "half").write_text("a part of a log")
        with pytest.raises(BackupFailed), data.restoring():
            fail_on(data)
    assert not data.root.exists()


def fail_on(data: DataDir) -> None:
    assert data.is_fresh
    raise BackupFailed("The server takes no stream")
