"""Runs one process group: output capped, stdin closed, killed as a whole at its limit or when cancelled.

The process is started on the event loop's own thread. bubblewrap's tie to its parent is a tie to the thread that
forked it, so a start from a short-lived thread would kill the sandbox at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.capture import HeadTail
from agenthub_worker.sandbox.port import ExecResult, Output, ResourceLimits

# After the group is dead its pipe closes at once; only a process that fled the group can hold it open.
_DRAIN_S = 1.0


async def run_group(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    timeout_s: float,
    limits: ResourceLimits,
    on_output: Output | None,
    pass_fds: Sequence[int] = (),
) -> ExecResult:
    """Run `argv` as the leader of a new session. Raises `SandboxUnavailable` when it cannot be started."""
    started = time.monotonic()
    reader = _Reader(limits, on_output)
    process, transport = await _spawn(argv, env, cwd, reader, pass_fds)
    timed_out = False
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        timed_out = True
    finally:
        await _finish(process, reader)
        transport.close()
    code = process.returncode or 0
    return ExecResult(
        exit_code=code if code >= 0 else 128 - code,
        output=reader.sink.value(),
        truncated=reader.sink.truncated,
        timed_out=timed_out,
        flooded=reader.flooded,
        duration_s=time.monotonic() - started,
    )


class _Reader(asyncio.Protocol):
    """The reading end of the command's output."""

    def __init__(self, limits: ResourceLimits, on_output: Output | None) -> None:
        self.sink = HeadTail(limits.output_kept)
        self.closed = asyncio.Event()
        self.flooded = False
        self.pid = 0
        self._flood = limits.output_flood
        self._on_output = on_output

    def data_received(self, data: bytes) -> None:
        self.sink.write(data)
        if self._on_output is not None:
            self._on_output(data)
        if self.sink.total > self._flood and not self.flooded:
            self.flooded = True
            _kill(self.pid)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


async def _spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path | None,
    reader: _Reader,
    pass_fds: Sequence[int],
) -> tuple[asyncio.subprocess.Process, asyncio.ReadTransport]:
    receive, send = os.pipe()
    transport: asyncio.ReadTransport | None = None
    try:
        source = os.fdopen(receive, "rb", 0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: reader, source)
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=send,
            stderr=send,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            pass_fds=tuple(pass_fds),
        )
    except BaseException as error:
        if transport is not None:
            transport.close()
        if isinstance(error, OSError):
            raise SandboxUnavailable(f"The command cannot be started: {error}") from error
        raise
    finally:
        os.close(send)
    reader.pid = process.pid
    return process, transport


async def _finish(process: asyncio.subprocess.Process, reader: _Reader) -> None:
    """Kill what is left of the group and take the rest of its output, without waiting for strangers."""
    _kill(process.pid)
    await process.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            await reader.closed.wait()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
