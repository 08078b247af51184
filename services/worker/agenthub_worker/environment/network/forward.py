"""Carries connections to a port on the sandbox's own loopback to a Unix socket of the host.

Runs inside of the sandbox, beside the command: `python -I forward.py SOCKET PORT`. It needs only the standard
library, and writes a line once it listens.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading

_PIECE = 65_536


def main(argv: list[str]) -> None:
    """Listen until the end of the sandbox."""
    path, port = argv
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    while True:
        here, _ = listener.accept()
        try:
            there = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            there.connect(path)
        except OSError:
            here.close()
            continue
        for one, other in ((here, there), (there, here)):
            threading.Thread(target=_copy, args=(one, other), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1:])
