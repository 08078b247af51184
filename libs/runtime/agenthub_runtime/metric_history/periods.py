"""Over which time, and in which steps, a history is read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from agenthub_events.errors import InvalidInput

STEP_LEAST = timedelta(minutes=1)
"""How finely the history is kept."""
POINTS_MAX = 2_000
DEFAULT_SINCE = "24h"

_POINTS = 200
_LONGEST = timedelta(days=91)
_LENGTH = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
# What people read at an axis.
_STEPS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1_440))


class Period(msgspec.Struct, frozen=True):
    """From `since`, a multiple of `step` after 1970, to `until`."""

    since: datetime
    until: datetime
    step: timedelta


def length_of(text: str, field: str) -> timedelta:
    """How long `90s`, `5m`, `24h` or `7d` is. Raises `InvalidInput`."""
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"`{text[:40]}` is no length of time: say for example 90s, 5m, 24h or 7d", field=field)
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def period_of(since: str, step: str, now: datetime) -> Period:
    """From a moment, or so long ago, until now. Without a `step` it is one that gives some 200 points at most.

    Raises `InvalidInput`.
    """
    began = _moment(since, now)
    if not timedelta() < now - began <= _LONGEST:
        raise InvalidInput(f"`{since[:40]}` is not within the last {_LONGEST.days} days", field="since")
    wanted = length_of(step, "step") if step else _fitting(now - began)
    if wanted < STEP_LEAST or wanted % STEP_LEAST:
        raise InvalidInput("The history is kept by the minute: give a step of whole minutes", field="step")
    first = datetime.fromtimestamp(began.timestamp() // wanted.total_seconds() * wanted.total_seconds(), UTC)
    if (now - first) / wanted > POINTS_MAX:
        raise InvalidInput(f"More than {POINTS_MAX} steps: take a longer step or less time", field="step")
    return Period(first, now, wanted)


def _moment(text: str, now: datetime) -> datetime:
    if _LENGTH.fullmatch(text.strip()):
        # Nobody can go back so far; what is too long is refused as a whole.
        return now - min(length_of(text, "since"), _LONGEST * 2)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(
            f"`{text[:40]}` is no time: say how long ago (24h, 7d) or when (2026-03-01T12:00:00Z)", field="since"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _fitting(length: timedelta) -> timedelta:
    return next((step for step in _STEPS if length / step <= _POINTS), _STEPS[-1])
