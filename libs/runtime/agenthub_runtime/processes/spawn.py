"""Starts programs; nothing else in the hub does.

A fork copies the page tables of this process, and an event loop's own functions for subprocesses may fork: those
of uvloop do. Here every start is a vfork, whatever the size of this process, and a coroutine's start happens in a
thread beside the loop. Waiting and reading take no thread: the loop watches descriptors.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

import msgspec

# One thread that lives as long as this process: Linux ties a death signal (bubblewrap asks for one) to the thread
# that started the program. It never waits for a program to end, so one start does not hold up the next.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="starter")
_PIECE = 65_536


class Process(subprocess.Popen[bytes]):
    """A program, started on the calling thread. Belongs to no event loop: any may wait for it.

    It inherits standard input (empty unless given), the descriptors `pass_fds`, and no others; `env` is its whole
    environment (None: that of this process). With `new_session` it leads a session and a process group of its own.
    `stdin`, `stdout` and `stderr` are as in `subprocess`; pipes are unbuffered. Raises `OSError` when it cannot be
    started.
    """

    # What would make `subprocess` fork instead of vfork is no parameter: `preexec_fn`, other accounts.
    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
        new_session: bool = False,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._leads = new_session
        super().__init__(
            list(argv),
            bufsize=0,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=env,
            start_new_session=new_session,
            pass_fds=pass_fds,
        )

    async def exited(self) -> None:
        """Wait for the end without collecting it: until `poll` or `ended` does, the process id stays its own."""
        if sys.platform != "linux":
            await _exited_by_thread(self)
            return
        loop = asyncio.get_running_loop()
        descriptor = os.pidfd_open(self.pid)
        try:
            await _ready(descriptor, loop.add_reader, loop.remove_reader)
        finally:
            os.close(descriptor)

    async def ended(self) -> int:
        """Wait for the end and return the exit code (negative: the signal that ended it)."""
        while (code := self.poll()) is None:
            await self.exited()
        return code

    def destroy(self) -> None:
        """Kill the program, and everything in its process group when that is its own."""
        if self._leads:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        else:
            self.kill()


class PipeReader:
    """Gives what a program writes into a pipe to `sink`, piece by piece on the running loop, and closes it then.

    Not a transport of the loop: uvloop closes the descriptor of one twice, and the second time it may already be
    that of a file which another thread has just opened.
    """

    def __init__(self, pipe: IO[bytes] | None, sink: Callable[[bytes], None]) -> None:
        assert pipe is not None
        self.closed = asyncio.Event()
        self._pipe = pipe
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._read)

    def close(self) -> None:
        """Take no more; nothing happens when the pipe is closed already."""
        if not self._pipe.closed:
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()
            self.closed.set()

    def drain(self) -> None:
        """Take what the pipe holds now: all that a program wrote which has just ended."""
        if not self._pipe.closed:
            self._read()

    def _read(self) -> None:
        with suppress(BlockingIOError):
            piece = os.read(self._pipe.fileno(), _PIECE)
            if piece:
                self._sink(piece)
            else:
                self.close()


class Output(msgspec.Struct, frozen=True):
    """How a program ended. `cut`: its output went on after the limit that was asked for, so it was killed."""

    code: int
    stdout: bytes
    stderr: bytes
    cut: bool


async def off_loop(start: Callable[[], Process]) -> Process:
    """`start()`, run by the thread that starts programs. When this is cancelled, the program is killed."""
    starting = asyncio.get_running_loop().run_in_executor(_STARTER, start)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # A start takes milliseconds and cannot be taken back.
        with suppress(OSError):
            process = await starting
            process.destroy()
            _close_pipes(process)
            await process.ended()
        raise


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    data: bytes | None = None,
    limit: int | None = None,
) -> Output:
    """Run a program in `/` with `data` on its standard input, until it has ended and closed its output.

    With a `limit` at most so many bytes of its standard output are kept. When this is cancelled, the program is
    killed. Raises `OSError` when it cannot be started.
    """
    process = await off_loop(
        partial(
            Process,
            argv,
            env=env,
            cwd="/",
            stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    )
    stdout, stderr = _Kept(limit, process.destroy), _Kept(None, process.destroy)
    readers = PipeReader(process.stdout, stdout.take), PipeReader(process.stderr, stderr.take)
    try:
        if process.stdin is not None:
            await _feed(process.stdin, data or b"")
        code = await _all_ended(process, readers)
    except BaseException:
        process.destroy()
        await _all_ended(process, readers)
        raise
    finally:
        for reader in readers:
            reader.close()
    return Output(code, bytes(stdout.data), bytes(stderr.data), stdout.cut)


class _Kept:
    def __init__(self, limit: int | None, full: Callable[[], None]) -> None:
        self.data = bytearray()
        self.cut = False
        self._limit = limit
        self._full = full

    def take(self, piece: bytes) -> None:
        self.data += piece
        if self._limit is not None and len(self.data) > self._limit:
            del self.data[self._limit :]
            self.cut = True
            self._full()


async def _all_ended(process: Process, readers: Sequence[PipeReader]) -> int:
    for reader in readers:
        await reader.closed.wait()
    return await process.ended()


async def _feed(pipe: IO[bytes], data: bytes) -> None:
    loop, rest = asyncio.get_running_loop(), memoryview(data)
    os.set_blocking(pipe.fileno(), False)
    with pipe, suppress(BrokenPipeError):  # a program need not read what it is given
        while rest:
            try:
                rest = rest[os.write(pipe.fileno(), rest) :]
            except BlockingIOError:
                await _ready(pipe.fileno(), loop.add_writer, loop.remove_writer)


async def _ready(
    descriptor: int, add: Callable[[int, Callable[[], None]], None], remove: Callable[[int], bool]
) -> None:
    ready = asyncio.Event()
    add(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        remove(descriptor)


async def _exited_by_thread(process: Process) -> None:
    loop, gone = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        process.wait()
        with suppress(RuntimeError):  # the loop may be closed by then
            loop.call_soon_threadsafe(gone.set)

    threading.Thread(target=wait, daemon=True).start()
    await gone.wait()


def _close_pipes(process: Process) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
