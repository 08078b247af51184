"""A hub of the bench's own: `agenthub up` in a fresh folder, stopped and removed afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from agenthub_cli.errors import CommandFailed

_STOP_S = 15.0


class Running(msgspec.Struct, frozen=True):
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
def fresh_hub(workers: str, *, slots: int) -> Iterator[Running]:
    """Start a hub with these workers. Raises `CommandFailed` with its last words when it does not come up."""
    folder = Path(tempfile.mkdtemp(prefix="agenthub-bench-"))
    command = [sys.executable, "-m", "agenthub_cli.main", "up", "--json", "--port", "0"]
    command += ["--data-dir", str(folder), "--workers", workers]
    errors = folder.with_suffix(".log")
    with errors.open("wb") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, "AGENTHUB_SLOTS": str(slots)}
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise CommandFailed(f"The hub did not start: {errors.read_text(errors='replace')[-2000:]}")
        ready = msgspec.json.decode(line, type=_Ready)
        yield Running(ready.url, ready.nats_url, folder, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        errors.unlink(missing_ok=True)
