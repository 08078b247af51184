"""The embedded PostgreSQL: real server programs, one process, the same port for as long as its hub runs."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import asyncpg

from agenthub_runtime.embedded.data_folder import USER, DataDir, Secrets
from agenthub_runtime.embedded.servers.folder_lock import GONE_WITHIN_S, locked
from agenthub_runtime.embedded.servers.pg_account import open_to_account, server_account
from agenthub_runtime.embedded.servers.pg_programs import find_pg_bin, major_version, program_env
from agenthub_runtime.embedded.servers.tcp_ports import free_port
from agenthub_runtime.errors import ServerFailed
from agenthub_runtime.postgres import queries
from agenthub_runtime.postgres.roles import make_reader
from agenthub_runtime.processes.child_process import Account, ChildProcess, spawn

READY_WITHIN_S = 240.0
_HOST = "127.0.0.1"
_NOT_YET = (
    *(OSError, TimeoutError, asyncpg.InterfaceError),
    *(asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError),
)
_BUSY_PORT = "Address already in use"


class PostgresServer:
    """A PostgreSQL server on a data folder, with an empty database `agenthub` after its first start.

    It holds read models only, which the log rebuilds: so a commit does not wait for the disk (rows and position
    of a projection move in one transaction, and a lost transaction is read again), and a new major version
    starts with a fresh folder.

    A server that still works in the folder gets `gone_within_s` seconds to end. `offer_port` gives the port of the
    first start, and another one when somebody else has taken it by then.
    """

    name = "postgres"
    critical = True
    stop_within_s = 2.5

    def __init__(
        self,
        data: DataDir,
        *,
        pg_bin: Path | None = None,
        gone_within_s: float = GONE_WITHIN_S,
        offer_port: Callable[[], int] = free_port,
    ) -> None:
        self._data = data
        self._gone_within_s = gone_within_s
        self._offer_port = offer_port
        self._pg_bin = pg_bin
        self._port = 0
        self.process: ChildProcess | None = None

    @property
    def url(self) -> str:
        """`postgresql://host:port/agenthub` without credentials."""
        return f"postgresql://{_HOST}:{self._port}/{USER}"

    @property
    def authorised_url(self) -> str:
        """The address with user and password: for the environment of children, never for a log."""
        return self._data.secrets.authorise(self.url)

    @property
    def reader_url(self) -> str:
        """The address with the user that reads and cannot write: for children, never for a log."""
        return self._data.secrets.authorise_reader(self.url)

    async def start(self) -> None:
        """Start the server and wait until it answers queries. Raises `BinaryMissing`, `ServerFailed`."""
        self._data.prepare()
        programs = find_pg_bin(self._pg_bin)
        cluster = self._data.pg(await major_version(programs))
        account = await server_account(programs, self._data)
        if not (cluster / "PG_VERSION").exists():
            async with self._locked(cluster) as lock:
                await _init_cluster(programs, cluster, account, self._data, lock)
        pinned, deadline = self._port, time.monotonic() + READY_WITHIN_S
        while True:
            self._port = pinned or self._offer_port()
            async with self._locked(cluster) as lock:
                # Nobody works in the folder: a lock file there is left over, whatever its process id means now.
                (cluster / "postmaster.pid").unlink(missing_ok=True)
                self.process = process = self._spawn(programs, cluster, account, lock)
            if await _answers(process, self.authorised_url, deadline, self._data.secrets.reader_password):
                return
            tail = process.log_tail()
            await self.stop()
            if _BUSY_PORT not in tail or time.monotonic() > deadline:
                raise ServerFailed(
                    f"PostgreSQL did not come up. The end of {process.log}:\n{tail}\n{_remedy(cluster)}"
                )
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Stop the server; open transactions are rolled back."""
        if self.process is not None:
            await self.process.stop(signal.SIGINT, within_s=self.stop_within_s)

    def _locked(self, cluster: Path) -> AbstractAsyncContextManager[int]:
        return locked(cluster.with_name(f"{cluster.name}.lock"), within_s=self._gone_within_s)

    def _spawn(self, programs: Path, cluster: Path, account: Account, lock: int) -> ChildProcess:
        options = {
            "listen_addresses": _HOST,
            "port": str(self._port),
            "unix_socket_directories": "",
            "synchronous_commit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "200",
            "shared_buffers": "32MB",
        }
        return spawn(
            [
                str(programs / "postgres"),
                "-D",
                str(cluster),
                *(f"--{key}={value}" for key, value in options.items()),
            ],
            env=program_env(),
            log=self._data.log_file(self.name),
            death_signal=signal.SIGINT,
            account=account,
            keep_open=(lock,),
        )


async def _init_cluster(programs: Path, cluster: Path, account: Account, data: DataDir, lock: int) -> None:
    """Make a cluster under a temporary name, so that a kill in the middle leaves nothing that looks complete."""
    fresh = cluster.with_name(f"{cluster.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    open_to_account(fresh, account)
    password_file = data.run / "pg-password"
    _write_password(password_file, data.secrets, account)
    try:
        process = spawn(
            [
                *(
                    str(programs / "initdb"),
                    "-D",
                    str(fresh),
                    "-U",
                    USER,
                    "-E",
                    "UTF8",
                    "--no-locale",
                    "--no-sync",
                ),
                *("--auth-host=scram-sha-256", "--auth-local=scram-sha-256", f"--pwfile={password_file}"),
            ],
            env=program_env(),
            log=data.log_file("initdb"),
            death_signal=signal.SIGKILL,
            account=account,
            keep_open=(lock,),
        )
        code = await _finished(process)
    finally:
        password_file.unlink()
    if code != 0:
        raise ServerFailed(f"initdb failed (exit code {code}). The end of {process.log}:\n{process.log_tail()}")
    try:
        fresh.rename(cluster)
    except OSError as error:
        raise ServerFailed(
            f"{cluster} is no cluster of PostgreSQL, and not empty either. {_remedy(cluster)}"
        ) from error


def _remedy(cluster: Path) -> str:
    return (
        f"If its files are damaged, remove the folder {cluster.parent}: it holds read models alone, and the next "
        "start builds them again from the event log"
    )


async def _finished(process: ChildProcess) -> int:
    try:
        return await process.wait()
    finally:
        process.send(signal.SIGKILL)  # reached while it runs only when the wait was cancelled


def _write_password(path: Path, secrets: Secrets, account: Account) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(secrets.postgres_password)
    open_to_account(path, account)


async def _answers(process: ChildProcess, url: str, deadline: float, reader_password: str) -> bool:
    """Wait until the server answers and has its database and its roles; False when it ended or time is up."""
    maintenance = url.rpartition("/")[0] + "/postgres"
    while process.running and time.monotonic() < deadline:
        try:
            connection = await asyncpg.connect(maintenance, timeout=2)
        except _NOT_YET:
            await asyncio.sleep(0.03)
            continue
        except asyncpg.InvalidPasswordError as error:
            raise ServerFailed(
                f"The PostgreSQL cluster that writes {process.log} has another password than secret.json of its "
                "data folder: restore that file, or remove the folder pg/, which is rebuilt from the event log"
            ) from error
        try:
            with suppress(asyncpg.DuplicateDatabaseError):
                if not await connection.fetchval(queries.DATABASE, USER):
                    await connection.execute(queries.create_database(USER))
            await make_reader(connection, reader_password)
        finally:
            await connection.close()
        return True
    return False
