"""A real notifier that dies at a named place: `python -m tests.support.crashing_notifier <place> <nth>`."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta

import uvloop

from agenthub_notifier.app import Pace, run_notifier
from agenthub_runtime.settings.records import read_notifier_settings
from agenthub_runtime.telemetry.logs import configure_logging


def main() -> None:
    """Run until the place is reached for the nth time, then die as by kill -9."""
    place, left = sys.argv[1], int(sys.argv[2])

    def crash_point(name: str) -> None:
        nonlocal left
        if name == place:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    settings = read_notifier_settings(os.environ)
    configure_logging(settings.log, service="notifier")
    uvloop.run(run_notifier(settings, pace=Pace(window=timedelta(seconds=0.2)), crash_point=crash_point))


if __name__ == "__main__":
    main()
