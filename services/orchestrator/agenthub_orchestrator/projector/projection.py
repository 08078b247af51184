"""The projection of the log into the read models."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import asyncpg
import structlog

import agenthub_orchestrator
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.errors import InvalidSubject
from agenthub_events.ports import EventLog, Recorded
from agenthub_events.subjects import parse_subject
from agenthub_orchestrator.domain.quarantined import Quarantined
from agenthub_orchestrator.projector.queries import left_out
from agenthub_orchestrator.projector.upsert import RowChanges
from agenthub_orchestrator.projector.view import GoalProjection
from agenthub_orchestrator.quarantine import QuarantineLog
from agenthub_runtime.postgres.database import Connection, Database
from agenthub_runtime.postgres.migrations import migrate, migrate_again
from agenthub_runtime.postgres.roles import let_reader_read
from agenthub_runtime.projections import AsyncProjection, Generations, is_ruin
from agenthub_runtime.readmodels import PROJECTION, ROW_KINDS

log = structlog.get_logger(__name__)

# Raise it with every change of the tables or of what stands in them: the projector then builds a new generation
# and switches readers over when it is complete.
VERSION = 5

MIGRATIONS = Path(agenthub_orchestrator.__file__).parent / "migrations"

VIEWS_KEPT = 512
_PAGE = 5_000


async def prepare_database(database: Database) -> None:
    """Apply the migrations, anew when somebody has dropped or changed what they had made; let readers read them.

    Raises `DatabaseUnavailable` or `MigrationRefused`.
    """
    async with database.connection() as connection:
        try:
            await migrate(connection, MIGRATIONS)
            await generations().probe(connection)
        except asyncpg.PostgresError as error:
            if not is_ruin(error):
                raise
            log.warning("database_made_anew", reason=str(error))
            await _prepare_anew(connection)
        await let_reader_read(connection)


async def _prepare_anew(connection: Connection) -> None:
    sets = generations()

    async def works() -> bool:
        try:
            async with connection.transaction():
                await sets.probe(connection)
        except asyncpg.PostgresError:
            return False
        return True

    owned = ("projection_positions", "projection_live", *(kind.table for kind in ROW_KINDS))
    await migrate_again(connection, MIGRATIONS, schema="agenthub", owned=owned, works=works)


def generations(version: int = VERSION) -> Generations:
    """The generations of the read models that code of this version makes."""
    sql = (files(__package__) / "tables.sql").read_text()
    return Generations(PROJECTION, version, tables_sql=sql, tables=[kind.table for kind in ROW_KINDS])


class ReadModels(AsyncProjection):
    """Folds events goal by goal and gives out the rows that changed.

    Folds of the goals that were touched last stay in memory; any other is made again from the log when an event
    for its goal comes. What could not be written stands in the dead letters of the generation, in the same
    transaction as the position: every later run of it leaves out the same, and a new generation tries everything.
    """

    name = PROJECTION

    def __init__(
        self, log: EventLog, schema: str, *, kept: int = VIEWS_KEPT, told: QuarantineLog | None = None
    ) -> None:
        self._log = log
        self._schema = schema
        self._kept = kept
        self._told = told
        self._views: OrderedDict[str, GoalProjection] = OrderedDict()
        self._quarantine: dict[str, dict[str, Quarantined]] = {}

    async def restore(self, connection: Connection) -> None:
        """Leave out what earlier runs of this generation have left out, and say so in the log."""
        await self.leave_out_as(connection, self._schema)
        if self._told is not None:
            await self._told.settle(self._standing())

    async def leave_out_as(self, connection: Connection, schema: str) -> None:
        """Leave out what the generation in `schema` leaves out."""
        rows = await connection.fetch(left_out(schema))
        self._quarantine.clear()
        for row in rows:
            goal_id = _goal_id(row["subject"])
            self._leave_out(Quarantined(row["aggregate"], goal_id, row["seq"], row["reason"]))

    async def set_aside(self, recorded: Recorded, reason: str) -> bool:
        """Leave the aggregate of a message out from it on; then its whole goal; False when both are already."""
        goal_id = _goal_id(recorded.subject)
        known = self._quarantine.get(goal_id, {})
        aggregate = _aggregate_of(recorded)
        if goal_id in known:
            return False
        if aggregate in known:
            if known[aggregate].seq == recorded.seq:
                del known[aggregate]
            aggregate = goal_id
        self._leave_out(Quarantined(aggregate, goal_id, recorded.seq, reason))
        return True

    async def written_without(self) -> None:
        """What was set aside is in the rows now: say so in the log."""
        if self._told is not None:
            await self._told.add(self._standing())

    def _leave_out(self, quarantined: Quarantined) -> None:
        self._quarantine.setdefault(quarantined.goal_id, {})[quarantined.aggregate] = quarantined

    def _standing(self) -> list[Quarantined]:
        return [found for of_goal in self._quarantine.values() for found in of_goal.values()]

    async def process_events(self, batch: Sequence[Recorded], *, position: int) -> RowChanges:
        """Fold a batch in; the changed rows. Raises `StoreUnavailable` when an old goal cannot be read."""
        touched: dict[str, GoalProjection] = {}
        for recorded in batch:
            goal_id = _goal_id(recorded.subject)
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
            view = GoalProjection(goal_id, self._quarantine.get(goal_id, {}))
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


def _goal_id(subject: str) -> str:
    return subject.split(".", 2)[1]


def _aggregate_of(recorded: Recorded) -> str:
    try:
        return parse_subject(recorded.subject).originator_id
    except InvalidSubject:
        return recorded.subject


def _is_birth(recorded: Recorded) -> bool:
    return isinstance(recorded.event, GoalAccepted) and recorded.event.originator_version == 1
