"""Durable timers on the TIMERS stream: message schedules of the server (ADR-51)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from agenthub_events.errors import StoreUnavailable

STREAM = "TIMERS"
DURABLE = "timers"
_BATCH = 64
_WAIT_S = 5.0
_FIRED_TTL = "168h"

log = structlog.get_logger()


class _Body(msgspec.Struct):
    ref: str
    due: datetime


class NatsFiredTimer:
    """A due timer, delivered again until it is acknowledged."""

    def __init__(self, msg: Msg) -> None:
        _, _, self.kind, self.goal_id, self.task_id = msg.subject.split(".")
        body = msgspec.json.decode(msg.data, type=_Body)
        self.ref = body.ref
        self.due = body.due
        self._msg = msg

    async def ack(self) -> None:
        """The event that this timer caused is in the log, or it is no longer true."""
        await self._msg.ack()


class NatsTimers:
    """The `Timers` port on a NATS connection."""

    def __init__(self, nc: Client) -> None:
        self._js: JetStreamContext = nc.jetstream()

    async def set(self, kind: str, goal_id: str, task_id: str, *, due: datetime, ref: str) -> None:
        """Let the timer fire at `due` (aware); setting it again moves it. Raises `StoreUnavailable`."""
        tail = f"{kind}.{goal_id}.{task_id}"
        at = due.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        headers = {
            "Nats-Schedule": f"@at {at}",
            "Nats-Schedule-Target": f"timer.fired.{tail}",
            "Nats-Schedule-TTL": _FIRED_TTL,
        }
        body = msgspec.json.encode(_Body(ref, due))
        try:
            await self._js.publish(f"timer.set.{tail}", body, headers=headers, stream=STREAM)
        except (NatsError, TimeoutError) as error:
            raise StoreUnavailable(f"Timer `{tail}` could not be set: {error}") from error

    async def fired(self) -> AsyncGenerator[NatsFiredTimer, None]:
        """Due timers, forever; unreadable ones are put aside with a log line.

        Raises `StoreUnavailable` when the server does not give them out, e.g. because the consumer is gone.
        """
        async with self._pulling() as pull:
            while True:
                try:
                    messages = await pull.fetch(_BATCH, timeout=_WAIT_S)
                except (NatsTimeoutError, TimeoutError):
                    continue
                except APIError as error:
                    raise StoreUnavailable(f"Due timers cannot be read: {error}") from error
                for msg in messages:
                    if timer := await _readable(msg):
                        yield timer

    @asynccontextmanager
    async def _pulling(self) -> AsyncIterator[JetStreamContext.PullSubscription]:
        pull = await self._js.pull_subscribe_bind(durable=DURABLE, stream=STREAM)
        try:
            yield pull
        finally:
            # A connection that is closed has nothing to take back.
            with suppress(NatsError):
                await pull.unsubscribe()


async def _readable(msg: Msg) -> NatsFiredTimer | None:
    try:
        return NatsFiredTimer(msg)
    except (ValueError, msgspec.MsgspecError) as error:
        log.error("timer_unreadable", subject=msg.subject, error=str(error))
        await msg.term()
        return None
