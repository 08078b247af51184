"""A sandbox that lasts, seen by the hub: a process inside that starts commands (`inside`), and a socket to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from agenthub_runtime.processes.spawn import PipeReader, Process
from agenthub_runtime.repository.trees import delete_tree
from agenthub_runtime.shutdown import end_tasks
from agenthub_worker.sandbox.capture import HeadTail
from agenthub_worker.sandbox.host.cgroup import ControlGroup, ControlGroups
from agenthub_worker.sandbox.lasting import inside
from agenthub_worker.sandbox.port import ExecResult, Output, ResourceLimits
from agenthub_worker.sandbox.process import UNSAYABLE, can_be_said
from agenthub_worker.sandbox.watch import hold_still, let_go, until_exceeded

Begin = Callable[[int, Sequence[str]], Awaitable[Process]]
"""Starts the first process with this end of the socket, behind these words of a control group.

Its own output is what keeps it from starting.
"""

_STARTS_WITHIN_S = 120.0
_ENDS_WITHIN_S = 5.0
_MEANWHILE = 16 << 10
_KILLED = 137
_SOURCE = Path(inside.__file__).read_text(encoding="utf-8")


def first_process(channel: int) -> list[str]:
    """The command line of the first process; its Python is this one's."""
    return [sys.executable, "-I", "-S", "-c", _SOURCE, str(channel)]


class LastingShell:
    """Commands of one sandbox after the other, each of which lasts as long as it can; see `Shell`.

    `folders` are those that commands may fill. `close_gently` leaves the end of all to the first process.
    `scratch` is a folder that goes with the sandbox. `groups`: where the kernel bounds its sums; None: they are
    watched.
    """

    def __init__(
        self,
        begin: Begin,
        limits: ResourceLimits,
        folders: Sequence[Path],
        *,
        close_gently: bool = False,
        scratch: Path | None = None,
        groups: ControlGroups | None = None,
    ) -> None:
        self._begin = begin
        self._groups = groups
        self._limits = limits
        self._folders = folders
        self._gently = close_gently
        self._scratch = scratch
        self._box: _Box | None = None
        self._lost = ""

    async def run(self, command: str, *, timeout_s: float, on_output: Output | None = None) -> ExecResult:
        """Run `command` beside what the commands before have left; see `Shell.run`."""
        if not can_be_said(command):
            return UNSAYABLE
        started = time.monotonic()
        box, lost = await self._started()
        if box is None:
            return ExecResult(exit_code=1, output=lost.encode())
        async with contextlib.AsyncExitStack() as cut_short:
            cut_short.push_async_callback(self.close)
            ran = await box.run(command, timeout_s, on_output)
            cut_short.pop_all()
        if ran.lost or box.gone:
            self._lost = ran.lost or "its first process has ended"
            await self._end()
        return ExecResult(
            exit_code=ran.exit_code,
            output=ran.output,
            truncated=ran.truncated,
            timed_out=ran.timed_out,
            flooded=ran.flooded,
            exceeded=ran.exceeded,
            duration_s=time.monotonic() - started,
            meanwhile=ran.meanwhile,
            lost=lost,
        )

    @contextlib.asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """Hold everything in it still; see `Shell.still`."""
        box = self._box
        if box is not None and not await box.hold():
            self._lost = "its programs could not be held still while the files were looked at"
            await self._end()
        try:
            yield
        finally:
            if box is not None and box is self._box:
                await box.let_go()

    async def close(self) -> None:
        """End everything in it; the next command would find a new one."""
        self._lost = ""
        await self._end()

    async def _started(self) -> tuple[_Box | None, str]:
        """The sandbox, and why the one before is gone; or None, and what keeps it from starting."""
        if self._box is not None and self._box.gone:
            self._lost = self._box.gone
            await self._end()
        if self._box is None:
            box = _Box(self._limits, self._folders, self._groups)
            async with contextlib.AsyncExitStack() as not_started:
                not_started.push_async_callback(lambda: asyncio.shield(box.end(gently=False)))
                problem = await box.start(self._begin)
                if problem is not None:
                    return None, problem
                not_started.pop_all()
            self._box = box
        lost, self._lost = self._lost, ""
        return self._box, lost

    async def _end(self) -> None:
        box, self._box = self._box, None
        if box is not None:
            await asyncio.shield(box.end(gently=self._gently))
        if self._scratch is not None:
            await asyncio.to_thread(delete_tree, self._scratch)


