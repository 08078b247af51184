"""The pull side of the work lanes: an own continuous pull of exactly the free slots.

Every lane of every served type has one durable consumer. When slots are free the queue asks each lane, the
highest first, for as many orders as it may start; what arrives beyond that goes back at once. Every fourth ask
starts with the lowest lane, so that nothing starves. An open pull does not survive a restart of the server: it
expires after a few seconds and is asked again, and at once after a reconnect.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from agenthub_events.codec import decode
from agenthub_events.ports import Recorded
from agenthub_events.subjects import STREAM

LANES = ("p0", "p1", "p2", "p3")
EXPIRES_S = 5.0
_GRACE_S = 2.0
_FAIR_EVERY = 4

log = structlog.get_logger()


class NatsDelivery:
    """One work order as the server delivered it."""

    def __init__(self, nc: Client, msg: Msg) -> None:
        delivered, stream_seq = ack_position(msg.reply)
        self.recorded = Recorded(
            seq=stream_seq, subject=msg.subject, event=decode(msg.data), headers=dict(msg.headers or {})
        )
        self.num_delivered = delivered
        self.ack_subject = msg.reply
        self._nc = nc

    async def ack(self) -> None:
        """The attempt is closed in the log."""
        await self._nc.publish(self.ack_subject, b"+ACK")

    async def nak(self, delay_s: float = 0.0) -> None:
        """Hand the order back; it comes again after `delay_s` seconds, to anyone."""
        body = b"-NAK" if delay_s <= 0 else b'-NAK {"delay": %d}' % int(delay_s * 1e9)
        await self._nc.publish(self.ack_subject, body)


def ack_position(reply: str) -> tuple[int, int]:
    """Delivery count and stream sequence of an ack subject, with or without a domain.

    `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`; the longer form has
    domain and account before the stream and a token after `pending`.
    """
    tokens = reply.split(".")
    start = 4 if len(tokens) == 9 else 6
    return int(tokens[start]), int(tokens[start + 1])


class _Lane:
    """What is still open at the server for one consumer."""

    def __init__(self, agent_type: str, lane: str) -> None:
        self.consumer = f"work-{agent_type}-{lane}"
        self.key = f"{agent_type}.{lane}"
        self.open = 0
        self.asked_at = 0.0


class NatsWorkQueue:
    """The `WorkQueue` port on a NATS connection."""

    def __init__(self, nc: Client, types: Sequence[str], *, slots: int) -> None:
        self._nc = nc
        self._free = slots
        self._slots = slots
        self._lanes = [_Lane(agent_type, lane) for lane in LANES for agent_type in types]
        self._by_key = {lane.key: lane for lane in self._lanes}
        self._ready: asyncio.Queue[NatsDelivery] = asyncio.Queue()
        self._inbox = nc.new_inbox()
        self._asks = 0
        self._subscription: Subscription | None = None
        self._open = False

    async def deliveries(self) -> AsyncIterator[NatsDelivery]:
        """Orders, never more at once than there are free slots, until `close`."""
        self._subscription = await self._nc.subscribe(f"{self._inbox}.*", cb=self._arrived)
        self._open = True
        keeper = asyncio.create_task(self._keep_asking())
        try:
            while True:
                yield await self._ready.get()
        finally:
            keeper.cancel()
            await self.close()

    def release(self) -> None:
        """One slot has become free."""
        self._free = min(self._free + 1, self._slots)
        if self._open:
            asyncio.get_running_loop().create_task(self._ask())

    async def in_progress(self, ack_subject: str) -> None:
        """Keep an order from being delivered to somebody else."""
        await self._nc.publish(ack_subject, b"+WPI")

    async def close(self) -> None:
        """Ask for nothing more; orders that were not started go back."""
        self._open = False
        if self._subscription is not None:
            await self._subscription.unsubscribe()
            self._subscription = None
        while not self._ready.empty():
            await self._ready.get_nowait().nak()

    def reconnected(self) -> None:
        """The connection is new: open pulls of the old one are gone."""
        for lane in self._lanes:
            lane.open = 0
        if self._open:
            asyncio.get_running_loop().create_task(self._ask())

    async def _keep_asking(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for lane in self._lanes:
                if loop.time() - lane.asked_at > EXPIRES_S + _GRACE_S:
                    lane.open = 0
            if self._nc.is_connected:
                await self._ask()
            await asyncio.sleep(EXPIRES_S)

    async def _ask(self) -> None:
        self._asks += 1
        order = self._lanes if self._asks % _FAIR_EVERY else self._lanes[::-1]
        now = asyncio.get_running_loop().time()
        for lane in order:
            missing = self._free - lane.open
            if missing <= 0 or not self._open:
                continue
            lane.open += missing
            lane.asked_at = now
            body = b'{"batch": %d, "expires": %d}' % (missing, int(EXPIRES_S * 1e9))
            reply = f"{self._inbox}.{lane.consumer}"
            await self._nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{lane.consumer}", body, reply=reply)

    async def _arrived(self, msg: Msg) -> None:
        if not msg.reply:
            self._status(msg)
            return
        lane = self._by_key.get(".".join(msg.subject.split(".")[-2:]))
        if lane is not None:
            lane.open = max(lane.open - 1, 0)
        delivery = NatsDelivery(self._nc, msg)
        if self._free <= 0 or not self._open:
            await delivery.nak()
            return
        self._free -= 1
        self._ready.put_nowait(delivery)

    def _status(self, msg: Msg) -> None:
        """A pull ended at the server: what it still owed is no longer open."""
        headers = msg.headers or {}
        consumer = msg.subject.rpartition(".")[2]
        owed = headers.get("Nats-Pending-Messages")
        for lane in self._lanes:
            if lane.consumer == consumer:
                lane.open = max(lane.open - int(owed), 0) if owed else 0
        if headers.get("Status") not in ("404", "408"):
            log.warning(
                "pull_ended", consumer=consumer, status=headers.get("Status"), text=headers.get("Description")
            )
