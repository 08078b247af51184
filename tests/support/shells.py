"""Shells as people sit in front of them."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

BIN = str(Path(sys.executable).parent)


class Terminal:
    """A program on a terminal of its own: what it shows, and what is typed."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.shown = ""
        self._master = master

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def until(self, words: str, *, after: int = 0, deadline_s: float = 300.0) -> str:
        """Wait until the terminal shows `words` behind the place `after`; returns all that was shown."""
        end = time.monotonic() + deadline_s
        while words not in self.shown[after:]:
            if not self._read(max(0.0, end - time.monotonic())):
                raise AssertionError(f"the terminal has not shown {words!r} but:\n{self.shown[after:]}")
        return self.shown

    def rest(self, *, deadline_s: float = 300.0) -> int:
        """Read to the program's end; its exit code."""
        while self._read(deadline_s):
            pass
        return self.process.wait(deadline_s)

    def _read(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        try:
            data = os.read(self._master, 65_536) if ready else b""
        except OSError:
            # Linux says so when the last program on the terminal has gone.
            data = b""
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


@contextmanager
def on_terminal(
    command: Sequence[str], env: Mapping[str, str], *, columns: int = 100, rows: int = 40
) -> Iterator[Terminal]:
    """Run a program on a terminal of this size; it is killed at the end if it still runs."""
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=dict(env), start_new_session=True
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(master)
