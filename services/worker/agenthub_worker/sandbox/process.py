"""Runs one process group: output capped, stdin closed, killed as a whole at its limit or when cancelled.

bubblewrap's tie to its parent is a tie to the thread that started it, so a start from a short-lived thread would
kill the sandbox at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from agenthub_runtime.processes.spawn import PipeReader, Process, off_loop
from agenthub_runtime.shutdown import end_tasks
from agenthub_runtime.telemetry.conventions import PROCESS_EXIT
from agenthub_runtime.telemetry.tracing import step
from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.capture import HeadTail
from agenthub_worker.sandbox.host.account import leave_keyring
from agenthub_worker.sandbox.port import ExecResult, Output, ResourceLimits
from agenthub_worker.sandbox.watch import until_exceeded

# After the group is dead its pipe closes at once; only a process that fled the group can hold it open.
_DRAIN_S = 1.0

UNSAYABLE = ExecResult(exit_code=126, output=b"A command cannot hold a null character or half a surrogate pair.\n")


async def run_group(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    timeout_s: float,
    limits: ResourceLimits,
    on_output: Output | None,
    pass_fds: Sequence[int] = (),
    folders: Sequence[Path] = (),
) -> ExecResult:
    """Run `argv` as the leader of a new session; `folders` are those that it may fill.

    Raises `SandboxUnavailable` when it cannot be started.
    """
    if not all(map(can_be_said, argv)):
        return UNSAYABLE
    with step("sandbox command") as span:
        process = await start_group(argv, env, cwd, pass_fds)
        result = await _run(process, timeout_s, limits, on_output=on_output, folders=folders)
        span.set_attribute(PROCESS_EXIT, result.exit_code)
        return result


async def _run(
    process: Process,
    timeout_s: float,
    limits: ResourceLimits,
    *,
    on_output: Output | None,
    folders: Sequence[Path],
) -> ExecResult:
    started = time.monotonic()
    output = _Captured(process, limits, on_output)
    reader = PipeReader(process.stdout, output.take)
    timed_out, exceeded = False, ""
    try:
        async with asyncio.timeout(timeout_s):
            exceeded = await _ended_or_exceeded(process, folders, limits)
    except TimeoutError:
        timed_out = True
    finally:
        code = await _finish(process, reader)
    if exceeded:
        output.sink.write(f"\n[killed: {exceeded}]\n".encode())
    return ExecResult(
        exit_code=code if code >= 0 else 128 - code,
        output=output.sink.value(),
        truncated=output.sink.truncated,
        timed_out=timed_out,
        flooded=output.flooded,
        exceeded=exceeded,
        duration_s=time.monotonic() - started,
    )


async def _ended_or_exceeded(process: Process, folders: Sequence[Path], limits: ResourceLimits) -> str:
    """Wait for the end of the process, or until it is over a limit: then which."""
    ended = asyncio.ensure_future(process.exited())
    watching = asyncio.ensure_future(until_exceeded(process.pid, folders, limits))
    try:
        await asyncio.wait((ended, watching), return_when=asyncio.FIRST_COMPLETED)
        return "" if ended.done() else watching.result()
    finally:
        await end_tasks(ended, watching)


def can_be_said(word: str) -> bool:
    """Whether the kernel takes it as an argument of a program."""
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False


class _Captured:
    """The command's output, up to the end of the command or the flood."""

    def __init__(self, process: Process, limits: ResourceLimits, on_output: Output | None) -> None:
        self.sink = HeadTail(limits.output_kept)
        self.flooded = False
        self._process = process
        self._flood = limits.output_flood
        self._on_output = on_output

    def take(self, data: bytes) -> None:
        self.sink.write(data)
        if self._on_output is not None:
            self._on_output(data)
        if self.sink.total > self._flood and not self.flooded:
            self.flooded = True
            self._process.destroy()


async def start_group(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path | None, pass_fds: Sequence[int]
) -> Process:
    """Start the leader of a session of its own. Raises `SandboxUnavailable` when it cannot be started."""
    try:
        return await off_loop(
            partial(
                _with_own_keyring,
                argv,
                env=env,
                cwd=cwd,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                new_session=True,
                pass_fds=pass_fds,
            )
        )
    except OSError as error:
        raise SandboxUnavailable(f"The command cannot be started: {error}") from error


def _with_own_keyring(argv: Sequence[str], **how: Any) -> Process:
    leave_keyring()
    return Process(argv, **how)


async def _finish(process: Process, reader: PipeReader) -> int:
    """Kill what is left of the group and take the rest of its output, without waiting for strangers."""
    process.destroy()
    try:
        code = await process.ended()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await reader.closed.wait()
    finally:
        reader.close()
    return code
