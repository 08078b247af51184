"""Notifications that are to be sent, as the server gives them out: each to one notifier at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError

from agenthub_events.errors import StoreUnavailable
from agenthub_events.subjects import STREAM
from agenthub_runtime.jetstream.work_queue import NatsDelivery

DURABLE = "notifier"
_WAIT_S = 5.0


async def orders(nc: Client, room: Callable[[], Awaitable[None]]) -> AsyncGenerator[NatsDelivery, None]:
    """Every planned notification until it is acknowledged, for ever. Raises `StoreUnavailable`.

    None is taken before there is `room` for it: its time at the server begins when it is given out.
    """
    try:
        pull = await nc.jetstream().pull_subscribe_bind(durable=DURABLE, stream=STREAM)
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"Planned notifications cannot be read: {error}") from error
    try:
        while True:
            await room()
            try:
                messages = await pull.fetch(1, timeout=_WAIT_S)
            except (NatsTimeoutError, TimeoutError):
                continue
            except (APIError, NatsError) as error:
                raise StoreUnavailable(f"Planned notifications cannot be read: {error}") from error
            for message in messages:
                yield NatsDelivery(nc, message)
    finally:
        # A connection that is closed has nothing to take back.
        with suppress(NatsError):
            await pull.unsubscribe()
