"""Reading a stream as it grows: in order, without gap, across restarts of the server.

The server pushes to an ephemeral ordered consumer. Sequence numbers show a gap, heartbeats show silence; in both
cases a new consumer goes on behind the last message that was taken. Each consumer has its own inbox, so what an
old one still sends is never mixed with the new one's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.nuid import NUID

from agenthub_events.errors import StoreUnavailable
from agenthub_runtime.jetstream.wire import ConsumerAnswer, RawMessage, kept, position_of, was_pushed

HEARTBEAT_S = 1.0
_SILENCE = 2.5
_RECONNECT_CHECK_S = 0.1
_CREATE_TIMEOUT_S = 5.0
_FIRST_PATIENCE_S = 10.0
_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)
_INACTIVE_S = 30
_BUFFERED = 20_000

log = structlog.get_logger()
_names = NUID()
_NO_TOKEN = re.compile(r"[^A-Za-z0-9_-]+")


class OrderedConsumer:
    """One reader of a stream, from behind sequence `after`."""

    def __init__(self, nc: Client, stream: str, subject_filters: Sequence[str], after: int) -> None:
        self._nc = nc
        self._stream = stream
        self._filters = list(subject_filters)
        self._after = after
        self._caught_up = False

    async def batches(self) -> AsyncGenerator[list[RawMessage], None]:
        """What is pending, forever. Raises `StoreUnavailable` when the connection is closed for good."""
        source = await self._attach(first=True)
        try:
            while True:
                if await source.wait():
                    batch = await source.take()
                    self._after = batch[-1].seq if batch else self._after
                    if batch:
                        yield batch
                    if source.complete and not self._caught_up:
                        self._caught_up = True
                        yield []
                if source.broken:
                    await source.close()
                    source = await self._attach(first=False)
        finally:
            await source.close()

    async def _attach(self, *, first: bool) -> _Source:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _FIRST_PATIENCE_S
        tries = 0
        while True:
            source = _Source(self._nc, self._stream)
            try:
                await source.open(self._filters, self._after)
                return source
            except (StoreUnavailable, NatsError) as error:
                await source.close()
                if self._nc.is_closed or (first and loop.time() > deadline):
                    raise StoreUnavailable(f"Stream `{self._stream}` cannot be followed: {error}") from error
                log.info("follow_waits_for_stream", stream=self._stream, after=self._after, error=str(error))
            await asyncio.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
            tries += 1


class _Source:
    """One consumer on the server and what it has sent."""

    def __init__(self, nc: Client, stream: str) -> None:
        self._nc = nc
        self._stream = stream
        self._owner = _NO_TOKEN.sub("-", str(nc.options.get("name") or "follower"))
        self._name = f"{self._owner}-{_names.next().decode()}"
        self._subscription: Subscription | None = None
        self._messages: list[RawMessage] = []
        self._arrived = asyncio.Event()
        self._consumed = 0
        self._total: int | None = None
        self._gap = False
        self._heard = _now()
        self._connection = _connections(nc)
        self._hold = ""

    @property
    def complete(self) -> bool:
        """Everything that was pending when the consumer was made has been taken."""
        return self._total is not None and self._consumed - len(self._messages) >= self._total

    @property
    def broken(self) -> bool:
        """A message is missing, the connection is another one, or the server has fallen silent."""
        return (
            self._gap
            or self._connection != _connections(self._nc)
            or self._nc.is_closed
            or _now() - self._heard > _SILENCE * HEARTBEAT_S
        )

    async def open(self, filters: list[str], after: int) -> None:
        """Create the consumer. Raises `StoreUnavailable`, `nats.errors.Error`."""
        inbox = self._nc.new_inbox()
        self._subscription = await self._nc.subscribe(
            inbox, cb=self._receive, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        body = {"stream_name": self._stream, "config": _config(self._name, self._owner, inbox, filters, after)}
        subject = f"$JS.API.CONSUMER.CREATE.{self._stream}.{self._name}"
        reply = await self._nc.request(subject, msgspec.json.encode(body), timeout=_CREATE_TIMEOUT_S)
        answer = msgspec.json.decode(reply.data, type=ConsumerAnswer)
        if answer.error is not None:
            raise StoreUnavailable(f"{answer.error.description} ({answer.error.err_code})")
        self._total = answer.num_pending + answer.delivered.consumer_seq
        self._heard = _now()
        self._arrived.set()

    async def wait(self) -> bool:
        """True when there may be something to take; False after a heartbeat's time without anything."""
        try:
            async with asyncio.timeout(HEARTBEAT_S if self._nc.is_connected else _RECONNECT_CHECK_S):
                await self._arrived.wait()
        except TimeoutError:
            return False
        self._arrived.clear()
        return True

    async def take(self) -> list[RawMessage]:
        """What has come, and permission for the server to send more."""
        taken, self._messages = self._messages, []
        hold, self._hold = self._hold, ""
        if hold:
            await self._nc.publish(hold)
        return taken

    async def close(self) -> None:
        """Stop listening and drop the consumer; should that get lost, the server drops it for being inactive."""
        if self._subscription is not None and not self._nc.is_closed:
            subscription, self._subscription = self._subscription, None
            try:
                await subscription.unsubscribe()
                await self._nc.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}")
            except NatsError:
                return  # the connection is going away, and the subscription with it

    async def _receive(self, msg: Msg) -> None:
        self._heard = _now()
        if self._gap:
            return
        if not was_pushed(msg):
            await self._control(msg)
            return
        position = position_of(msg.reply)
        if position.consumer_seq != self._consumed + 1:
            self._gap = True
        else:
            self._consumed += 1
            self._messages.append(RawMessage(position.stream_seq, msg.subject, msg.data, kept(msg.headers)))
        self._arrived.set()

    async def _control(self, msg: Msg) -> None:
        """A heartbeat, or the question whether more may be sent."""
        headers = msg.headers or {}
        ask = msg.reply or headers.get("Nats-Consumer-Stalled", "")
        last = headers.get("Nats-Last-Consumer")
        if last is not None and int(last) != self._consumed:
            self._gap = True
            self._arrived.set()
        if not ask:
            return
        if len(self._messages) < _BUFFERED:
            await self._nc.publish(ask)
        else:
            self._hold = ask


def _config(name: str, owner: str, inbox: str, filters: list[str], after: int) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"{owner} follows; it goes with its process",
        "deliver_subject": inbox,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": after + 1,
        "filter_subjects": filters,
        "ack_policy": "none",
        "max_deliver": 1,
        "replay_policy": "instant",
        "flow_control": True,
        "idle_heartbeat": int(HEARTBEAT_S * 1e9),
        "inactive_threshold": int(_INACTIVE_S * 1e9),
        "mem_storage": True,
        "num_replicas": 1,
    }


def _connections(nc: Client) -> int:
    return int(nc.stats["reconnects"])


def _now() -> float:
    return asyncio.get_running_loop().time()
