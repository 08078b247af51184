"""`python -m agenthub_notifier`."""

import os

from agenthub_runtime.processes.loading import loading

with loading():
    from agenthub_notifier.app import main

main(os.environ)
