"""Holding work back at the server: the lanes of an agent type are paused there, so no worker need know of it.

The log says what is to be held (`evt.hub._.maintenance.>`, `evt.hub._.queue.>`). Whoever writes that puts the
lanes right at once; an orchestrator looks after it for one that died between the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import EventLog
from agenthub_events.rules.holds import MAINTENANCE, QUEUES, Holds, holds_of
from agenthub_events.subjects import STREAM
from agenthub_runtime.jetstream.work_queue import HELD_UNTIL, lane_states

_WITHIN_S = 5.0
_LONG_AGO = "1970-01-01T00:00:00Z"


class Lanes(Protocol):
    """The lanes of all queues, as far as they can be held."""

    async def hold(self, types: Collection[str]) -> list[str]:
        """Hold the lanes of exactly these agent types, and name those that changed. Raises `StoreUnavailable`.

        What others have paused, for a time of their own, stays as they have it.
        """
        ...


class _Refused(msgspec.Struct):
    description: str = ""


class _Answer(msgspec.Struct):
    error: _Refused | None = None


class NatsLanes:
    """The `Lanes` port on a NATS connection."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc

    async def hold(self, types: Collection[str]) -> list[str]:
        """Pause and resume consumers until they are as wanted."""
        changes = [
            (f"work-{state.agent_type}-{state.lane}", HELD_UNTIL if state.agent_type in types else _LONG_AGO)
            for state in await lane_states(self._nc)
            if (state.is_held if state.agent_type not in types else not state.paused_until)
        ]
        await asyncio.gather(*(self._pause(consumer, until) for consumer, until in changes))
        return [consumer for consumer, _ in changes]

    async def _pause(self, consumer: str, until: str) -> None:
        body = msgspec.json.encode({"pause_until": until})
        try:
            reply = await self._nc.request(f"$JS.API.CONSUMER.PAUSE.{STREAM}.{consumer}", body, timeout=_WITHIN_S)
        except (NatsError, TimeoutError) as error:
            raise StoreUnavailable(f"The queue `{consumer}` cannot be held: {error}") from error
        if refused := msgspec.json.decode(reply.data, type=_Answer).error:
            raise StoreUnavailable(f"The server does not hold `{consumer}`: {refused.description}")


async def read_holds(log: EventLog) -> Holds:
    """What is to be held back now. Raises `StoreUnavailable`."""
    return holds_of([*await log.read(MAINTENANCE), *await log.read(QUEUES)])
