"""`python -m agenthub_gateway`."""

from __future__ import annotations

import sys

from agenthub_runtime.processes.loading import loading

with loading():
    from agenthub_gateway.app import main

if __name__ == "__main__":
    sys.exit(main())
