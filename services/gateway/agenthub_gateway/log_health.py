"""Whether the log takes events, as far as this gateway knows without writing any for the purpose."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

REFUSED = "the log takes no events"
FULL = "the log takes no events: its disk is full"
FORGET_AFTER_S = 30.0
LEAST_FREE = 1024 * 1024


class LogHealth:
    """What became of the latest append, and whether there is room for another one.

    A server whose disk is full stays connected and answers every question; only appends fail. `folder` lies on the
    disk of the log, where the gateway can see it. After `forget_after_s` seconds without a further try a failed
    append says nothing any more: who asks before sending would otherwise never send again.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        least_free: int = LEAST_FREE,
        forget_after_s: float = FORGET_AFTER_S,
    ) -> None:
        self._folder = folder
        self._least_free = least_free
        self._forget_after_s = forget_after_s
        self._failed_at: float | None = None

    def failed(self) -> None:
        """An append got no answer, or was refused for want of room."""
        self._failed_at = time.monotonic()

    def works(self) -> None:
        """An event was stored, or the server is another one now."""
        self._failed_at = None

    def trouble(self) -> str:
        """Why the next append may fail; empty when nothing speaks for it."""
        failed = self._failed_at is not None and time.monotonic() - self._failed_at < self._forget_after_s
        if self.is_full():
            return FULL
        return REFUSED if failed else ""

    def is_full(self) -> bool:
        """Whether the disk of the log has no room; False where the gateway cannot see it."""
        if self._folder is None:
            return False
        try:
            return shutil.disk_usage(self._folder).free < self._least_free
        except OSError:
            return False
