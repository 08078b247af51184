"""Hours of the day in which people are not disturbed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from agenthub_events.errors import InvalidInput

_FORM = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})(?:\s+(\S+))?")


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` until `end` of each day, by the clocks of `zone`; over midnight when `end` is the earlier."""

    start: time
    end: time
    zone: str = "UTC"

    def end_after(self, moment: datetime) -> datetime | None:
        """When the quiet hours end in which the aware `moment` lies; None when it lies in none."""
        zone = ZoneInfo(self.zone)
        local = moment.astimezone(zone)
        today = local.date()
        days = (today - timedelta(days=1), today) if self.start > self.end else (today,)
        for day in days:
            last = day if self.start < self.end else day + timedelta(days=1)
            begin, end = _at(day, self.start, zone), _at(last, self.end, zone)
            if begin <= moment < end:
                return end
        return None


def parse_quiet_hours(text: str) -> QuietHours:
    """`22:00-07:00 Europe/Berlin`; without a zone in UTC. Raises `InvalidInput`."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise InvalidInput("write quiet hours as `22:00-07:00 Europe/Berlin`", field="quiet_hours")
    try:
        start, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    except ValueError as error:
        raise InvalidInput("hours go from 0 to 23 and minutes from 0 to 59", field="quiet_hours") from error
    if start == end:
        raise InvalidInput("quiet hours that begin and end at once say nothing", field="quiet_hours")
    zone = found[5] or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            f"`{zone[:40]}` is no time zone: write one like Europe/Berlin", field="quiet_hours"
        ) from error
    return QuietHours(start=start, end=end, zone=zone)


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)
