"""Every figure that the hub's services give, by OpenTelemetry.

A figure that no service gives must not be named by a dashboard or an alert: a test reads this table. A process
whose figures nobody takes does not count; a figure then costs the look at one attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

from opentelemetry.metrics import CallbackOptions, Meter, Observation

Kind: TypeAlias = Literal["counter", "histogram", "gauge"]
Labels: TypeAlias = Mapping[str, str | int | bool]
Reading: TypeAlias = "tuple[float, Labels]"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Those that the convention for HTTP advises."""
_LONG_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Those that the convention for models advises."""
_TASK_SECONDS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0)
_QUICK_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_TOKENS = tuple(float(4**power) for power in range(14))


class Instrument:
    """One figure. `labels` are the attributes that it may carry, `buckets` those of a histogram."""

    def __init__(
        self,
        name: str,
        kind: Kind,
        unit: str,
        text: str,
        *,
        labels: tuple[str, ...] = (),
        buckets: tuple[float, ...] = (),
    ) -> None:
        self.name = name
        self.kind = kind
        self.unit = unit
        self.text = text
        self.labels = labels
        self.buckets = buckets
        self._send: Callable[[float, Any], None] | None = None
        self._read: Callable[[], Iterable[Reading]] | None = None

    def add(self, value: float, labels: Labels) -> None:
        """Count `value` more, or take one measurement of a histogram."""
        if self._send is not None:
            self._send(value, labels)

    def tell(self, read: Callable[[], Iterable[Reading]]) -> None:
        """Let a gauge be what `read` gives whenever it is asked for."""
        self._read = read

    @property
    def is_on(self) -> bool:
        """Whether anybody takes the figure."""
        return self._send is not None

    def bind(self, meter: Meter) -> None:
        """Give the figure to a meter from here on."""
        if self.kind == "counter":
            self._send = meter.create_counter(self.name, self.unit, self.text).add
        elif self.kind == "histogram":
            self._send = meter.create_histogram(
                self.name, self.unit, self.text, explicit_bucket_boundaries_advisory=self.buckets
            ).record
        else:
            meter.create_observable_gauge(self.name, [self._observed], self.unit, self.text)

    def release(self) -> None:
        """Count no more."""
        self._send = self._read = None

    def _observed(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(value, labels) for value, labels in self._read()] if self._read else []


# Every service.
BUILD_INFO = Instrument(
    "agenthub.build.info", "gauge", "", "Which version runs; always 1.", labels=("version", "service")
)
APPEND_SECONDS = Instrument(
    "agenthub.append.duration",
    "histogram",
    "s",
    "Time until the log had answered an append, by what became of it: stored, conflict or unavailable.",
    labels=("result",),
    buckets=_QUICK_SECONDS,
)
NATS_RECONNECTS = Instrument(
    "agenthub.nats.reconnects", "gauge", "", "Connections to NATS that were lost since start."
)
SPANS_LOST = Instrument(
    "agenthub.spans.lost", "counter", "", "Spans that were not kept, because the bus took none for too long."
)

# Gateway.
HTTP_SECONDS = Instrument(
    "http.server.request.duration",
    "histogram",
    "s",
    "Time until the answer to a request began.",
    labels=("http.request.method", "http.route", "http.response.status_code"),
    buckets=_SECONDS,
)
LOG_SEQUENCE = Instrument("agenthub.log.sequence", "gauge", "", "Sequence of the newest event.")
PROJECTION_POSITION = Instrument(
    "agenthub.projection.position", "gauge", "", "Sequence of the last event in the read models."
)
PROJECTION_LAG_EVENTS = Instrument(
    "agenthub.projection.lag.events", "gauge", "", "Events that the read models do not hold yet."
)
PROJECTION_LAG_SECONDS = Instrument(
    "agenthub.projection.lag.time",
    "gauge",
    "s",
    "For how long the oldest event that the read models lack has waited.",
)
_LANE = ("agent_type", "lane")
QUEUE_WAITING = Instrument(
    "agenthub.queue.waiting", "gauge", "", "Work orders that nobody has taken.", labels=_LANE
)
QUEUE_HELD = Instrument("agenthub.queue.held", "gauge", "", "Work orders that workers hold.", labels=_LANE)
QUEUE_PULLS = Instrument("agenthub.queue.pulls", "gauge", "", "Open requests of workers for work.", labels=_LANE)
QUEUE_REDELIVERED = Instrument(
    "agenthub.queue.redelivered", "gauge", "", "Held work orders that were given out more than once.", labels=_LANE
)
QUEUE_AGE = Instrument(
    "agenthub.queue.age", "gauge", "s", "Age of the oldest work order that nobody has taken.", labels=_LANE
)
WORKERS_ALIVE = Instrument(
    "agenthub.workers.alive", "gauge", "", "Living workers that serve the type.", labels=("agent_type",)
)
WORKERS_SLOTS = Instrument(
    "agenthub.workers.slots", "gauge", "", "Tasks that the worker takes at once.", labels=("worker",)
)
WORKERS_BUSY = Instrument(
    "agenthub.workers.busy", "gauge", "", "Tasks that the worker works on.", labels=("worker",)
)
ORCHESTRATORS = Instrument("agenthub.orchestrators.alive", "gauge", "", "Orchestrators that decide.")
GOALS = Instrument("agenthub.goals", "gauge", "", "Goals by their status.", labels=("status",))
QUESTIONS_OPEN = Instrument("agenthub.questions.open", "gauge", "", "Questions that wait for a person.")
QUESTIONS_AGE = Instrument("agenthub.questions.age", "gauge", "s", "Age of the oldest question that waits.")
DEAD_LETTERS = Instrument("agenthub.dead_letters.open", "gauge", "", "Dead letters that wait for a decision.")
STREAM_BYTES = Instrument("agenthub.stream.size", "gauge", "By", "Bytes that a stream holds.", labels=("stream",))
STREAM_MESSAGES = Instrument(
    "agenthub.stream.messages", "gauge", "", "Messages that a stream holds.", labels=("stream",)
)
STREAM_CONSUMERS = Instrument(
    "agenthub.stream.consumers", "gauge", "", "Consumers of a stream.", labels=("stream",)
)
DISK_FREE = Instrument("agenthub.disk.free", "gauge", "By", "Bytes that are free where the data lie.")
DISK_SIZE = Instrument("agenthub.disk.size", "gauge", "By", "Bytes of the disk where the data lie.")

# Projector: what the log says, each event once.
EVENTS = Instrument("agenthub.events", "counter", "", "Events that came into the log.", labels=("type",))
PROJECTION_DELAY = Instrument(
    "agenthub.projection.delay",
    "histogram",
    "s",
    "Time from an event to the commit of its rows, the oldest of each batch.",
    buckets=_QUICK_SECONDS,
)
PROJECTION_BATCH = Instrument(
    "agenthub.projection.batch.duration",
    "histogram",
    "s",
    "Time to fold and write a batch.",
    buckets=_QUICK_SECONDS,
)
TASK_OUTCOMES = Instrument(
    "agenthub.task.outcomes", "counter", "", "Attempts that have ended, by how.", labels=("outcome", "kind")
)
GATE_OUTCOMES = Instrument(
    "agenthub.gate.outcomes", "counter", "", "Verdicts of gates by round.", labels=("gate", "outcome", "round")
)
GOAL_OUTCOMES = Instrument(
    "agenthub.goal.outcomes", "counter", "", "Goals that have ended, by how.", labels=("outcome",)
)

# Worker.
_MODEL = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")
MODEL_SECONDS = Instrument(
    "gen_ai.client.operation.duration",
    "histogram",
    "s",
    "Time of a model call, its retries in it; with `error.type` when it failed.",
    labels=(*_MODEL, "error.type"),
    buckets=_LONG_SECONDS,
)
MODEL_TOKENS = Instrument(
    "gen_ai.client.token.usage",
    "histogram",
    "{token}",
    "Tokens of a model call by type: input, output, and of the input those read from and written to the cache.",
    labels=(*_MODEL, "gen_ai.token.type"),
    buckets=_TOKENS,
)
MODEL_COST = Instrument(
    "agenthub.model.cost",
    "counter",
    "{USD}",
    "What model calls have cost, where the price is known.",
    labels=("gen_ai.request.model", "gen_ai.agent.name"),
)
MODEL_RESTS = Instrument(
    "agenthub.model.rests",
    "counter",
    "",
    "Attempts put aside because the model was overloaded or could not be reached: the breaker of a worker.",
    labels=("gen_ai.request.model", "error.type"),
)
TOOL_SECONDS = Instrument(
    "gen_ai.execute_tool.duration",
    "histogram",
    "s",
    "Time of a tool call; with `error.type` when it failed.",
    labels=("gen_ai.tool.name", "error.type"),
    buckets=_LONG_SECONDS,
)
QUEUE_WAIT = Instrument(
    "agenthub.queue.wait",
    "histogram",
    "s",
    "Time from an order to the worker that took it.",
    labels=_LANE,
    buckets=_LONG_SECONDS,
)
REDELIVERIES = Instrument(
    "agenthub.queue.redeliveries", "counter", "", "Orders that came again to a worker.", labels=_LANE
)
ATTEMPT_SECONDS = Instrument(
    "agenthub.attempt.duration",
    "histogram",
    "s",
    "Time that a worker spent on an attempt, by how it ended.",
    labels=("agent_type", "outcome"),
    buckets=_TASK_SECONDS,
)

ALL: tuple[Instrument, ...] = tuple(found for found in list(globals().values()) if isinstance(found, Instrument))


def prometheus_names(instrument: Instrument) -> tuple[str, ...]:
    """The series of an instrument as Prometheus names them."""
    units = {"s": "_seconds", "By": "_bytes"}
    name = instrument.name.replace(".", "_") + units.get(instrument.unit, "")
    if instrument.kind == "counter":
        return (f"{name}_total",)
    if instrument.kind == "histogram":
        return (f"{name}_bucket", f"{name}_count", f"{name}_sum")
    return (name,)
