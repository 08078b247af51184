"""Traces: one for a goal, across HTTP, events, decisions, tasks, model calls and tools.

The context travels as `traceparent` (W3C) in the headers of events. There are always ids, so that the thread is in
the log even when nothing is kept; spans are made only when the hub keeps them or an OTLP endpoint is set. Calls to
a model are spans of the anthropic SDK's own and are not made a second time here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from agenthub_events.redaction import NO_SECRETS, KnownSecrets, redact_text
from agenthub_runtime.settings.records import LogSettings
from agenthub_runtime.telemetry.conventions import (
    ERROR_TYPE,
    EVENT_TYPE,
    GOAL_ID,
    LINKED_BY,
    MESSAGING_DESTINATION,
    MESSAGING_OPERATION,
    MESSAGING_OPERATION_TYPE,
    MESSAGING_SYSTEM,
    OPERATION,
    OUTCOME,
)
from agenthub_runtime.telemetry.goal_trace import root_of, span_context_of
from agenthub_runtime.telemetry.place import at_place

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    from agenthub_runtime.telemetry.recording import KnownIds
    from agenthub_runtime.telemetry.span_keeping import SpanKeeper

Attributes: TypeAlias = Mapping[str, str | int | float | bool]

LATE = timedelta(hours=1)
"""Work that goes on later than this gets a trace of its own, linked to the first."""

_REASON_CHARS = 200
_PROPAGATOR = TraceContextTextMapPropagator()


class NoFailure(Exception):
    """Raised to leave work on purpose, as for a cancelled goal: it fails no span that it passes through."""


class _Made(NamedTuple):
    """What makes spans."""

    provider: TracerProvider
    tracer: trace.Tracer
    ids: KnownIds


class Telemetry:
    """The tracer of one service. Without `processors` there are ids, and no spans.

    `ratio` is the share of traces that are kept, those apart that the caller of a request began. The spans of
    goals are also held by `keeper`, which somebody has to let send them. `exports`: somebody takes all the others
    too.
    """

    def __init__(
        self,
        service: str,
        *,
        processors: tuple[SpanProcessor, ...] = (),
        secrets: KnownSecrets = NO_SECRETS,
        ratio: float = 1.0,
        keeper: SpanKeeper | None = None,
    ) -> None:
        self.keeper = keeper
        self.exports = bool(processors)
        self._secrets = secrets
        self._ratio = ratio
        self._made: _Made | None = None
        if keeper is not None:
            processors = (*processors, keeper)
        if processors:
            from agenthub_runtime.telemetry.recording import KnownIds, provider_of

            ids = KnownIds()
            provider = provider_of(service, processors, ids, ratio)
            self._made = _Made(provider, provider.get_tracer("agenthub"), ids)

    @property
    def records(self) -> bool:
        """Whether spans are made."""
        return self._made is not None

    @property
    def provider(self) -> TracerProvider:
        """For libraries that make spans of their own; there is one when spans are made."""
        assert self._made is not None
        return self._made.provider

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str = "",
        since: tuple[datetime, datetime] | None = None,
        attributes: Attributes | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Mapping[str, str] | None = None,
    ) -> Iterator[Span]:
        """A span below `parent` (a `traceparent`), or below the current span when that is empty.

        `since` are the time of the parent's event and now: a parent that is older than an hour is linked instead.
        `links` gives further spans (a `traceparent` each) by why they are linked. Goal, task, attempt and worker
        among the attributes also stand on the spans and log lines below. An exception marks the span as failed,
        without credentials that its text may hold, and goes on.
        """
        said = dict(attributes or {})
        context, linked = _lineage(parent, since)
        with ExitStack() as at_end:
            at_end.enter_context(at_place(said))
            at_end.enter_context(_current(self))
            if self._made is None:
                span: Span = NonRecordingSpan(_context_below(context))
                at_end.enter_context(trace.use_span(span))
            else:
                span = at_end.enter_context(
                    self._made.tracer.start_as_current_span(
                        name,
                        context=context,
                        links=(*linked, *links_to(links or {})),
                        attributes=said,
                        kind=kind,
                        record_exception=False,
                        set_status_on_exception=False,
                    )
                )
                at_end.push(partial(_mark_raised, span, self._secrets))
            yield span

    def root(self, goal_id: str, caller: str = "") -> SpanContext:
        """The root of a goal's trace; `caller` is the `traceparent` of the request that brings the goal."""
        return root_of(goal_id, caller, self._ratio)

    def end_root(
        self, goal_id: str, began: datetime, ended: datetime, *, caller: str = "", outcome: str, failed: str = ""
    ) -> None:
        """Export the root of a goal that has ended; `failed` says why when that was no success."""
        if self._made is None:
            return
        fixed = self._made.ids.fixed
        token = fixed.set(self.root(goal_id, caller))
        try:
            outer = span_context_of(caller)
            span = self._made.tracer.start_span(
                "invoke_workflow goal",
                context=trace.set_span_in_context(NonRecordingSpan(outer), Context()) if outer else Context(),
                attributes={OPERATION: "invoke_workflow", GOAL_ID: goal_id, OUTCOME: outcome},
                start_time=_nanoseconds(began),
            )
        finally:
            fixed.reset(token)
        if failed:
            mark_failed(span, failed, outcome)
        span.end(_nanoseconds(ended))

    def record(
        self, name: str, *, began: int, ended: int, attributes: Attributes, kind: SpanKind, failed: bool = False
    ) -> None:
        """A span of what is over, below the current one; `began` and `ended` in ns since 1970."""
        if self._made is None:
            return
        span = self._made.tracer.start_span(name, attributes=attributes, kind=kind, start_time=began)
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    def shutdown(self) -> None:
        """Send what has not been sent."""
        if self._made is not None:
            self._made.provider.shutdown()


