"""The loop of the heartbeat, on virtual time: what it sends, what it repeats, and when it gives its worker up."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
import structlog

from agenthub_events.errors import StoreUnavailable
from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_worker.domain.heartbeat_schedule import HUNG_AFTER_S, ORDER_BEAT_S, HeartbeatSchedule
from agenthub_worker.errors import HeartbeatLost
from agenthub_worker.lease.keep_alive import keep_alive
from tests.support.virtual_time import VirtualClock, run_virtually

ACK_WAIT_S = 10.0


class Worker:
    """What a worker holds, when its loop moved last, and what went out for it at which second."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.orders: dict[str, str] = {}
        self.hangs_since: float | None = None
        self.away = False
        self.beats: list[tuple[float, str]] = []
        self.told: list[tuple[float, tuple[str, ...]]] = []

    async def in_progress(self, ack_subject: str) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.beats.append((self.clock.monotonic(), ack_subject))

    async def publish(self, status: WorkerStatus) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.told.append((self.clock.monotonic(), status.holding))

    def status(self) -> WorkerStatus:
        return WorkerStatus(worker="W", instance="i", types=("coding",), slots=2, holding=tuple(self.orders))

    def moved(self) -> float:
        return self.clock.monotonic() if self.hangs_since is None else self.hangs_since

    async def beat(self) -> None:
        await keep_alive(
            self,
            HeartbeatSchedule(),
            held=lambda: dict(self.orders),
            status=self.status,
            monotonic=self.clock.monotonic,
            moved=self.moved,
            pause=self.clock.sleep,
        )


def test_every_held_order_is_kept_and_none_that_was_let_go() -> None:
    async def play() -> None:
        worker = Worker()
        worker.orders = {"g.t-a": "ack-a", "g.t-b": "ack-b"}
        beating = asyncio.ensure_future(worker.beat())
        await asyncio.sleep(30)
        del worker.orders["g.t-b"]
        await asyncio.sleep(30)
        beating.cancel()
        counts = Counter(subject for _, subject in worker.beats)
        assert counts == {"ack-a": 60 / ORDER_BEAT_S, "ack-b": 30 / ORDER_BEAT_S}

    run_virtually(play())


def test_what_is_held_is_told_at_once_when_it_changes_and_every_few_seconds_otherwise() -> None:
    async def play() -> None:
        worker = Worker()
        beating = asyncio.ensure_future(worker.beat())
        await asyncio.sleep(7)
        worker.orders = {"g.t-a": "ack-a"}
        await asyncio.sleep(8)
        beating.cancel()
        assert worker.told == [(0.0, ()), (5.0, ()), (7.0, ("g.t-a",)), (12.0, ("g.t-a",))]

    run_virtually(play())


def test_what_could_not_be_sent_is_sent_as_soon_as_it_can_be() -> None:
    async def play() -> None:
        worker = Worker()
        worker.orders = {"g.t-a": "ack-a"}
        with structlog.testing.capture_logs() as lines:
            beating = asyncio.ensure_future(worker.beat())
            await asyncio.sleep(4)
            worker.away = True
            await asyncio.sleep(120)
            assert not beating.done()
            worker.away = False
            came_back = worker.clock.monotonic()
            await asyncio.sleep(5)
            beating.cancel()
        assert min(at for at, _ in worker.beats if at > 4) - came_back <= 0.5
        assert [line["event"] for line in lines] == ["heartbeat_not_sent"]

    run_virtually(play())


def test_a_worker_whose_loop_hangs_is_given_up_and_its_orders_go_to_others() -> None:
    async def play() -> None:
        worker = Worker()
        worker.orders = {"g.t-a": "ack-a"}
        beating = asyncio.ensure_future(worker.beat())
        await asyncio.sleep(20)
        worker.hangs_since = 20.0
        await asyncio.sleep(HUNG_AFTER_S)
        assert not beating.done()
        await asyncio.sleep(1)
        with pytest.raises(HeartbeatLost, match="not moved for 6"):
            await beating
        last = worker.beats[-1][0]
        await asyncio.sleep(ACK_WAIT_S)
        assert worker.beats[-1][0] == last

    run_virtually(play())
