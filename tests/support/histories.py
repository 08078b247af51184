"""Histories of goals on in-memory stores."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.errors import ArtifactMissing
from agenthub_events.ports import Artifacts, EventLog, Recorded, RunLog
from agenthub_events.runs import RunId, encode_step, step_kind
from agenthub_events.serialization.codec import Unreadable, encode
from agenthub_replay.history import StoredMessage


class PortsSource:
    """A source on the ports of the hub, in place of the streams."""

    def __init__(self, log: EventLog, runs: RunLog, artifacts: Artifacts) -> None:
        self._log = log
        self._runs = runs
        self._artifacts = artifacts

    async def goals(self, *, since: int = 0) -> list[str]:
        found = await self._log.read("*", after=since)
        return [r.subject.split(".")[1] for r in found if isinstance(r.event, GoalAccepted)]

    async def events(self, goal_id: str) -> list[StoredMessage]:
        return stored(await self._log.read(goal_id))

    async def steps(self, goal_id: str) -> list[StoredMessage]:
        orders = [r.event for r in await self._log.read(goal_id) if isinstance(r.event, TaskEnqueued)]
        found: list[StoredMessage] = []
        # An order that stands in for a lost one is of the same attempt.
        for run in dict.fromkeys(RunId(goal_id, order.task_id, order.attempt) for order in orders):
            for recorded in await self._runs.read(run):
                subject = f"{run.prefix}.step.{step_kind(recorded.step)}"
                data = encode_step(recorded.step)
                found.append(StoredMessage(seq=recorded.seq, subject=subject, data=data))
        return found

    async def artifacts(self, digests: Collection[str]) -> dict[str, bytes]:
        found = {}
        for digest in digests:
            with suppress(ArtifactMissing):
                found[digest] = await self._artifacts.get(digest)
        return found


def stored(messages: Iterable[Recorded]) -> list[StoredMessage]:
    """Messages with their bodies as the in-memory log has taken them."""
    return [
        StoredMessage(
            seq=recorded.seq,
            subject=recorded.subject,
            data=recorded.event.data if isinstance(recorded.event, Unreadable) else encode(recorded.event),
            headers=recorded.headers,
        )
        for recorded in messages
    ]
