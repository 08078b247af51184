"""Metrics of the hub over time, as it has kept them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from agenthub_events.errors import InvalidInput
from agenthub_events.redaction import KnownSecrets, redact
from agenthub_gateway.api.access import says
from agenthub_gateway.api.reading import ReadingParam
from agenthub_runtime.metric_history import (
    BY_NAME,
    METRICS,
    MetricKind,
    Series,
    StandardMetric,
    kept_metrics,
    period_of,
)
from agenthub_runtime.metric_history.periods import DEFAULT_SINCE

MetricQuery = Annotated[
    list[str] | None, QueryParameter(name="metric", description="Its name; may be repeated. Left out: all.")
]
SinceQuery = Annotated[
    str, QueryParameter(name="since", description="How long ago (`90m`, `24h`, `7d`), or an ISO 8601 moment.")
]
StepQuery = Annotated[
    str,
    QueryParameter(name="step", description="Whole minutes (`5m`, `1h`); left out: such that 200 points suffice."),
]


class MetricHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A metric and its series.

    Of a `gauge` and of a `duration` the value is a mean, of a `sum` the total of the step. `label` names what the
    series stand for; it is empty when there is one series.
    """

    metric: str
    kind: MetricKind
    unit: str
    text: str
    label: str
    series: Sequence[Series]


class MetricHistories(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics that were asked for, by steps of `step_s` seconds; without `are_kept` this hub keeps none."""

    since: datetime
    until: datetime
    step_s: int
    are_kept: bool
    items: list[MetricHistory]


@get(
    "/api/v1/metrics/history",
    responses=says(MetricHistories),
    tags=["System"],
    summary="Read metrics of the last days",
)
async def metric_history(
    *, reading: ReadingParam, metric: MetricQuery = None, since: SinceQuery = DEFAULT_SINCE, step: StepQuery = ""
) -> Response[bytes]:
    """Queues, workers, events, model calls, cost and outcomes, for as many days as the hub keeps them."""
    wanted = [_named(name) for name in dict.fromkeys(metric)] if metric else list(METRICS)
    period = period_of(since, step, reading.ports.clock.now())
    async with reading.ports.database.connection() as connection:
        kept = await kept_metrics(connection, wanted, period)
    answer = MetricHistories(
        since=period.since,
        until=period.until,
        step_s=int(period.step.total_seconds()),
        are_kept=kept.are_kept,
        items=[_shown(one, kept.series[one.name], reading.ports.secrets) for one in wanted],
    )
    return reading.answer(answer, None)


def _named(name: str) -> StandardMetric:
    found = BY_NAME.get(name)
    if found is None:
        near = get_close_matches(name[:80], BY_NAME, n=1, cutoff=0.5)
        meant = f"did you mean `{near[0]}`? " if near else ""
        raise InvalidInput(
            f"No history is kept of `{name[:80]}`: {meant}There are {', '.join(sorted(BY_NAME))}", field="metric"
        )
    return found


def _shown(metric: StandardMetric, series: Sequence[Series], secrets: KnownSecrets) -> MetricHistory:
    return MetricHistory(
        metric=metric.name,
        kind=metric.kind,
        unit=metric.unit,
        text=metric.text,
        label=metric.label,
        series=[msgspec.structs.replace(one, label=redact(one.label, secrets)) for one in series],
    )


HANDLERS: list[Any] = [metric_history]