class _Box:
    """One sandbox. `gone` says why it is not there any more; empty while it is."""

    def __init__(self, limits: ResourceLimits, folders: Sequence[Path], groups: ControlGroups | None) -> None:
        self.gone = ""
        self._groups = groups
        self._group: ControlGroup | None = None
        self._leaving = contextlib.AsyncExitStack()
        self._limits = limits
        self._folders = folders
        self._number = 0
        self._ready = asyncio.Event()
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._said = HeadTail(_MEANWHILE)
        self._meanwhile = _Meanwhile()
        self._readers: list[PipeReader] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._busy = asyncio.Event()
        self._channel, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.setblocking(False)
        self._process: Process | None = None
        self._over = asyncio.Event()

    async def start(self, begin: Begin) -> str | None:
        """Start it; what it says instead of starting, or None."""
        loop = asyncio.get_running_loop()
        if self._groups is not None:
            self._group = await self._leaving.enter_async_context(self._groups.group(self._limits))
        process = self._process = await begin(self._theirs.fileno(), self._group.words() if self._group else ())
        self._theirs.close()
        self._readers.append(PipeReader(process.stdout, self._said.write))
        loop.add_reader(self._channel.fileno(), self._hear)
        self._tasks.append(loop.create_task(self._watch_end(process)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STARTS_WITHIN_S):
                await _first_of(self._ready.wait(), self._over.wait())
        if not self._ready.is_set():
            self._readers[0].drain()
            return self._said.value().decode("utf-8", "replace") or "The sandbox does not start."
        self._tasks.append(loop.create_task(self._watch_limits(process)))
        return None

    async def run(self, command: str, timeout_s: float, on_output: Output | None) -> ExecResult:
        """Run one command; `lost` of the result says that the sandbox ended with it, and why."""
        self._number += 1
        number = self._number
        meanwhile = self._meanwhile.taken()
        kept = HeadTail(self._limits.shell_output_kept)
        output = _Captured(kept, self._limits.output_flood, on_output, lambda: self._say(b"end %d " % number))
        ended = self._ended[number] = asyncio.get_running_loop().create_future()
        reader = self._send(number, command, output)
        self._busy.set()
        timed_out = False
        try:
            async with asyncio.timeout(timeout_s):
                await _first_of(asyncio.shield(ended), self._over.wait())
        except TimeoutError:
            timed_out = True
            await self._stop(number, ended)
        finally:
            self._busy.clear()
            del self._ended[number]
        reader.drain()
        exceeded = self.gone if not ended.done() and not timed_out else ""
        if exceeded:
            kept.write(f"\n[killed: {exceeded}]\n".encode())
        output.hand_over(self._meanwhile, reader)
        return ExecResult(
            exit_code=ended.result() if ended.done() else _KILLED,
            output=kept.value(),
            truncated=kept.truncated,
            timed_out=timed_out,
            flooded=output.flooded,
            exceeded=exceeded,
            meanwhile=meanwhile,
            lost=self.gone,
        )

    async def hold(self) -> bool:
        """Hold everything in it still. False: it does not hold."""
        return self._process is None or await asyncio.to_thread(hold_still, self._process.pid)

    async def let_go(self) -> None:
        """Let it go on."""
        if self._process is not None:
            await asyncio.to_thread(let_go, self._process.pid)

    async def end(self, *, gently: bool) -> None:
        """Kill everything, and wait until it is dead."""
        self.gone = self.gone or "it was ended"
        process = self._process
        await end_tasks(*self._tasks)
        if self._channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
        for end in (self._channel, self._theirs):
            end.close()
        if process is not None:
            if gently:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_ENDS_WITHIN_S):
                        await process.exited()
            process.destroy()
            await process.ended()
        await self._leaving.aclose()
        for reader in self._readers:
            reader.close()

    def _send(self, number: int, command: str, output: _Captured) -> PipeReader:
        receive, send = os.pipe()
        reader = PipeReader(os.fdopen(receive, "rb", buffering=0), output.take)
        self._readers = [known for known in self._readers if not known.closed.is_set()] + [reader]
        try:
            self._say(b"run %d " % number + command.encode(), send)
        finally:
            os.close(send)
        return reader

    def _say(self, message: bytes, *descriptors: int) -> None:
        """Tell the first process something; one that does not listen has to end."""
        try:
            socket.send_fds(self._channel, [message], descriptors)
        except OSError:
            self._lose("its first process does not answer")

    def _hear(self) -> None:
        try:
            message = self._channel.recv(256)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        match message.split():
            case [b"ready"]:
                self._ready.set()
            case [b"ended", number, code] if number.isdigit() and code.isdigit():
                ended = self._ended.get(int(number))
                if ended is not None and not ended.done():
                    ended.set_result(int(code))
            case _:
                # Commands can reach the first process; what it says is believed only where it harms nobody else.
                asyncio.get_running_loop().remove_reader(self._channel.fileno())
                self._lose("its first process has ended")

    async def _stop(self, number: int, ended: asyncio.Future[int]) -> None:
        self._say(b"end %d " % number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDS_WITHIN_S):
                await _first_of(asyncio.shield(ended), self._over.wait())
        if not ended.done():
            self._lose("a command in it could not be ended by itself")

    async def _watch_end(self, process: Process) -> None:
        await process.exited()
        self._lose("its first process has ended")

    async def _watch_limits(self, process: Process) -> None:
        self._lose(await until_exceeded(process.pid, self._folders, self._limits, busy=self._busy))

    def _lose(self, why: str) -> None:
        exceeded = self._group.exceeded(self._limits) if self._group else ""
        self.gone = self.gone or exceeded or why
        if self._process is not None:
            self._process.destroy()
        self._over.set()


class _Captured:
    """What a command writes while it runs, and then what programs write that it has left behind."""

    def __init__(self, kept: HeadTail, flood: int, on_output: Output | None, stop: Callable[[], None]) -> None:
        self.flooded = False
        self._write = kept.write
        self._flood = flood
        self._total = 0
        self._on_output = on_output
        self._stop = stop

    def take(self, data: bytes) -> None:
        """The next piece."""
        self._write(data)
        self._total += len(data)
        if self._on_output is not None:
            self._on_output(data)
        if self._total > self._flood and not self.flooded:
            self.flooded = True
            self._stop()

    def hand_over(self, rest: _Meanwhile, reader: PipeReader) -> None:
        """The command has ended: from now on `rest` takes what comes, and a flood is not read any more."""
        self._write = rest.write
        self._on_output = None
        self._stop = reader.close


class _Meanwhile:
    """What programs in the background have written since somebody asked."""

    def __init__(self) -> None:
        self._kept = HeadTail(_MEANWHILE)

    def write(self, data: bytes) -> None:
        self._kept.write(data)

    def taken(self) -> bytes:
        kept, self._kept = self._kept, HeadTail(_MEANWHILE)
        return kept.value()


async def _first_of(*waiting: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_tasks(*tasks)
