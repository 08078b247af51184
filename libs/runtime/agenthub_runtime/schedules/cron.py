"""Times that a cron expression names, by the clocks of a time zone.

As cron of Debian does it: what is due at a fixed time that the clocks leave out in spring is due right after the
gap, and what is due at one that they show twice in autumn is due once; expressions with `*` in hour or minute
follow the clocks as they go. Every moment that comes out is aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from agenthub_events.errors import InvalidInput
from agenthub_events.rules.schedules import DueTime

FIELDS = 5
MISSED_COUNTED = 1_000
_SECOND = timedelta(seconds=1)


def check_cron(text: str) -> str:
    """Return a cron expression that can be used, with single spaces. Raises `InvalidInput`."""
    fields = text.split()
    if len(fields) != FIELDS:
        raise InvalidInput(
            "Write five fields: minute, hour, day of month, month, day of week, such as `0 3 * * MON-FRI`",
            field="cron",
        )
    expression = " ".join(fields)
    try:
        found = next(CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC)), None)
    except CronSimError as error:
        raise InvalidInput(f"`{expression[:60]}` is no cron expression: {error}", field="cron") from None
    if found is None:
        raise InvalidInput(f"`{expression[:60]}` names no day that there is", field="cron")
    return expression


def check_time_zone(name: str) -> str:
    """Return the name of a time zone that this machine knows. Raises `InvalidInput`."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"`{name[:40]}` is no time zone: write one like Europe/Berlin", field="time_zone"
        ) from None
    return name


def newest_due(cron: str, time_zone: str, *, after: datetime, now: datetime) -> DueTime | None:
    """The newest time that is due by `now` and later than `after`, and how many others are; None when none is.

    More than `MISSED_COUNTED` others are not counted.
    """
    back = takewhile(lambda moment: moment > after, _back_from(now, cron, time_zone))
    found = list(islice(back, MISSED_COUNTED + 1))
    return DueTime(at=found[0], missed=len(found) - 1) if found else None


def newest_time(cron: str, time_zone: str, now: datetime) -> datetime | None:
    """The newest time up to `now`, dealt with or not; None when there was none for decades."""
    return next(_back_from(now, cron, time_zone), None)


def coming(cron: str, time_zone: str, *, after: datetime) -> Iterator[datetime]:
    """The times later than `after`, the next one first."""
    ahead = CronSim(cron, after.astimezone(ZoneInfo(time_zone)))
    return (moment for found in ahead if (moment := found.astimezone(UTC)) > after)


def _back_from(now: datetime, cron: str, time_zone: str) -> Iterator[datetime]:
    # Backwards the newest is found at once, however long nobody looked.
    since = (now.replace(microsecond=0) + _SECOND).astimezone(ZoneInfo(time_zone))
    return (moment.astimezone(UTC) for moment in CronSim(cron, since, reverse=True))
