"""`python -m agenthub_worker [coding[,testing]]`: one worker process."""

import os
import sys

from agenthub_runtime.processes.loading import loading

with loading():
    from agenthub_worker.app import main

main({**os.environ, **({"AGENT_TYPE": sys.argv[1]} if len(sys.argv) > 1 else {})})
