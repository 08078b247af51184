"""The pull side of the work lanes: an own continuous pull of exactly the free slots.

Every lane of every served type has one durable consumer. When slots are free the queue asks each lane, the
highest first, for as many orders as it may start; what arrives beyond that goes back at once. Every fourth grant
goes to the lowest lane with work, so that nothing starves. A pull expires after a few seconds and is asked again
at once; it does not survive a restart of the server, so every connection asks anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Recorded
from agenthub_events.serialization.codec import decode_at
from agenthub_events.subjects import STREAM
from agenthub_runtime.shutdown import end_tasks

LANES = ("p0", "p1", "p2", "p3")
EXPIRES_S = 5.0
_GRACE_S = 2.0
FAIR_EVERY = 4
_USUAL_ENDS = ("404", "408")
_AFTER_REFUSAL_S = 0.5
_LOOK_S = 1.0
GATHER_S = 0.005
_SENDS_S = 1.0
_CONSUMER = "work-"
HELD_UNTIL = "2200-01-01T00:00:00Z"
"""The end of the pause of a lane that the hub itself holds; people who pause a consumer name another one."""

log = structlog.get_logger()


class NatsDelivery:
    """One work order as the server delivered it."""

    def __init__(self, nc: Client, msg: Msg) -> None:
        delivered, stream_seq = ack_position(msg.reply)
        self.recorded = Recorded(
            seq=stream_seq,
            subject=msg.subject,
            event=decode_at(msg.subject, msg.data),
            headers=dict(msg.headers or {}),
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
        self.consumer = f"{_CONSUMER}{agent_type}-{lane}"
        self.key = f"{agent_type}.{lane}"
        self.open = 0
        self.asked_at = 0.0


class NatsWorkQueue:
    """The `WorkQueue` port on a NATS connection. Lanes that are asked together have `gather_s` to answer."""

    def __init__(self, nc: Client, types: Sequence[str], *, slots: int, gather_s: float = GATHER_S) -> None:
        self._nc = nc
        self._gather_s = gather_s
        self._free = slots
        self._slots = slots
        self._lanes = [_Lane(agent_type, lane) for lane in LANES for agent_type in types]
        self._by_key = {lane.key: lane for lane in self._lanes}
        self._ready: asyncio.Queue[NatsDelivery] = asyncio.Queue()
        self._inbox = nc.new_inbox()
        self._grants = 0
        self._subscription: Subscription | None = None
        self._open = False
        self._paused = False
        self._asking: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._gathered: list[tuple[int, NatsDelivery]] = []
        self._gather_until = 0.0

    async def deliveries(self) -> AsyncGenerator[NatsDelivery, None]:
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
        self._ask_now()

    def pause(self) -> None:
        """Take nothing new: the server drops pulls that nobody listens to."""
        self._paused = True
        self._start(self._turn_away())

    def resume(self) -> None:
        """Take orders again."""
        self._paused = False
        self._start(self._listen_again())

    async def in_progress(self, ack_subject: str) -> None:
        """Keep an order from being delivered to somebody else."""
        await self._nc.publish(ack_subject, b"+WPI")

    async def close(self) -> None:
        """Ask for nothing more; orders that were not started go back."""
        self._open = False
        await self._finish()
        if self._subscription is not None:
            await self._subscription.unsubscribe()
            self._subscription = None
        while not self._ready.empty():
            await self._ready.get_nowait().nak()

    async def _turn_away(self) -> None:
        listening, self._subscription = self._subscription, None
        if listening is not None:
            await listening.unsubscribe()
        for lane in self._lanes:
            lane.open = 0

    async def _listen_again(self) -> None:
        if self._open and self._subscription is None:
            self._inbox = self._nc.new_inbox()
            self._subscription = await self._nc.subscribe(f"{self._inbox}.*", cb=self._arrived)
        await self._ask()

    @property
    def _is_taking(self) -> bool:
        return self._open and not self._paused

    async def _finish(self) -> None:
        """Let what is being sent go out; a connection that takes nothing is not waited for."""
        if self._asking is not None:
            self._asking.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_SENDS_S)
            await end_tasks(*late)

    async def _keep_asking(self) -> None:
        """Pulls ask again when they end; this finds those whose end never came, and those of an old connection."""
        loop = asyncio.get_running_loop()
        connections = -1
        while True:
            lost = connections != self._nc.stats["reconnects"]
            connections = self._nc.stats["reconnects"]
            for lane in self._lanes:
                if lost or loop.time() - lane.asked_at > EXPIRES_S + _GRACE_S:
                    lane.open = 0
            if self._nc.is_connected:
                await self._logged(self._ask())
            await asyncio.sleep(_LOOK_S)

    async def _ask(self) -> None:
        now = asyncio.get_running_loop().time()
        asked = [lane for lane in self._lanes if self._is_taking and self._free > lane.open]
        if len(asked) > 1:
            self._gather_until = now + self._gather_s
        for lane in asked:
            missing = self._free - lane.open
            lane.open += missing
            lane.asked_at = now
            body = b'{"batch": %d, "expires": %d}' % (missing, int(EXPIRES_S * 1e9))
            reply = f"{self._inbox}.{lane.consumer}"
            try:
                await self._nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{lane.consumer}", body, reply=reply)
            except NatsError:
                lane.open = max(lane.open - missing, 0)
                raise

    async def _arrived(self, msg: Msg) -> None:
        if not msg.reply:
            self._status(msg)
            return
        lane = self._by_key[".".join(msg.subject.split(".")[-2:])]
        lane.open = max(lane.open - 1, 0)
        self._gathered.append((self._lanes.index(lane), NatsDelivery(self._nc, msg)))
        wait_s = self._gather_until - asyncio.get_running_loop().time()
        if wait_s <= 0:
            await self._grant()
        elif len(self._gathered) == 1:
            # Lanes that were asked in one breath answer in any order: the highest that answers is to win.
            asyncio.get_running_loop().call_later(wait_s, self._grant_soon)

    def _grant_soon(self) -> None:
        self._start(self._grant())

    async def _grant(self) -> None:
        """Start what there are slots for, the highest lane first; the rest goes back at once."""
        waiting = sorted(self._gathered, key=lambda found: found[0])
        self._gathered = []
        while waiting and self._free > 0 and self._is_taking:
            self._grants += 1
            _, delivery = waiting.pop(0 if self._grants % FAIR_EVERY else -1)
            self._free -= 1
            self._ready.put_nowait(delivery)
        for _, delivery in waiting:
            await delivery.nak()

    def _status(self, msg: Msg) -> None:
        """A pull ended at the server: what it still owed is asked for again."""
        headers = msg.headers or {}
        consumer = msg.subject.rpartition(".")[2]
        owed = headers.get("Nats-Pending-Messages")
        for lane in self._lanes:
            if lane.consumer == consumer:
                lane.open = max(lane.open - int(owed), 0) if owed else 0
        status = headers.get("Status")
        if status in _USUAL_ENDS:
            self._ask_soon(0.0)
        else:
            log.warning("pull_ended", consumer=consumer, status=status, text=headers.get("Description"))
            self._ask_soon(_AFTER_REFUSAL_S)

    def _ask_soon(self, delay_s: float) -> None:
        """Ask once for all the pulls that end in the same moment."""
        if self._asking is None and self._open:
            self._asking = asyncio.get_running_loop().call_later(delay_s, self._ask_now)

    def _ask_now(self) -> None:
        self._asking = None
        if self._open:
            self._start(self._ask())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _logged(self, work: Coroutine[Any, Any, None]) -> None:
        """What could not be sent is not lost: orders that go back come again by themselves, pulls are repeated."""
        try:
            await work
        except NatsError as error:
            log.warning("work_queue_cannot_send", error=str(error) or type(error).__name__)


class LaneState(msgspec.Struct, frozen=True, kw_only=True):
    """One lane of one agent type, in orders.

    `waiting` were given to nobody yet, `held` to workers that have not acknowledged; `pulls` are open requests for
    work. Up to the stream sequence `acked` all are acknowledged, up to `delivered` given out; `redelivered` of
    those that are held were given out more than once. The server gives nothing out until `paused_until`, a time of
    RFC 3339, empty when it is not paused.
    """

    agent_type: str
    lane: str
    waiting: int
    held: int
    pulls: int
    acked: int
    delivered: int
    redelivered: int = 0
    paused_until: str = ""

    @property
    def is_held(self) -> bool:
        """Whether the hub holds the lane: it is paused, and not by hand."""
        return self.paused_until == HELD_UNTIL


async def lane_states(nc: Client) -> list[LaneState]:
    """Every work lane that has its consumer. Raises `StoreUnavailable`."""
    try:
        found = await nc.jetstream().consumers_info(STREAM)
    except NotFoundError:
        return []
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The queues cannot be read: {error}") from error
    states = []
    for info in found:
        agent_type, _, lane = info.name.removeprefix(_CONSUMER).rpartition("-")
        if info.name.startswith(_CONSUMER) and agent_type:
            states.append(
                LaneState(
                    agent_type=agent_type,
                    lane=lane,
                    waiting=info.num_pending or 0,
                    held=info.num_ack_pending or 0,
                    pulls=info.num_waiting or 0,
                    acked=info.ack_floor.stream_seq if info.ack_floor else 0,
                    delivered=info.delivered.stream_seq if info.delivered else 0,
                    paused_until=(info.config.pause_until or "") if info.paused else "",
                    redelivered=info.num_redelivered or 0,
                )
            )
    return sorted(states, key=lambda state: (state.agent_type, state.lane))
