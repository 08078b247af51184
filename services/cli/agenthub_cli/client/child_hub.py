"""A hub that a command starts for itself: `agenthub up` as a child, stopped at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from agenthub_cli.errors import CommandFailed
from agenthub_cli.program import program
from agenthub_runtime.processes.spawn import Process

_STOP_S = 15.0
_LAST_WORDS = 2_000


class ChildHub(msgspec.Struct, frozen=True):
    """A hub that is ready."""

    url: str
    nats_url: str
    data_dir: Path
    pid: int


class _Ready(msgspec.Struct):
    ready: bool
    url: str
    nats_url: str


@contextmanager
def child_hub(
    folder: Path, *, workers: str | None = None, env: Mapping[str, str] | None = None
) -> Iterator[ChildHub]:
    """Start a hub on `folder`. Raises `CommandFailed` with its last words when it does not come up."""
    # -P: a module of the person's own folder must not stand in for one of ours.
    command = [sys.executable, "-P", "-m", "agenthub_cli.main", "up", "--json", "--port", "0"]
    command += ["--data-dir", str(folder)]
    if workers is not None:
        command += ["--workers", workers]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(f"The folder {folder} cannot be made: {error}", hint="name another one") from error
    log_path = folder / "up.log"
    with log_path.open("wb") as log:
        process = Process(
            command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **(env or {})}, new_session=True
        )
    try:
        yield _await_ready(process, folder, log_path)
    finally:
        _stop(process)
        if log_path.stat().st_size == 0:
            log_path.unlink()


def leave_running(folder: Path, env: Mapping[str, str], *, probe: bool) -> dict[str, Any]:
    """Start a hub that outlives this command; what it says once it is ready. Raises `CommandFailed`."""
    command = [sys.executable, "-m", "agenthub_cli.main", "up", "--json", "--data-dir", str(folder)]
    log_path = folder / "up.log"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log_path.open("wb") as log:
            process = Process(
                command if probe else [*command, "--no-probe"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=dict(env),
                new_session=True,
            )
    except OSError as error:
        raise CommandFailed(f"The folder {folder} cannot be used: {error}", hint="name another one") from error
    assert process.stdout is not None
    line = process.stdout.readline()
    process.stdout.close()
    if not line:
        last = log_path.read_text(encoding="utf-8", errors="replace")[-_LAST_WORDS:].strip()
        raise CommandFailed(f"The hub did not start: {last}", hint=f"`{program()} doctor` looks for the reason")
    ready: dict[str, Any] = msgspec.json.decode(line)
    return ready


def _await_ready(process: Process, folder: Path, log_path: Path) -> ChildHub:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        last = log_path.read_text(encoding="utf-8", errors="replace")[-_LAST_WORDS:].strip()
        raise CommandFailed(f"The hub did not start: {last}", hint=f"`{program()} doctor` looks for the reason")
    ready = msgspec.json.decode(line, type=_Ready)
    return ChildHub(ready.url, ready.nats_url, folder, process.pid)


def _stop(process: Process) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
