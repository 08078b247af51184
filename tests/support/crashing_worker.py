"""A real worker process that dies at a named place: `python -m tests.support.crashing_worker <place> <nth>`."""

from __future__ import annotations

import os
import signal
import sys

import uvloop

from agenthub_runtime.settings.records import read_worker_settings
from agenthub_runtime.telemetry.logs import configure_logging
from agenthub_worker.app import run_worker


def main() -> None:
    """Run until the place is reached for the nth time, then die as by kill -9."""
    place, left = sys.argv[1], int(sys.argv[2])

    def crash_point(name: str) -> None:
        nonlocal left
        if name == place:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    settings = read_worker_settings(os.environ)
    configure_logging(settings.log, service=settings.name)
    uvloop.run(run_worker(settings, settings.agent_types, crash_point=crash_point))


if __name__ == "__main__":
    main()
