"""Schedules as the log has them; no read model stands between."""

from __future__ import annotations

from agenthub_events.ports import EventLog, Recorded
from agenthub_events.rules.schedules import WANTED, Schedule, place_of, schedules_of

_PAGE = 5_000


async def read_wanted(log: EventLog) -> list[Recorded]:
    """Everything that people have said about schedules, in order. Raises `StoreUnavailable`."""
    records: list[Recorded] = []
    page = await log.read(WANTED, limit=_PAGE)
    while page:
        records.extend(page)
        page = await log.read(WANTED, after=page[-1].seq, limit=_PAGE)
    return records


async def read_schedules(log: EventLog) -> dict[str, Schedule]:
    """The schedules that there are, by name. Raises `StoreUnavailable`."""
    return schedules_of(await read_wanted(log))


async def read_outcome(log: EventLog, name: str) -> Recorded | None:
    """The newest message about what came of a schedule. Raises `StoreUnavailable`."""
    return await log.last(place_of(name))
