"""The fleet in memory."""

from __future__ import annotations

from agenthub_events.ports import Clock
from agenthub_runtime.jetstream.fleet import WorkerStatus


class InMemoryFleet:
    """The fleet in memory: a status counts for 15 s of the given clock."""

    TTL_S = 15.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[float, WorkerStatus]] = {}

    async def publish(self, status: WorkerStatus) -> None:
        """Say that this worker is alive."""
        self._seen[status.worker] = (self._clock.monotonic(), status)

    def living(self) -> list[WorkerStatus]:
        """Every worker that has lately said that it is alive."""
        now = self._clock.monotonic()
        return [status for at, status in self._seen.values() if now - at <= self.TTL_S]

    async def alive(self, worker: str, instance: str, holding: str) -> bool:
        """Whether this very instance has lately said that it holds the attempt `holding`."""
        at, status = self._seen.get(worker, (float("-inf"), None))
        if status is None or self._clock.monotonic() - at > self.TTL_S:
            return False
        return status.instance == instance and holding in status.holding
