"""The work lanes and their workers, asked of the server."""

from __future__ import annotations

from collections.abc import Mapping

from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.errors import StoreUnavailable
from agenthub_orchestrator.domain import LaneView, Workers
from agenthub_orchestrator.domain.queued import Lane
from agenthub_runtime.jetstream.fleet import NatsFleet
from agenthub_runtime.jetstream.work_queue import lane_states


class NatsQueues:
    """The `Queues` port on a NATS connection."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._fleet = NatsFleet(nc)

    async def lanes(self) -> Mapping[Lane, LaneView]:
        """Every lane that has its consumer."""
        return {
            (state.agent_type, state.lane): LaneView(
                acked=state.acked,
                delivered=state.delivered,
                held=state.held,
                paused=bool(state.paused_until),
            )
            for state in await lane_states(self._nc)
        }

    async def workers(self) -> Workers:
        """What the workers say that have been heard of lately."""
        try:
            living = await self._fleet.living()
        except (NatsError, TimeoutError) as error:
            raise StoreUnavailable(f"The fleet cannot be read: {error}") from error
        served = {
            agent_type
            for status in living
            if not status.problem and not status.draining
            for agent_type in status.types
        }
        problems = {
            agent_type: f"Worker {status.worker} cannot start: {status.problem}"
            for status in living
            if status.problem
            for agent_type in status.types
        }
        holding = frozenset(attempt for status in living for attempt in status.holding)
        return Workers(served=frozenset(served), holding=holding, problems=problems)
