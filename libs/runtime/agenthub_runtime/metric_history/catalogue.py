"""The metrics whose history the hub keeps: few, and named as services tell them to collectors."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from agenthub_runtime.telemetry import instruments as figures
from agenthub_runtime.telemetry.instruments import Instrument

MetricKind: TypeAlias = Literal["gauge", "sum", "duration"]


class StandardMetric(msgspec.Struct, frozen=True, kw_only=True):
    """One of them.

    A `gauge` is measured now and then: its value is the mean of what was measured. A `sum` is what came together,
    a `duration` the mean of what each took. `label` names what its series stand for, and is empty when it has one.
    """

    name: str
    kind: MetricKind
    unit: str
    text: str
    label: str = ""


def _kept(instrument: Instrument, kind: MetricKind, text: str = "", label: str = "") -> StandardMetric:
    return StandardMetric(
        name=instrument.name, kind=kind, unit=instrument.unit, text=text or instrument.text, label=label
    )


QUEUE_WAITING = _kept(figures.QUEUE_WAITING, "gauge", "Work orders that nobody has taken, in all queues.")
QUEUE_HELD = _kept(figures.QUEUE_HELD, "gauge", "Work orders that workers hold, of all queues.")
QUEUE_AGE = _kept(figures.QUEUE_AGE, "gauge", "Age of the oldest work order that nobody has taken, of all queues.")
WORKERS_ALIVE = _kept(figures.WORKERS_ALIVE, "gauge", "Living workers.")
WORKERS_BUSY = _kept(figures.WORKERS_BUSY, "gauge", "Tasks that workers work on.")
PROJECTION_LAG = _kept(figures.PROJECTION_LAG_EVENTS, "gauge")
QUESTIONS = _kept(figures.QUESTIONS_OPEN, "gauge")
DEAD_LETTERS = _kept(figures.DEAD_LETTERS, "gauge")
PROJECTION_DELAY = _kept(figures.PROJECTION_DELAY, "duration")
EVENTS = _kept(figures.EVENTS, "sum")
MODEL_SECONDS = _kept(
    figures.MODEL_SECONDS, "duration", "Time of an answered model call, its retries in it.", "gen_ai.request.model"
)
MODEL_TOKENS = _kept(figures.MODEL_TOKENS, "sum", "Tokens of model calls by type.", "gen_ai.token.type")
MODEL_COST = _kept(figures.MODEL_COST, "sum", label="gen_ai.request.model")
TASK_OUTCOMES = _kept(figures.TASK_OUTCOMES, "sum", label="outcome")
GATE_OUTCOMES = _kept(figures.GATE_OUTCOMES, "sum", "Verdicts of gates.", "outcome")
GOAL_OUTCOMES = _kept(figures.GOAL_OUTCOMES, "sum", label="outcome")

METRICS: tuple[StandardMetric, ...] = tuple(
    found for found in list(globals().values()) if isinstance(found, StandardMetric)
)
BY_NAME = {metric.name: metric for metric in METRICS}
