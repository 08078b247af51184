"""The server's own word about orders that it gave up on: a worker refused them, or nobody ever took them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from agenthub_events.base import UNWRITTEN
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.errors import StoreUnavailable
from agenthub_events.serialization.codec import decode
from agenthub_events.subjects import STREAM
from agenthub_runtime.jetstream.fenced_stream import FencedStream

log = structlog.get_logger(__name__)

SOURCE = "DEAD_LETTERS"
SUBJECTS = (f"$JS.EVENT.ADVISORY.CONSUMER.*.{STREAM}.>",)
KIND = "advisory"


class _Body(msgspec.Struct):
    stream_seq: int


class Advisory:
    """An order that the server gives out no more, in the shape of a timer that has fired."""

    kind = KIND

    def __init__(self, goal_id: str, task_id: str, attempt: int) -> None:
        self.goal_id = goal_id
        self.task_id = task_id
        self.ref = str(attempt)
        self.due: datetime = UNWRITTEN

    async def ack(self) -> None:
        """Nothing to do: an advisory is read again only by the next process, which finds it settled."""


async def advisories(nc: Client) -> AsyncGenerator[Advisory, None]:
    """Every advisory about a work order, from the first on, for ever. Raises `StoreUnavailable`."""
    js = nc.jetstream()
    async with aclosing(FencedStream(nc, SOURCE).follow(SUBJECTS, after=0)) as batches:
        async for batch in batches:
            for message in batch:
                found = await _advisory(js, message.data)
                if found is not None:
                    yield found


async def _advisory(js: JetStreamContext, data: bytes) -> Advisory | None:
    try:
        seq = msgspec.json.decode(data, type=_Body).stream_seq
        order = decode((await js.get_msg(STREAM, seq)).data or b"")
    except (msgspec.MsgspecError, NotFoundError) as error:
        log.warning("advisory_unreadable", error=str(error))
        return None
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The order of an advisory cannot be read: {error}") from error
    if not isinstance(order, TaskEnqueued):
        return None
    goal_id = order.originator_id.partition(".")[0]
    return Advisory(goal_id, order.task_id, order.attempt)
