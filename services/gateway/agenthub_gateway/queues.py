"""What waits in the work queues, asked of the server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.base import Event
from agenthub_events.errors import AgenthubError, StoreUnavailable
from agenthub_events.ports import EventLog
from agenthub_events.rules.holds import Holds
from agenthub_events.serialization.codec import decode
from agenthub_events.subjects import STREAM
from agenthub_runtime.jetstream.fleet import FollowerStatus, ModelReport, NatsFleet, WorkerStatus, ask_for_model
from agenthub_runtime.jetstream.work_queue import LaneState, lane_states
from agenthub_runtime.operations.holding import read_holds
from agenthub_runtime.readmodels.rows import TaskRow

_ASK_WITHIN_S = 1.0
_NAMED = 3


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """One lane of one agent type: orders that nobody has taken, and orders that workers hold.

    `workers`: how many living workers serve the type; `pulls`: how many of their requests for work stand open;
    `problem`: why one that wanted to serve it could not start; `paused`: why nothing is given out. Of
    those that wait the first was written at `oldest_at`.
    """

    agent_type: str
    lane: str
    waiting: int
    held: int
    workers: int
    pulls: int
    problem: str = ""
    paused: str = ""
    oldest_at: datetime | None = None


Ask: TypeAlias = Callable[[], Awaitable[list[QueueView]]]


async def read_queues(nc: Client, log: EventLog) -> list[QueueView]:
    """Every work lane. Raises `StoreUnavailable`."""
    states, living, holds = await asyncio.gather(lane_states(nc), read_workers(nc), read_holds(log))
    oldest = await asyncio.gather(*(_oldest(nc, state) for state in states))
    useless = {worker.worker: _why_useless(worker) for worker in living}
    serving = Counter(kind for worker in living if not useless[worker.worker] for kind in worker.types)
    problems = {
        kind: useless[worker.worker] for worker in living if useless[worker.worker] for kind in worker.types
    }
    return [
        QueueView(
            agent_type=state.agent_type,
            lane=state.lane,
            waiting=state.waiting,
            held=state.held,
            workers=serving[state.agent_type],
            pulls=state.pulls,
            problem=problems.get(state.agent_type, ""),
            paused=_why_paused(state, holds),
            oldest_at=oldest_at,
        )
        for state, oldest_at in zip(states, oldest, strict=True)
    ]


async def _oldest(nc: Client, state: LaneState) -> datetime | None:
    """When the first order was written that the lane has given to nobody."""
    if not state.waiting:
        return None
    subject = f"evt.*.*.task.enqueued.{state.agent_type}.{state.lane}"
    try:
        found = await nc.jetstream().get_msg(STREAM, state.delivered + 1, subject, direct=True, next=True)
    except (NatsError, TimeoutError):
        return None  # somebody has taken it meanwhile
    event = decode(found.data or b"")
    return event.timestamp if isinstance(event, Event) else None


def _why_useless(worker: WorkerStatus) -> str:
    drains = f"worker {worker.worker} is being drained: `agenthub workers undrain {worker.worker}` lets it work on"
    return worker.problem or (drains if worker.draining else "")


def _why_paused(state: LaneState, holds: Holds) -> str:
    if why := holds.why(state.agent_type):
        return why
    if state.is_held:
        return "held until the orchestrator looks again"
    return f"paused on the bus until {state.paused_until}" if state.paused_until else ""


def unserved_types(queues: Sequence[QueueView]) -> dict[str, str]:
    """By agent type whose orders nobody takes, why: it is paused, or no living worker serves it."""
    # A worker that has just come is not yet among the living, but asks for work already.
    served = {queue.agent_type for queue in queues if queue.workers or queue.pulls or queue.held}
    # A single lane that somebody has paused by hand does not keep the others from being taken.
    given_out = {queue.agent_type for queue in queues if not queue.paused}
    paused = {queue.agent_type: queue.paused for queue in queues if queue.agent_type not in given_out}
    return paused | {
        queue.agent_type: queue.problem
        or f"no running worker serves `{queue.agent_type}`: start one with `agenthub worker {queue.agent_type}`"
        for queue in queues
        if queue.agent_type not in served | paused.keys()
    }


async def say_who_is_missing(ask: Ask, rows: Sequence[TaskRow]) -> None:
    """Put the reason into tasks that wait for a worker which does not run; unchanged while nobody can tell.

    Read models hold what events say, and no event says which workers run.
    """
    waiting = [row for row in rows if row.status == "enqueued"]
    missing = await _missing(ask) if waiting else {}
    for row in waiting:
        row.reason = missing.get(row.agent_type, row.reason)


async def why_waiting(ask: Ask, waiting: Mapping[str, str]) -> tuple[str, ...]:
    """Why enqueued tasks (id to agent type) are not taken, a sentence for each agent type that nobody serves.

    Empty while nobody can tell.
    """
    missing = await _missing(ask) if waiting else {}
    found = []
    for agent_type in sorted(missing.keys() & waiting.values()):
        tasks = [task_id for task_id, wanted in waiting.items() if wanted == agent_type]
        more = f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else ""
        found.append(f"{', '.join(tasks[:_NAMED])}{more}: {missing[agent_type]}")
    return tuple(found)


async def _missing(ask: Ask) -> dict[str, str]:
    try:
        async with asyncio.timeout(_ASK_WITHIN_S):
            return unserved_types(await ask())
    except (AgenthubError, TimeoutError):
        return {}


async def read_workers(nc: Client) -> list[WorkerStatus]:
    """Every worker that has lately said that it lives, by name. Raises `StoreUnavailable`."""
    try:
        return sorted(await NatsFleet(nc).living(), key=lambda worker: (worker.worker, worker.instance))
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The fleet cannot be read: {error}") from error


async def read_model(nc: Client, *, probe: bool) -> ModelReport | None:
    """Which model the workers ask; None when none of them has one. Raises `StoreUnavailable`."""
    try:
        return await ask_for_model(nc, probe=probe)
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"No worker says which model it asks: {error}") from error


async def read_followers(nc: Client) -> list[FollowerStatus]:
    """Every orchestrator that has lately said how far it is. Raises `StoreUnavailable`."""
    try:
        return await NatsFleet(nc).followers()
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The fleet cannot be read: {error}") from error
