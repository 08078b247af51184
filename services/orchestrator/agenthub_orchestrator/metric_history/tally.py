"""Metrics by the minute, as they are counted and measured, until they are written. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

from agenthub_events.redaction import storable
from agenthub_runtime.metric_history import StandardMetric

MINUTES_KEPT = 10_000
"""Of all series together, while Postgres is away: about 4 MB."""
LABELS_MAX = 30
OTHER = "other"

_LABEL_CHARS = 80
_MINUTE_S = 60
_AHEAD = timedelta(minutes=1)


class Minute(NamedTuple):
    """What one series has in the minute that began `at`."""

    metric: str
    label: str
    at: datetime
    number: int
    sum: float
    max: float


_Key: TypeAlias = tuple[str, str, int]


class Tally:
    """Holds minutes until they are taken. Who writes events may say of them what he likes: it is bounded here.

    What is older than `days` is left out, and what claims to come later than a minute from now is of now.
    """

    def __init__(self, *, days: int) -> None:
        self._oldest = timedelta(days=days)
        self._minutes: dict[_Key, tuple[int, float, float]] = {}
        self._labels: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, metric: StandardMetric, value: float, at: datetime, now: datetime, *, label: str = "") -> None:
        """Count or measure once. A metric has `LABELS_MAX` labels at most; the rest are of `other`."""
        if not math.isfinite(value) or now - at > self._oldest:
            return
        moment = now if at - now > _AHEAD else at
        key = (metric.name, self._label(metric, label), int(moment.timestamp()) // _MINUTE_S)
        known = self._minutes.get(key)
        if known is not None:
            self._minutes[key] = (known[0] + 1, known[1] + value, max(known[2], value))
        elif len(self._minutes) < MINUTES_KEPT:
            self._minutes[key] = (1, value, value)

    def take(self) -> list[Minute]:
        """What has come together since; it is no longer held here."""
        taken, self._minutes = self._minutes, {}
        return [
            Minute(metric, label, datetime.fromtimestamp(minute * _MINUTE_S, UTC), *values)
            for (metric, label, minute), values in sorted(taken.items())
        ]

    def put_back(self, minutes: list[Minute]) -> None:
        """Hold again what could not be written."""
        for minute in minutes:
            key = (minute.metric, minute.label, int(minute.at.timestamp()) // _MINUTE_S)
            count, total, most = self._minutes.get(key, (0, 0.0, minute.max))
            if count or len(self._minutes) < MINUTES_KEPT:
                self._minutes[key] = (count + minute.number, total + minute.sum, max(most, minute.max))

    def _label(self, metric: StandardMetric, label: str) -> str:
        if not metric.label:
            return ""
        wanted = storable(label)[:_LABEL_CHARS]
        known = self._labels[metric.name]
        if wanted not in known and len(known) >= LABELS_MAX:
            return OTHER
        known.add(wanted)
        return wanted
