"""A lock on a server's folder that the server itself holds.

The file is locked before the fork and stays open in the server and in all that it forks. So it is free again when
the last of them is gone, whatever has happened to the hub that started them, and two servers never write into one
folder. A process id in a file cannot say that: the process may be a zombie, or another program by now.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agenthub_runtime.errors import ServerFailed
from agenthub_runtime.file_lock import try_lock

# The server of a killed hub gets its signal in the same moment; ending may take it a while.
GONE_WITHIN_S = 10.0


@asynccontextmanager
async def locked(path: Path, *, within_s: float = GONE_WITHIN_S) -> AsyncIterator[int]:
    """Wait for the lock and give its descriptor, for the server to inherit. Raises `ServerFailed`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + within_s
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"Another server still works in the folder of {path}: stop it (`fuser {path}` tells its pid)"
                )
            await asyncio.sleep(0.02)
        yield descriptor
    finally:
        os.close(descriptor)  # here; the server has its own