def _context_below(context: Context | None) -> SpanContext:
    above = trace.get_current_span(context).get_span_context()
    known = above.is_valid
    return SpanContext(
        trace_id=above.trace_id if known else _random_id(128),
        span_id=_random_id(64),
        is_remote=False,
        # Another service may export what this one does not.
        trace_flags=above.trace_flags if known else TraceFlags(TraceFlags.SAMPLED),
    )


def _random_id(bits: int) -> int:
    return random.getrandbits(bits) or 1


_CURRENT: ContextVar[Telemetry | None] = ContextVar("telemetry", default=None)


@contextmanager
def _current(telemetry: Telemetry) -> Iterator[None]:
    token = _CURRENT.set(telemetry)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def recording() -> Telemetry | None:
    """The telemetry that the running code is observed by; None when nobody would see a span."""
    telemetry = _CURRENT.get()
    return telemetry if telemetry is not None and telemetry.records else None


@contextmanager
def step(name: str, attributes: Attributes | None = None, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
    """A span of a part of what is observed anyway; outside of any span, or when nothing is exported, none."""
    telemetry = recording()
    if telemetry is None:
        yield INVALID_SPAN
        return
    with telemetry.span(name, attributes=attributes, kind=kind) as span:
        yield span


@contextmanager
def sending(event_type: str, lane: str = "") -> Iterator[Span]:
    """A span of the moment in which an event goes into the log: what follows from it hangs below.

    `lane` is the queue that the event is an order for.
    """
    attributes = {
        MESSAGING_SYSTEM: "nats",
        MESSAGING_OPERATION: "send",
        MESSAGING_OPERATION_TYPE: "send",
        MESSAGING_DESTINATION: lane or "EVENTS",
        EVENT_TYPE: event_type,
    }
    with step(f"send {event_type}", attributes, SpanKind.PRODUCER) as span:
        yield span


def configure_telemetry(settings: LogSettings, *, service: str) -> Telemetry:
    """The telemetry of this process: traces of goals are kept for some days, unless `AGENTHUB_TRACE_DAYS` is 0.

    All traces are exported when `OTEL_EXPORTER_OTLP_ENDPOINT` is set.

    It then becomes the process's default, so that the spans of the anthropic SDK belong to the same traces.
    """
    telemetry = Telemetry(
        service,
        processors=_exporters(settings),
        secrets=settings.secrets,
        ratio=settings.trace_ratio,
        keeper=_keeper(settings),
    )
    if telemetry.records:
        trace.set_tracer_provider(telemetry.provider)
    return telemetry


def _exporters(settings: LogSettings) -> tuple[SpanProcessor, ...]:
    if not settings.otlp_endpoint:
        return ()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")
    return (BatchSpanProcessor(exporter),)


def _keeper(settings: LogSettings) -> SpanKeeper | None:
    if not settings.trace_days:
        return None
    from agenthub_runtime.telemetry.span_keeping import SpanKeeper

    return SpanKeeper(settings.secrets)


def traceparent() -> str:
    """The current span as a `traceparent` header; empty when there is none."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent", "")


def links_to(reasons: Mapping[str, str]) -> Sequence[Link]:
    """Links by why they are made; what is no `traceparent` is left out."""
    found = ((reason, span_context_of(header)) for reason, header in reasons.items())
    return [Link(context, {LINKED_BY: reason}) for reason, context in found if context is not None]


def _mark_raised(
    span: Span, secrets: KnownSecrets, _kind: object, error: BaseException | None, _traceback: object
) -> None:
    if isinstance(error, Exception) and not isinstance(error, NoFailure):
        kind = type(error).__name__
        mark_failed(span, secrets.masked(f"{kind}: {error}"), kind)


def mark_failed(span: Span, reason: str, kind: str) -> None:
    """Say on a span that what it stands for did not work, and which `kind` of failure (few words) it was.

    A trace takes the beginning of the reason, without credentials.
    """
    span.set_attribute(ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR, redact_text(reason)[:_REASON_CHARS]))


def _lineage(parent: str, since: tuple[datetime, datetime] | None) -> tuple[Context | None, tuple[Link, ...]]:
    if not parent:
        return None, ()
    context = _PROPAGATOR.extract({"traceparent": parent})
    if since is not None and since[1] - since[0] > LATE:
        return Context(), (Link(trace.get_current_span(context).get_span_context(), {LINKED_BY: "late"}),)
    return context, ()


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
