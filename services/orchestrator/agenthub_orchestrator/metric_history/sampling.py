"""What the hub as a whole looks like at one moment: its queues, its workers, its read models."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import TypeAlias

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.base import Event
from agenthub_events.errors import AgenthubError
from agenthub_events.serialization.codec import decode
from agenthub_events.subjects import STREAM
from agenthub_runtime.jetstream.fenced_stream import FencedStream
from agenthub_runtime.jetstream.fleet import NatsFleet
from agenthub_runtime.jetstream.work_queue import LaneState, lane_states
from agenthub_runtime.metric_history import StandardMetric
from agenthub_runtime.metric_history import catalogue as metrics
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.readmodels import position
from agenthub_runtime.readmodels.overview import overview

log = structlog.get_logger(__name__)

Samples: TypeAlias = "list[tuple[StandardMetric, float]]"

_ANSWER_S = 5.0


class Sampler:
    """Measures the gauges; what does not answer is left out."""

    def __init__(self, nats: Client, database: Database) -> None:
        self._nats = nats
        self._events = FencedStream(nats, STREAM, patience_s=_ANSWER_S)
        self._database = database

    async def measure(self, now: datetime) -> Samples:
        """All of them at this moment."""
        samples: Samples = []
        for ask in (partial(self._queues, now), self._workers, self._read_models):
            try:
                async with asyncio.timeout(_ANSWER_S):
                    samples += await ask()
            except (AgenthubError, NatsError, TimeoutError) as error:
                log.debug("metrics_missing", reason=str(error) or type(error).__name__)
        return samples

    async def _queues(self, now: datetime) -> Samples:
        lanes = await lane_states(self._nats)
        ages = [await self._age(lane, now) for lane in lanes if lane.waiting]
        return [
            (metrics.QUEUE_WAITING, sum(lane.waiting for lane in lanes)),
            (metrics.QUEUE_HELD, sum(lane.held for lane in lanes)),
            (metrics.QUEUE_AGE, max(ages, default=0.0)),
        ]

    async def _age(self, lane: LaneState, now: datetime) -> float:
        subjects = f"evt.*.*.task.enqueued.{lane.agent_type}.{lane.lane}"
        for raw in await self._events.read(subjects, after=lane.delivered, limit=1):
            event = decode(raw.data)
            if isinstance(event, Event):
                return max((now - event.timestamp).total_seconds(), 0.0)
        return 0.0

    async def _workers(self) -> Samples:
        living = [worker for worker in await NatsFleet(self._nats).living() if not worker.problem]
        return [
            (metrics.WORKERS_ALIVE, len(living)),
            (metrics.WORKERS_BUSY, sum(len(worker.holding) for worker in living)),
        ]

    async def _read_models(self) -> Samples:
        newest = await self._events.last_seq()
        async with self._database.connection() as connection:
            at, counted = await position(connection), await overview(connection)
        reached = newest if at is None else at.seq
        return [
            (metrics.PROJECTION_LAG, max(newest - reached, 0)),
            (metrics.QUESTIONS, counted.questions),
            (metrics.DEAD_LETTERS, counted.dead_letters),
        ]
