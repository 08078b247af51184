"""Who is alive: a passing message a worker every few seconds, kept by the server for 15 s."""

from __future__ import annotations

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

    async def alive(self, worker: str, instance: str, holding: str) -> bool:
        """Whether this very instance has lately said that it holds the task `holding`."""
        try:
            found = await self._nc.jetstream().get_last_msg(STREAM, _subject(worker), direct=True)
        except (NotFoundError, NatsError, TimeoutError):
            return False
        try:
            status = _DECODER.decode(found.data or b"")
        except msgspec.DecodeError:
            return False
        return status.instance == instance and holding in status.holding


def _subject(worker: str) -> str:
    return f"fleet.{_TOKEN.sub('-', worker)}"
