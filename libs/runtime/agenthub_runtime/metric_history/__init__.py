"""Metrics of the hub as it has kept them: which there are, and their values over time."""

from agenthub_runtime.metric_history.catalogue import BY_NAME, METRICS, MetricKind, StandardMetric
from agenthub_runtime.metric_history.periods import Period, period_of
from agenthub_runtime.metric_history.reading import KeptMetrics, Point, Series, kept_metrics

__all__ = [
    "BY_NAME",
    "METRICS",
    "KeptMetrics",
    "MetricKind",
    "Period",
    "Point",
    "Series",
    "StandardMetric",
    "kept_metrics",
    "period_of",
]
