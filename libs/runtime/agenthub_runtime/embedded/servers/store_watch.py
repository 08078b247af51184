"""Takes the event log up again after the disk was full.

A nats-server keeps the first write error of a stream: it takes nothing more into that stream, also when there is
room again, until it is started anew. Nobody but its supervisor can do that.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from pathlib import Path

import structlog

from agenthub_runtime.embedded.servers.nats import NatsServer

_log = structlog.get_logger(__name__)

# Shorter than writers are patient: an append that meets the error of an earlier one comes through after all.
LOOK_EVERY_S = 1.0
# Enough for many events; with less the server would stop again at once.
LEAST_FREE = 64 * 1024 * 1024
# A quota, or a file system that is broken, leaves free space that cannot be used.
AGAIN_AFTER_S = 30.0


class StoreWatch:
    """Asks the server how its store is, and kills it once it may be better; the supervisor starts it again.

    `folder` lies on the disk of the store, and `least_free` bytes are needed there.
    """

    def __init__(self, server: NatsServer, folder: Path, *, least_free: int = LEAST_FREE) -> None:
        self._server = server
        self._folder = folder
        self._least_free = least_free
        self._reported = False
        self._again_at = 0.0

    async def run(self, *, every_s: float = LOOK_EVERY_S) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.look()
            except OSError as error:
                _log.warning("store_watch_failed", reason=str(error))

    async def look(self) -> bool:
        """Whether the server had to be killed. Raises `OSError` when the folder is gone."""
        process = self._server.process
        failure = await self._server.store_failure()
        if not failure or process is None:
            self._reported = False
            return False
        free = shutil.disk_usage(self._folder).free
        if free < self._least_free or time.monotonic() < self._again_at:
            self._tell(failure, free)
            return False
        _log.warning(
            "nats_killed_to_write_again",
            why=f"the event log could not be written ({failure}); there is room again, so nats-server starts anew",
            free_mb=free // 2**20,
        )
        self._again_at = time.monotonic() + AGAIN_AFTER_S
        process.send(signal.SIGKILL)
        return True

    def _tell(self, failure: str, free: int) -> None:
        if not self._reported:
            _log.error(
                "event_log_not_written",
                why=f"the event log cannot be written ({failure}): make room on the disk of {self._folder}, "
                "and work goes on by itself",
                free_mb=free // 2**20,
                needed_mb=self._least_free // 2**20,
            )
        self._reported = True
