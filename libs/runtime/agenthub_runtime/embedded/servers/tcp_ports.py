"""Which ports the servers of a hub take."""

from __future__ import annotations

import random
import socket

from agenthub_runtime.errors import ServerFailed

_SERVER_PORTS = range(20_000, 32_000)
_HERE = "127.0.0.1"


def claimable_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raises `ServerFailed` when somebody else listens there."""
    if port == 0:
        return free_port(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServerFailed(
                f"Port {port} on {host} cannot be used ({error.strerror}): choose another with --port or "
                "AGENTHUB_PORT"
            ) from error
        return int(probe.getsockname()[1])


def free_port(host: str = _HERE) -> int:
    """A free port below those that outgoing connections take, so that none of them is there before its server.

    A server comes back on its port as long as its hub runs, and an outgoing connection could be there by then.
    Raises `ServerFailed` when none is free.
    """
    for port in random.sample(_SERVER_PORTS, len(_SERVER_PORTS)):
        try:
            return claimable_port(host, port)
        except ServerFailed:
            continue
    raise ServerFailed(f"No port from {_SERVER_PORTS[0]} to {_SERVER_PORTS[-1]} is free on {host}")
