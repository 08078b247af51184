"""Who is alive: a passing message a worker every few seconds, kept by the server for 15 s."""

from __future__ import annotations

import asyncio
import re

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

HEARTBEAT_S = 5.0
STREAM = "FLEET"
_TOKEN = re.compile(r"[^A-Za-z0-9_-]+")


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself: its queues, its slots, and the tasks that it holds (`<goal>.<task>`)."""

    worker: str
    instance: str
    types: tuple[str, ...]
    slots: int
    holding: tuple[str, ...] = ()


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(WorkerStatus)


class NatsFleet:
    """The fleet on a NATS connection. Liveness is no event: nothing is decided from it but patience."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc

    async def publish(self, status: WorkerStatus) -> None:
        """Say that this worker is alive; nothing waits for it."""
        await self._nc.publish(_subject(status.worker), _ENCODER.encode(status))

    async def living(self) -> list[WorkerStatus]:
        """Every worker that has said so lately. Raises what the server answers."""
        stream = self._nc.jetstream()
        try:
            info = await stream.stream_info(STREAM, subjects_filter="fleet.*")
        except NotFoundError:
            return []
        found = await asyncio.gather(*(self._last(subject) for subject in info.state.subjects or ()))
        return [status for status in found if status is not None]

    async def alive(self, worker: str, instance: str, holding: str) -> bool:
        """Whether this very instance has lately said that it holds the task `holding`."""
        try:
            status = await self._last(_subject(worker))
        except (NatsError, TimeoutError):
            return False
        return status is not None and status.instance == instance and holding in status.holding

    async def _last(self, subject: str) -> WorkerStatus | None:
        try:
            found = await self._nc.jetstream().get_last_msg(STREAM, subject, direct=True)
        except NotFoundError:
            return None
        try:
            return _DECODER.decode(found.data or b"")
        except msgspec.DecodeError:
            return None


def _subject(worker: str) -> str:
    return f"fleet.{_TOKEN.sub('-', worker)}"
