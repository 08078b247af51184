"""`agenthub restore` that dies in the middle, as by kill -9: `python -m tests.support.dying_restore <stream> …`.

It does so as it says that the stream is restored.
"""

from __future__ import annotations

import io
import os
import signal
import sys

from agenthub_cli.main import main


class DeadlyOutput(io.StringIO):
    """Kills this process when the stream is named."""

    stream = ""

    def write(self, text: str) -> int:
        if self.stream in text:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().write(text)


if __name__ == "__main__":
    DeadlyOutput.stream = sys.argv.pop(1)
    sys.stdout = DeadlyOutput()
    main()
