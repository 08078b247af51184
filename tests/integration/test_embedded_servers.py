"""The embedded nats-server and PostgreSQL: they start, come back on the same port, and survive what kills them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import nats
import pytest

from agenthub_runtime.bus_users.keys import login_of
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.embedded.servers.pg_programs import find_pg_bin, major_version
from agenthub_runtime.embedded.servers.postgres import PostgresServer
from agenthub_runtime.embedded.servers.tcp_ports import free_port
from agenthub_runtime.errors import BinaryMissing, ServerFailed
from tests.support.servers import fresh_database
from tests.support.until import until

# Starts a PostgreSQL in a user namespace that is like the outside, but allows no further one. Somebody outside has
# to write its maps of ids.
WITHOUT_NAMESPACES = """
import asyncio, ctypes, os, sys
from pathlib import Path
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.postgres import PostgresServer

assert ctypes.CDLL(None).unshare(0x10000000) == 0
print("inside", flush=True)
sys.stdin.readline()
Path("/proc/sys/user/max_user_namespaces").write_text("0")

async def main():
    server = PostgresServer(DataDir(Path(sys.argv[1])))
    await server.start()
    try:
        print(os.stat(f"/proc/{server.process.pid}").st_uid)
    finally:
        await server.stop()

asyncio.run(main())
"""


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "hub")


@pytest.fixture
async def nats_server(data: DataDir) -> AsyncIterator[NatsServer]:
    server = NatsServer(data)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def postgres(data: DataDir) -> AsyncIterator[PostgresServer]:
    server = PostgresServer(data)
    await server.start()
    yield server
    await server.stop()


async def test_nats_keeps_what_it_acknowledged_over_a_kill_and_comes_back_on_the_same_port(
    nats_server: NatsServer,
) -> None:
    url = nats_server.authorised_url
    client = await nats.connect(**login_of(url).options, reconnect_time_wait=0.05)
    stream = client.jetstream()
    await stream.add_stream(name="EVENTS", subjects=["evt.>"])
    await stream.publish("evt.g.t", b"kept")

    assert nats_server.process is not None
    nats_server.process.send(signal.SIGKILL)
    assert await nats_server.process.wait() == -signal.SIGKILL
    await nats_server.start()

    assert nats_server.authorised_url == url
    await until(lambda: client.is_connected, what="the old client has found the new server")
    assert (await stream.get_last_msg("EVENTS", "evt.g.t")).data == b"kept"
    await client.close()


async def test_nats_lets_nobody_in_without_the_password(nats_server: NatsServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(nats_server.url.rpartition(":")[2]))
    await reader.readline()
    writer.write(b"CONNECT {}\r\nPING\r\n")
    assert b"Authorization Violation" in await asyncio.wait_for(reader.readline(), 120)
    writer.close()
    await writer.wait_closed()


async def test_nats_comes_back_where_it_cannot_write_down_its_ports(
    nats_server: NatsServer, data: DataDir
) -> None:
    url = nats_server.authorised_url
    await nats_server.stop()
    shutil.rmtree(data.run)
    data.run.symlink_to("/proc")  # nobody can make a file there, as on a full disk
    await nats_server.start()
    assert nats_server.authorised_url == url


async def test_nats_says_why_it_did_not_start(data: DataDir) -> None:
    data.prepare()
    (data.jetstream / "jetstream").write_text("a file where the server wants a folder")
    with pytest.raises(ServerFailed, match=r"MB free on its disk(.|\n)*storage directory"):
        await NatsServer(data).start()


async def test_postgres_keeps_its_data_over_a_kill_and_comes_back_on_the_same_port(
    postgres: PostgresServer,
) -> None:
    url = postgres.authorised_url
    connection = await asyncpg.connect(url)
    await connection.execute("SET synchronous_commit = on; CREATE TABLE seen (n int); INSERT INTO seen VALUES (7)")
    await connection.close()

    assert postgres.process is not None
    postgres.process.send(signal.SIGKILL)
    await postgres.process.wait()
    await postgres.start()

    assert postgres.authorised_url == url
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT n FROM seen") == 7
    await connection.close()


async def test_a_lock_file_with_the_id_of_a_living_stranger_does_not_keep_postgres_down(
    postgres: PostgresServer, data: DataDir
) -> None:
    await postgres.stop()
    cluster = next((data.root / "pg").iterdir())
    (cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster}\n1700000000\n5432\n\n127.0.0.1\n0 0\n")
    await postgres.start()
    assert postgres.process is not None
    assert postgres.process.running


async def test_two_servers_never_work_in_one_folder(
    nats_server: NatsServer, postgres: PostgresServer, data: DataDir
) -> None:
    for second in (NatsServer(data, gone_within_s=0.1), PostgresServer(data, gone_within_s=0.1)):
        with pytest.raises(ServerFailed, match="still works in the folder"):
            await second.start()


async def test_a_half_made_cluster_is_made_anew(postgres: PostgresServer, data: DataDir) -> None:
    await postgres.stop()
    cluster = next((data.root / "pg").iterdir())
    half = cluster.with_name(f"{cluster.name}.new")
    cluster.rename(half)
    (half / "PG_VERSION").unlink()
    await postgres.start()
    assert (cluster / "PG_VERSION").exists()
    assert not half.exists()


async def test_a_folder_that_is_no_cluster_is_named_with_the_remedy(data: DataDir) -> None:
    cluster = data.pg(await major_version(find_pg_bin()))
    (cluster / "base").mkdir(parents=True)
    with pytest.raises(ServerFailed, match=f"remove the folder {cluster.parent}: .* from the event log"):
        await PostgresServer(data).start()


async def test_damaged_read_models_are_named_with_the_remedy(postgres: PostgresServer, data: DataDir) -> None:
    await postgres.stop()
    cluster = next(path for path in (data.root / "pg").iterdir() if path.is_dir())
    (cluster / "global" / "pg_control").write_bytes(b"damaged")
    with pytest.raises(ServerFailed, match=f"remove the folder {cluster.parent}: .* from the event log"):
        await PostgresServer(data).start()


async def test_postgres_takes_another_port_when_its_first_choice_is_taken(data: DataDir) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        offers = iter([taken.getsockname()[1]])
        server = PostgresServer(data, offer_port=lambda: next(offers, None) or free_port())
        await server.start()
        try:
            assert server.url != f"postgresql://127.0.0.1:{taken.getsockname()[1]}/agenthub"
        finally:
            await server.stop()


async def test_each_test_can_have_a_clone_of_a_prepared_database(postgres: PostgresServer) -> None:
    async with fresh_database(postgres) as template:
        connection = await asyncpg.connect(template)
        await connection.execute("CREATE TABLE prepared (n int)")
        await connection.close()
        async with fresh_database(postgres, template=template.rpartition("/")[2]) as clone:
            connection = await asyncpg.connect(clone)
            assert await connection.fetch("SELECT * FROM prepared") == []
            await connection.close()


async def test_no_password_shows_in_logs_or_command_lines(
    nats_server: NatsServer, postgres: PostgresServer, data: DataDir
) -> None:
    words = data.secrets.all()
    command_lines = "".join(_command_line(server) for server in (nats_server, postgres))
    logs = "".join(log.read_text() for log in data.logs.iterdir())
    assert not [word for word in words if word in logs or word in command_lines]
    assert not (data.run / "pg-password").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account for PostgreSQL")
async def test_postgres_does_not_run_as_root_where_user_namespaces_are_forbidden() -> None:
    # Below /tmp itself: pytest's own folders are closed to other accounts, as a 0700 home would be.
    with TemporaryDirectory(prefix="agenthub-") as folder:
        os.chmod(folder, 0o711)
        hub = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WITHOUT_NAMESPACES, f"{folder}/hub", stdin=PIPE, stdout=PIPE
        )
        assert hub.stdin is not None
        assert hub.stdout is not None
        assert await hub.stdout.readline() == b"inside\n"
        _map_all_ids(hub.pid)
        hub.stdin.write(b"go\n")
        said, _ = await hub.communicate()
        assert hub.returncode == 0
        *told, account = said.decode().splitlines()
        assert int(account) != 0
        assert any("account_refused" in line and "no new user namespace" in line for line in told)


def test_a_wrong_folder_for_postgres_is_named(tmp_path: Path) -> None:
    with pytest.raises(BinaryMissing, match=str(tmp_path)):
        find_pg_bin(tmp_path)


def _map_all_ids(pid: int) -> None:
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{pid}/{name}").write_text("0 0 65536")


def _command_line(server: NatsServer | PostgresServer) -> str:
    assert server.process is not None
    return Path(f"/proc/{server.process.pid}/cmdline").read_text()
