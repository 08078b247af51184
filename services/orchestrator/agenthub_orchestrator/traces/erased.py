"""Deletes the spans of goals that people have had erased: the log says which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Set

from nats.aio.client import Client

from agenthub_events.base import type_of
from agenthub_events.catalogue.goal import GoalErased
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Recorded
from agenthub_events.subjects import GOAL_AS_A_WHOLE, parse_subject, subject_of
from agenthub_orchestrator.traces.store import delete_spans_of, prepare_spans
from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.postgres.database import Database

_SUBJECT = subject_of("*", GOAL_AS_A_WHOLE, type_of(GoalErased))


class ErasedGoals:
    """`known` are the goals that were erased, as far as the log was read: no span of theirs is kept any more.

    `caught_up`: the log has been read to its end.
    """

    def __init__(self, nats: Client, database: Database, backoff: Backoff) -> None:
        self._log = JetStreamEventLog(nats)
        self._database = database
        self._backoff = backoff
        self._known: set[str] = set()
        self.caught_up = asyncio.Event()

    @property
    def known(self) -> Set[str]:
        """Grows while this follows."""
        return self._known

    async def follow(self) -> None:
        """Learn of every goal that is erased, for ever, and delete its spans."""
        await follow_forever(
            self._batches,
            self._take,
            what="erased goals",
            backoff=self._backoff,
            waits_for=(StoreUnavailable, DatabaseUnavailable),
            survives=True,
        )

    async def _batches(self) -> AsyncGenerator[list[Recorded], None]:
        # There are few: each start reads all, and deletes what came in when nobody knew.
        await prepare_spans(self._database)
        async for batch in self._log.follow(after=0, subjects=(_SUBJECT,)):
            yield batch

    async def _take(self, batch: list[Recorded]) -> None:
        if not batch:
            self.caught_up.set()
        for recorded in batch:
            goal_id = parse_subject(recorded.subject).goal_id
            # First known, so that what comes meanwhile is not kept behind the deleting.
            self._known.add(goal_id)
            await delete_spans_of(self._database, goal_id)
