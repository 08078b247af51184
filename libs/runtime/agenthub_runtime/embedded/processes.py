"""Child processes that never outlive their parent."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

LOG_KEPT = 10 * 1024 * 1024

_PR_SET_PDEATHSIG = 1
_FORKS = 3
# Loaded before any fork: the child may not import anything.
_LIBC = ctypes.CDLL(None, use_errno=True)


class Account(msgspec.Struct, frozen=True):
    """The account that a child runs as; `prepare` runs in the child before its program does."""

    user: int | None = None
    group: int | None = None
    prepare: Callable[[], None] | None = None


class ChildProcess:
    """A program that runs in its own session and group. Belongs to no event loop: any may wait for it."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self._popen = popen
        self.log = log

    @property
    def pid(self) -> int:
        """Process id, and id of its group."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether the program still runs."""
        return self._collect() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program alone; nothing happens when it has ended."""
        if self.running:
            self._popen.send_signal(number)

    async def wait(self) -> int:
        """Wait for the end and return the exit code (negative: the signal that ended it)."""
        while (code := self._collect()) is None:
            await _exit_of(self.pid, self._popen)
        return code

    async def stop(self, number: signal.Signals, *, within_s: float) -> int:
        """Ask the program to end; after `within_s` seconds its whole group is killed. Returns the exit code."""
        self.send(number)
        try:
            return await asyncio.wait_for(self.wait(), within_s)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            return await self.wait()

    def log_tail(self, lines: int = 12) -> str:
        """The last lines that the program has written."""
        return tail_of(self.log, lines)

    def _collect(self) -> int | None:
        known = self._popen.returncode
        code = self._popen.poll()
        if known is None and code is not None:
            # What the program has started and left behind dies with it.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
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
    inherits the descriptors `keep_open` and no others.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Children are started from the main thread: their death signal is tied to it")
    account = account or Account()
    log.parent.mkdir(parents=True, exist_ok=True)
    trim(log)
    with log.open("ab") as output:

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                list(argv),
                env=dict(env),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=tuple(keep_open),
                user=account.user,
                group=account.group,
                extra_groups=None if account.group is None else [],
                preexec_fn=_before_exec(os.getpid(), death_signal, account.prepare),  # noqa: PLW1509
            )

        return ChildProcess(_started(start), log)


def _started(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """A step between fork and exec failed now and then in busy parallel runs, for a reason not found; nothing has
    run by then, so it is tried again."""
    for _ in range(_FORKS - 1):
        try:
            return start()
        except subprocess.SubprocessError:
            continue
    return start()


def tail_of(log: Path, lines: int = 12) -> str:
    """The last `lines` lines of a log file; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _before_exec(
    parent: int, death_signal: signal.Signals, prepare: Callable[[], None] | None
) -> Callable[[], None]:
    def in_child() -> None:
        if prepare is not None:
            prepare()
        if sys.platform == "linux":
            # After `prepare`: a change of credentials clears the setting.
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)  # the parent died before the setting was made

    return in_child


async def _exit_of(pid: int, popen: subprocess.Popen[bytes]) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    if sys.platform != "linux":
        waiter = threading.Thread(
            target=lambda: (popen.wait(), loop.call_soon_threadsafe(_resolve, ended)), daemon=True
        )
        waiter.start()
        await ended
        return
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, _resolve, ended)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def trim(log: Path) -> None:
    """Move a log that has grown large to `<name>.1`, in place of the one there. Its writer may go on writing."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_KEPT:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)  # every writer appends, so the next line starts at the new end
