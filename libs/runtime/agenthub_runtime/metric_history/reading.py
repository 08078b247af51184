"""Reading the history of metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from agenthub_runtime.metric_history import queries
from agenthub_runtime.metric_history.catalogue import MetricKind, StandardMetric
from agenthub_runtime.metric_history.periods import Period
from agenthub_runtime.postgres.database import Connection


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What a step that began `at` has brought.

    `value` is the mean of a gauge and of a duration, and the total of a sum; `max` the highest single one, and
    `count` how many were measured or counted.
    """

    at: datetime
    value: float
    max: float
    count: int


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The points of one `label`; steps in which nothing was measured or counted are left out."""

    label: str
    points: Sequence[Point]


class KeptMetrics(msgspec.Struct, frozen=True):
    """The series of each metric by its name. Without `are_kept` this hub keeps none."""

    series: dict[str, list[Series]]
    are_kept: bool = True


async def kept_metrics(connection: Connection, metrics: Sequence[StandardMetric], period: Period) -> KeptMetrics:
    """The history of some metrics."""
    kinds = {metric.name: metric.kind for metric in metrics}
    try:
        rows = await connection.fetch(queries.POINTS, list(kinds), period.since, period.until, period.step)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return KeptMetrics({name: [] for name in kinds}, are_kept=False)
    points: dict[str, dict[str, list[Point]]] = {name: defaultdict(list) for name in kinds}
    for row in rows:
        points[row["metric"]][row["label"]].append(_point(row, kinds[row["metric"]]))
    return KeptMetrics(
        {
            name: [Series(label=label, points=found) for label, found in labels.items()]
            for name, labels in points.items()
        }
    )


def _point(row: asyncpg.Record, kind: MetricKind) -> Point:
    value = row["sum"] if kind == "sum" else row["sum"] / max(row["count"], 1)
    return Point(at=row["began"], value=value, max=row["max"], count=row["count"])
