"""The projection of the log into the read models."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import agenthub_orchestrator
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.ports import EventLog, Recorded
from agenthub_orchestrator.projector.upsert import RowChanges
from agenthub_orchestrator.projector.view import GoalProjection
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.postgres.migrations import migrate
from agenthub_runtime.projections import AsyncProjection, Generations
from agenthub_runtime.readmodels import PROJECTION, ROW_KINDS

# Raise it with every change of the tables or of what stands in them: the projector then builds a new generation
# and switches readers over when it is complete.
VERSION = 2

MIGRATIONS = Path(agenthub_orchestrator.__file__).parent / "migrations"

VIEWS_KEPT = 512
_PAGE = 5_000


async def prepare_database(database: Database) -> None:
    """Apply the migrations. Raises `DatabaseUnavailable` or `MigrationRefused`."""
    async with database.connection() as connection:
        await migrate(connection, MIGRATIONS)


def generations(version: int = VERSION) -> Generations:
    """The generations of the read models that code of this version makes."""
    sql = (files(__package__) / "tables.sql").read_text()
    return Generations(PROJECTION, version, tables_sql=sql, tables=[kind.table for kind in ROW_KINDS])


class ReadModels(AsyncProjection):
    """Folds events goal by goal and gives out the rows that changed.

    Folds of the goals that were touched last stay in memory; any other is made again from the log when an event
    for its goal comes.
    """

    name = PROJECTION

    def __init__(self, log: EventLog, schema: str, *, kept: int = VIEWS_KEPT) -> None:
        self._log = log
        self._schema = schema
        self._kept = kept
        self._views: OrderedDict[str, GoalProjection] = OrderedDict()

    async def process_events(self, batch: Sequence[Recorded], *, position: int) -> RowChanges:
        """Fold a batch in; the changed rows. Raises `StoreUnavailable` when an old goal cannot be read."""
        touched: dict[str, GoalProjection] = {}
        for recorded in batch:
            goal_id = _goal_id(recorded)
            view = touched.get(goal_id)
            if view is None:
                view = touched[goal_id] = await self._view(goal_id, recorded, position)
            view.apply(recorded)
        changes = RowChanges(self._schema, [row for view in touched.values() for row in view.drain()])
        while len(self._views) > self._kept:
            self._views.popitem(last=False)
        return changes

    def forget(self) -> None:
        """Make every fold again from the log when it is needed."""
        self._views.clear()

    async def _view(self, goal_id: str, recorded: Recorded, position: int) -> GoalProjection:
        view = self._views.get(goal_id)
        if view is None:
            view = GoalProjection(goal_id)
            if not _is_birth(recorded):
                await self._refold(view, goal_id, position)
            self._views[goal_id] = view
        self._views.move_to_end(goal_id)
        return view

    async def _refold(self, view: GoalProjection, goal_id: str, position: int) -> None:
        after = 0
        while after < position:
            page = await self._log.read(goal_id, after=after, limit=_PAGE)
            for recorded in page:
                if recorded.seq <= position:
                    view.apply(recorded)
            if len(page) < _PAGE:
                break
            after = page[-1].seq
        view.drain()


def _goal_id(recorded: Recorded) -> str:
    return recorded.subject.split(".", 2)[1]


def _is_birth(recorded: Recorded) -> bool:
    return isinstance(recorded.event, GoalAccepted) and recorded.event.originator_version == 1
