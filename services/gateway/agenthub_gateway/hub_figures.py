"""What the hub as a whole looks like, as figures: asked of NATS and Postgres when somebody looks."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.base import Event
from agenthub_events.errors import AgenthubError
from agenthub_events.ports import Clock
from agenthub_events.serialization.codec import decode
from agenthub_events.subjects import STREAM
from agenthub_gateway.queues import read_followers, read_workers
from agenthub_runtime.jetstream.fenced_stream import FencedStream
from agenthub_runtime.jetstream.fleet import FollowerStatus, WorkerStatus
from agenthub_runtime.jetstream.work_queue import LaneState, lane_states
from agenthub_runtime.operations.storage import stream_infos
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.readmodels import Position, position
from agenthub_runtime.readmodels.overview import Overview, overview
from agenthub_runtime.telemetry import instruments as figures

log = structlog.get_logger(__name__)

T = TypeVar("T")
Reading: TypeAlias = "tuple[float, Mapping[str, str]]"
Lane: TypeAlias = "tuple[str, str]"

_ANSWER_S = 1.0
_AGAIN_S = 10.0


class StreamFigures(msgspec.Struct, frozen=True):
    """What a stream holds."""

    stream: str
    size: int
    messages: int
    consumers: int


class HubSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that answered in time; the rest is None and its figures are left out."""

    newest: int | None = None
    at: Position | None = None
    lag_s: float | None = None
    lanes: Sequence[LaneState] | None = None
    ages: Mapping[Lane, float] = {}
    workers: Sequence[WorkerStatus] | None = None
    followers: Sequence[FollowerStatus] | None = None
    streams: Sequence[StreamFigures] | None = None
    overview: Overview | None = None
    now: datetime | None = None


