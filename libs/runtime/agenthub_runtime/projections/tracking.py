"""How far a projection has come, kept in Postgres beside its rows."""

from __future__ import annotations

from typing import NamedTuple

from eventsourcing.persistence import IntegrityError, Tracking

from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.projections import queries


class Generation(NamedTuple):
    """One set of tables of a projection: `version` counts meanings of the code, `number` sets of tables."""

    projection: str
    version: int
    number: int

    @property
    def schema(self) -> str:
        """The schema that holds the tables."""
        return f"{self.projection}_v{self.version}_g{self.number}"


class AsyncpgTrackingRecorder:
    """The asyncio counterpart of the eventsourcing library's `TrackingRecorder`, for one generation.

    Stricter than the library: a position moves only from the value that its runner has seen, so that two runners
    never both believe that they wrote the same events, and nobody skips any.
    """

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    async def max_tracking_id(self, application_name: str, *, connection: Connection) -> int | None:
        """The position in the source `application_name`; None when the generation is gone."""
        position = await connection.fetchval(queries.POSITION, *self._generation, application_name)
        return None if position is None else int(position)

    async def insert_tracking(self, tracking: Tracking, *, previous: int, connection: Connection) -> None:
        """Move the position from `previous`, in the caller's transaction.

        Raises the library's `IntegrityError` when it is not there: another runner moved it, or the generation
        was replaced.
        """
        done = await connection.execute(
            queries.MOVE_POSITION, *self._generation, tracking.application_name, tracking.notification_id, previous
        )
        if done != "UPDATE 1":
            raise IntegrityError(
                f"`{self._generation.schema}` is no longer at {previous} of {tracking.application_name}:"
                " another runner moved it, or it was replaced"
            )
