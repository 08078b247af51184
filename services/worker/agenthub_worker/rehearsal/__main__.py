"""`python -m agenthub_worker.rehearsal --port N`: the rehearsal model as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from agenthub_runtime.processes.loading import loading

with loading():
    from agenthub_worker.rehearsal.catalog import rehearsal_server


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; exit code 1 when the port is taken."""
    parser = argparse.ArgumentParser(description="Serve the scripted rehearsal model on loopback.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--control", action="store_true", help="let tests order faults at /control")
    options = parser.parse_args()
    try:
        asyncio.run(_serve(options.port, control=options.control))
    except OSError as error:
        sys.stderr.write(
            f"The rehearsal model cannot listen on port {options.port}: {error}. Choose another one.\n"
        )
        return 1
    return 0


async def _serve(port: int, *, control: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with rehearsal_server(port=port, control=control) as server:
        sys.stdout.write(json.dumps({"ready": True, "url": server.url}) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
