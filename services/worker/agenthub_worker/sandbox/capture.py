"""Keeps the start and the end of a command's output, and never more than that in memory."""

from __future__ import annotations


class HeadTail:
    """A byte sink of bounded size: the first and the last half of `limit` bytes are kept."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def write(self, data: bytes) -> None:
        """Take the next piece of output."""
        self.total += len(data)
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail += data[-self._half :]
        if len(self._tail) > 2 * self._half:
            del self._tail[: -self._half]

    @property
    def truncated(self) -> bool:
        """Whether something in the middle is missing."""
        return self.total > 2 * self._half

    def value(self) -> bytes:
        """What was kept; a line in the middle says how many bytes are missing."""
        tail = bytes(self._tail[-self._half :])
        missing = self.total - len(self._head) - len(tail)
        if missing <= 0:
            return bytes(self._head) + tail
        return bytes(self._head) + b"\n[... %d bytes cut ...]\n" % missing + tail
