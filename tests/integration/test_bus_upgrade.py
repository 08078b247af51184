"""A data folder of an agenthub that knew one user with a password: it goes on by itself."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL
from pathlib import Path

import nats.errors
import pytest
from nats.aio.client import Client

from agenthub_runtime.bus_users.keys import login_of
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.nats import NatsServer, find_nats_server
from agenthub_runtime.embedded.servers.tcp_ports import free_port
from agenthub_runtime.errors import DataDirBusy, ServerFailed
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.declared import apply_assets
from agenthub_runtime.jetstream.fenced_stream import FencedStream
from tests.support.until import until

OLD = """
server_name: agenthub
host: 127.0.0.1
port: {port}
jetstream {{ store_dir: {store} }}
authorization {{ user: agenthub, password: p0old }}
"""
NOTED = "evt.g-00000000000000000000000000.t-a.task.noted"
ORDER = "evt.g-00000000000000000000000000.t-a.task.enqueued.coding.p0"


async def written_with_the_old_user(data: DataDir, folder: Path) -> None:
    port = free_port()
    config = folder / "old.conf"
    config.write_text(OLD.format(port=port, store=json.dumps(str(data.jetstream))))
    server = await asyncio.create_subprocess_exec(str(find_nats_server()), "-c", str(config), stderr=DEVNULL)
    try:
        nc = await connect(f"nats://agenthub:p0old@127.0.0.1:{port}", "old", give_up_after_s=300)
        await apply_assets(nc)
        js = nc.jetstream()
        for subject in (NOTED, ORDER, ORDER):
            await js.publish(subject, b"{}", stream="EVENTS")
        [order] = await (await js.pull_subscribe_bind("work-coding-p0", "EVENTS")).fetch(1, timeout=60)
        await order.ack_sync(timeout=10)
        await nc.close()
    finally:
        server.terminate()
        await server.wait()


async def test_the_log_of_an_older_hub_is_there_and_its_password_is_worth_nothing(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "hub")
    data.prepare()
    secrets = {"nats_password": "p0old", "postgres_password": "p1", "link_key": "p2"}
    (data.root / "secret.json").write_text(json.dumps(secrets))
    await written_with_the_old_user(data, tmp_path)

    server = NatsServer(DataDir(data.root))
    await server.start()
    try:
        nc = await connect(server.url_of("gateway"), "gateway", give_up_after_s=300)
        assert [raw.subject for raw in await FencedStream(nc, "EVENTS").read("evt.>")] == [NOTED, ORDER, ORDER]
        await nc.close()
        await is_refused(server.url.replace("nats://", "nats://agenthub:p0old@"))
        nc = await connect(server.authorised_url, "look", give_up_after_s=300)
        js = nc.jetstream()
        assert {info.config.name for info in await js.streams_info()} >= {
            "EVENTS",
            "RUNS",
            "OBJ_ARTIFACTS",
            "TIMERS",
        }
        # The order that was acknowledged before is not given out again; the open one is.
        lane = await js.consumer_info("EVENTS", "work-coding-p0")
        assert (lane.num_pending, lane.num_ack_pending, lane.delivered.consumer_seq) == (1, 0, 1)
        await nc.close()
    finally:
        await server.stop()


async def test_streams_of_an_older_hub_that_ran_again_in_the_folder_are_not_passed_over(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "hub")
    data.prepare()
    await written_with_the_old_user(data, tmp_path)
    server = NatsServer(data)
    await server.start()
    await server.stop()
    await written_with_the_old_user(data, tmp_path)  # a hub of the release before, without the streams of this one
    with pytest.raises(ServerFailed, match="Nothing was changed"):
        await server.start()
    kept = data.jetstream / "jetstream"
    assert sorted(path.name for path in kept.iterdir()) == ["$G", "HUB"]


async def test_a_key_that_was_rotated_is_worth_nothing_at_the_next_start(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "hub")
    server = NatsServer(data)
    await server.start()
    old = server.url_of("worker-coding")
    await server.stop()
    with data.claim():
        data.rotate_keys(["worker-coding"])
    await server.start()
    try:
        await is_refused(old)
        nc = await connect(server.url_of("worker-coding"), "new", give_up_after_s=300)
        await nc.close()
    finally:
        await server.stop()


def test_keys_of_a_hub_that_runs_are_not_rotated_under_it(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "hub")
    with data.claim(), pytest.raises(DataDirBusy), DataDir(data.root).claim():
        pass


async def test_the_server_listens_for_clients_alone(tmp_path: Path) -> None:
    # Its monitoring asks for no password: whoever reaches the port would see connections and subjects.
    data = DataDir(tmp_path / "hub")
    server = NatsServer(data)
    await server.start()
    try:
        assert server.process is not None
        told = data.run / f"nats-server_{server.process.pid}.ports"
        await until(told.exists, 300, "the server tells its ports")
        assert not json.loads(told.read_text()).get("monitoring")
        assert b"monitor" not in data.log_file("nats").read_bytes().lower()
    finally:
        await server.stop()


async def is_refused(url: str) -> None:
    nc = Client()
    try:
        with pytest.raises((nats.errors.Error, OSError)):
            await nc.connect(**login_of(url).options, allow_reconnect=False, error_cb=_quiet)
    finally:
        await nc.close()


async def _quiet(_: Exception) -> None:
    """What is refused is what the test wants to see."""