class HubFigures:
    """The figures of the hub. `folder` lies on the disk of the data, where the gateway can see it."""

    def __init__(self, nc: Client, database: Database, clock: Clock, folder: Path | None) -> None:
        self._nc = nc
        self._events = FencedStream(nc, STREAM, patience_s=_ANSWER_S)
        self._database = database
        self._clock = clock
        self._folder = folder
        self._seen = HubSeen()
        for instrument, read in self._readings().items():
            instrument.tell(read)

    async def keep_fresh(self) -> None:
        """Look every few seconds, for those who do not come by themselves. Cancel it to stop."""
        while True:
            await self.look()
            await self._clock.sleep(_AGAIN_S)

    async def look(self) -> None:
        """Ask everything anew, within two seconds."""
        newest, read, lanes, workers, followers, streams = await asyncio.gather(
            _in_time(self._events.last_seq),
            _in_time(self._read_models),
            _in_time(lambda: lane_states(self._nc)),
            _in_time(lambda: read_workers(self._nc)),
            _in_time(lambda: read_followers(self._nc)),
            _in_time(lambda: _streams(self._nc)),
        )
        at, counted = read if read is not None else (None, None)
        ages, lag_s = await asyncio.gather(
            _in_time(lambda: self._ages(lanes or ())), _in_time(lambda: self._lag_s(newest, at))
        )
        self._seen = HubSeen(
            newest=newest,
            at=at,
            lag_s=lag_s,
            lanes=lanes,
            ages=ages or {},
            workers=workers,
            followers=followers,
            streams=streams,
            overview=counted,
            now=self._clock.now(),
        )

    async def _read_models(self) -> tuple[Position | None, Overview]:
        async with self._database.connection() as connection:
            return await position(connection), await overview(connection)

    async def _ages(self, lanes: Iterable[LaneState]) -> dict[Lane, float]:
        waiting = [lane for lane in lanes if lane.waiting]
        found = await asyncio.gather(
            *(
                self._age(f"evt.*.*.task.enqueued.{lane.agent_type}.{lane.lane}", after=lane.delivered)
                for lane in waiting
            )
        )
        return {(lane.agent_type, lane.lane): age for lane, age in zip(waiting, found, strict=True)}

    async def _lag_s(self, newest: int | None, at: Position | None) -> float | None:
        if newest is None or at is None:
            return None
        return await self._age("evt.>", after=at.seq) if newest > at.seq else 0.0

    async def _age(self, subjects: str, *, after: int) -> float:
        """How old the first event is that follows, in seconds."""
        for raw in await self._events.read(subjects, after=after, limit=1):
            event = decode(raw.data)
            if isinstance(event, Event):
                return max((self._clock.now() - event.timestamp).total_seconds(), 0.0)
        return 0.0

    def _readings(self) -> dict[figures.Instrument, Callable[[], Iterable[Reading]]]:
        return {
            figures.LOG_SEQUENCE: lambda: _one(self._seen.newest),
            figures.PROJECTION_POSITION: lambda: _one(self._seen.at.seq if self._seen.at else None),
            figures.PROJECTION_LAG_EVENTS: self._lag_events,
            figures.PROJECTION_LAG_SECONDS: lambda: _one(self._seen.lag_s),
            figures.QUEUE_WAITING: lambda: self._of_lanes(lambda lane: lane.waiting),
            figures.QUEUE_HELD: lambda: self._of_lanes(lambda lane: lane.held),
            figures.QUEUE_PULLS: lambda: self._of_lanes(lambda lane: lane.pulls),
            figures.QUEUE_REDELIVERED: lambda: self._of_lanes(lambda lane: lane.redelivered),
            figures.QUEUE_AGE: lambda: self._of_lanes(
                lambda lane: self._seen.ages.get((lane.agent_type, lane.lane), 0.0)
            ),
            figures.WORKERS_ALIVE: self._workers_alive,
            figures.WORKERS_SLOTS: lambda: self._of_workers(lambda worker: worker.slots),
            figures.WORKERS_BUSY: lambda: self._of_workers(lambda worker: len(worker.holding)),
            figures.ORCHESTRATORS: self._orchestrators,
            figures.GOALS: self._goals,
            figures.QUESTIONS_OPEN: lambda: self._counted(lambda found: found.questions),
            figures.QUESTIONS_AGE: self._question_age,
            figures.DEAD_LETTERS: lambda: self._counted(lambda found: found.dead_letters),
            figures.STREAM_BYTES: lambda: self._of_streams(lambda stream: stream.size),
            figures.STREAM_MESSAGES: lambda: self._of_streams(lambda stream: stream.messages),
            figures.STREAM_CONSUMERS: lambda: self._of_streams(lambda stream: stream.consumers),
            figures.DISK_FREE: lambda: self._disk("free"),
            figures.DISK_SIZE: lambda: self._disk("total"),
        }

    def _lag_events(self) -> Iterable[Reading]:
        newest, at = self._seen.newest, self._seen.at
        return _one(None if newest is None or at is None else max(newest - at.seq, 0))

    def _of_lanes(self, value: Callable[[LaneState], float]) -> Iterable[Reading]:
        return [
            (value(lane), {"agent_type": lane.agent_type, "lane": lane.lane}) for lane in self._seen.lanes or ()
        ]

    def _workers_alive(self) -> Iterable[Reading]:
        if self._seen.workers is None or self._seen.lanes is None:
            return ()
        types = {lane.agent_type for lane in self._seen.lanes}
        serving = [worker.types for worker in self._seen.workers if not worker.problem]
        return [(sum(kind in served for served in serving), {"agent_type": kind}) for kind in sorted(types)]

    def _of_workers(self, value: Callable[[WorkerStatus], float]) -> Iterable[Reading]:
        alive = [worker for worker in self._seen.workers or () if not worker.problem]
        return [(value(worker), {"worker": worker.worker}) for worker in alive]

    def _orchestrators(self) -> Iterable[Reading]:
        followers = self._seen.followers
        return _one(None if followers is None else sum(follower.caught_up for follower in followers))

    def _counted(self, value: Callable[[Overview], float]) -> Iterable[Reading]:
        return _one(value(self._seen.overview) if self._seen.overview else None)

    def _goals(self) -> Iterable[Reading]:
        counted = self._seen.overview
        return [] if counted is None else [(n, {"status": status}) for status, n in counted.goals.items()]

    def _question_age(self) -> Iterable[Reading]:
        counted, now = self._seen.overview, self._seen.now
        if counted is None or now is None:
            return ()
        return _one((now - counted.asked_at).total_seconds() if counted.asked_at else 0.0)

    def _of_streams(self, value: Callable[[StreamFigures], float]) -> Iterable[Reading]:
        return [(value(stream), {"stream": stream.stream}) for stream in self._seen.streams or ()]

    def _disk(self, what: str) -> Iterable[Reading]:
        if self._folder is None:
            return ()
        try:
            return _one(getattr(shutil.disk_usage(self._folder), what))
        except OSError:
            return ()


def _one(value: float | None) -> list[Reading]:
    return [] if value is None else [(value, {})]


async def _in_time(ask: Callable[[], Awaitable[T]]) -> T | None:
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await ask()
    except (AgenthubError, NatsError, TimeoutError) as error:
        log.debug("figures_missing", reason=str(error) or type(error).__name__)
        return None


async def _streams(nc: Client) -> list[StreamFigures]:
    return [
        StreamFigures(info.config.name or "", info.state.bytes, info.state.messages, info.state.consumer_count)
        for info in await stream_infos(nc)
    ]
