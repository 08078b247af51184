"""Child processes that never outlive their parent."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from agenthub_runtime.processes import launch
from agenthub_runtime.processes.spawn import Process

LOG_KEPT = 10 * 1024 * 1024

_LAUNCH = str(Path(launch.__file__).absolute())


class Account(msgspec.Struct, frozen=True):
    """The account that a child runs as.

    `user` and `group` are ids outside. `seen_as` are the ids that the child has in a user namespace of its own, in
    which it is still the account that starts it.
    """

    user: int | None = None
    group: int | None = None
    seen_as: tuple[int, int] | None = None


class _Order(Account, frozen=True, kw_only=True):
    """What `launch` reads: the program to become, and how."""

    argv: list[str]
    env: dict[str, str]
    parent: int
    death_signal: int


class ChildProcess:
    """A program that runs in its own session and group. Belongs to no event loop: any may wait for it."""

    def __init__(self, process: Process, log: Path) -> None:
        self._process = process
        self.log = log

    @property
    def pid(self) -> int:
        """Process id, and id of its group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the program still runs."""
        return self._collect() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program alone; nothing happens when it has ended."""
        if self.running:
            self._process.send_signal(number)

    async def wait(self) -> int:
        """Wait for the end and return the exit code (negative: the signal that ended it)."""
        while (code := self._collect()) is None:
            await self._process.exited()
        return code

    async def stop(self, number: signal.Signals, *, within_s: float) -> int:
        """Ask the program to end; after `within_s` seconds its whole group is killed. Returns the exit code."""
        self.send(number)
        try:
            async with asyncio.timeout(within_s):
                return await self.wait()
        except TimeoutError:
            self._process.destroy()
            return await self.wait()

    def log_tail(self, lines: int = 12) -> str:
        """The last lines that the program has written."""
        return tail_of(self.log, lines)

    def _collect(self) -> int | None:
        known = self._process.returncode
        code = self._process.poll()
        if known is None and code is not None:
            self._process.destroy()  # what the program has started and left behind dies with it
        return code


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    death_signal: signal.Signals,
    account: Account | None = None,
    keep_open: Sequence[int] = (),
) -> ChildProcess:
    """Start a program that gets `death_signal` when this process dies, however it dies. Output goes to `log`.

    Only the main thread may call this: Linux ties the death signal to the thread that forks, and the child
    would be signalled when that thread ends. `argv` holds absolute paths, for the child runs in `/`. The child
    inherits the descriptors `keep_open` and no others. Returns when the program itself runs, some 20 ms later.
    Raises `OSError` when it cannot be started as that account.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Children are started from the main thread: their death signal is tied to it")
    account = account or Account()
    log.parent.mkdir(parents=True, exist_ok=True)
    trim(log)
    order = _Order(
        argv=list(argv),
        env=dict(env),
        parent=os.getpid(),
        death_signal=int(death_signal),
        user=account.user,
        group=account.group,
        seen_as=account.seen_as,
    )
    with log.open("ab") as output:
        return ChildProcess(_launched(order, output, keep_open), log)


def _launched(order: _Order, output: BinaryIO, keep_open: Sequence[int]) -> Process:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = Process(
                [sys.executable, "-I", "-S", _LAUNCH, str(theirs.fileno())],
                cwd="/",
                stdout=output,
                stderr=subprocess.STDOUT,
                new_session=True,
                pass_fds=(theirs.fileno(), *keep_open),
            )
        failure = b""
        # A launcher that was killed answers nothing; its caller sees the exit code.
        with suppress(ConnectionError):
            ours.sendall(json.dumps(msgspec.structs.asdict(order)).encode())
            ours.shutdown(socket.SHUT_WR)
            failure = ours.recv(4096)
    if failure:
        process.wait()
        number, what = msgspec.json.decode(failure, type=tuple[int, str])
        raise OSError(number, what, order.argv[0])
    return process


def tail_of(log: Path, lines: int = 12) -> str:
    """The last `lines` lines of a log file; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def trim(log: Path, *, kept: int = LOG_KEPT) -> None:
    """Move a log of more than `kept` bytes to `<name>.1`, in place of the one there. Its writer may go on.

    A disk without room for the copy leaves the log as it is.
    """
    with suppress(OSError):
        if log.stat().st_size > kept:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)  # every writer appends, so the next line starts at the new end
