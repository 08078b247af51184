"""A service that does nothing but stay, for tests of those who keep services alive.

Called like the real ones: `idle_service.py gateway`, `idle_service.py worker coding`. The gateway answers its
health check. What a service was told shows as the names of its environment in its log.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # named by the library
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the log is for the environment."""


def main() -> None:
    sys.stderr.write(f"environment: {' '.join(sorted(os.environ))}\n")
    name = sys.argv[1]
    if name == os.environ.get("TEST_BROKEN"):
        sys.exit(f"{name} is broken on purpose")
    if name == os.environ.get("TEST_STUBBORN"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if name == "gateway":
        HTTPServer(("127.0.0.1", int(os.environ["AGENTHUB_PORT"])), _Healthy).serve_forever()
    threading.Event().wait()


if __name__ == "__main__":
    main()
