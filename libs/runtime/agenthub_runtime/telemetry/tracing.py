"""Traces: one for a goal, across HTTP, events, decisions, tasks, model calls and tools.

The context travels as `traceparent` (W3C) in the headers of events. Spans always have ids, so that the thread is
in the log even when nothing is exported; they leave the process only when an OTLP endpoint is set. Calls to a
model are spans of the anthropic SDK's own and are not made a second time here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from agenthub_events.redaction import NO_SECRETS, KnownSecrets, redact_text
from agenthub_runtime.settings.records import LogSettings

Attributes: TypeAlias = Mapping[str, str | int | float | bool]

LATE = timedelta(hours=1)
"""Work that goes on later than this gets a trace of its own, linked to the first."""

# Names of the GenAI semantic conventions, whose status is still "development": kept in one place.
AGENT_NAME = "gen_ai.agent.name"
OPERATION = "gen_ai.operation.name"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
GOAL_ID = "agenthub.goal.id"
TASK_ID = "agenthub.task.id"
ATTEMPT = "agenthub.attempt"

_REASON_CHARS = 200
_PROPAGATOR = TraceContextTextMapPropagator()


class Telemetry:
    """The tracer of one service."""

    def __init__(
        self, service: str, *, processors: tuple[SpanProcessor, ...] = (), secrets: KnownSecrets = NO_SECRETS
    ) -> None:
        from importlib.metadata import version

        self._secrets = secrets

        self._provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: f"agenthub-{service}", SERVICE_VERSION: version("agenthub")})
        )
        for processor in processors:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("agenthub")

    @property
    def provider(self) -> TracerProvider:
        """For libraries that make spans of their own."""
        return self._provider

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str = "",
        since: tuple[datetime, datetime] | None = None,
        attributes: Attributes | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Iterator[Span]:
        """A span below `parent` (a `traceparent`), or below the current span when that is empty.

        `since` are the time of the parent's event and now: a parent that is older than an hour is linked instead.
        An exception marks the span as failed, without credentials that its text may hold, and goes on.
        """
        context, links = _lineage(parent, since)
        with (
            self._tracer.start_as_current_span(
                name,
                context=context,
                links=links,
                attributes=dict(attributes or {}),
                kind=kind,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            ExitStack() as at_end,
        ):
            at_end.push(partial(_mark_raised, span, self._secrets))
            yield span

    def shutdown(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()


def configure_telemetry(settings: LogSettings, *, service: str) -> Telemetry:
    """The telemetry of this process; traces are exported when `OTEL_EXPORTER_OTLP_ENDPOINT` is set.

    It also becomes the process's default, so that the spans of the anthropic SDK belong to the same traces.
    """
    telemetry = Telemetry(service, processors=_exporters(settings), secrets=settings.secrets)
    trace.set_tracer_provider(telemetry.provider)
    return telemetry


def _exporters(settings: LogSettings) -> tuple[SpanProcessor, ...]:
    if not settings.otlp_endpoint:
        return ()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")
    return (BatchSpanProcessor(exporter),)


def traceparent() -> str:
    """The current span as a `traceparent` header; empty when there is none."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent", "")


def _mark_raised(
    span: Span, secrets: KnownSecrets, _kind: object, error: BaseException | None, _traceback: object
) -> None:
    if isinstance(error, Exception):
        mark_failed(span, secrets.masked(f"{type(error).__name__}: {error}"))


def mark_failed(span: Span, reason: str) -> None:
    """Say on a span that what it stands for did not work; a trace takes the beginning, without credentials."""
    span.set_status(Status(StatusCode.ERROR, redact_text(reason)[:_REASON_CHARS]))


def _lineage(parent: str, since: tuple[datetime, datetime] | None) -> tuple[Context | None, tuple[Link, ...]]:
    if not parent:
        return None, ()
    context = _PROPAGATOR.extract({"traceparent": parent})
    if since is not None and since[1] - since[0] > LATE:
        return Context(), (Link(trace.get_current_span(context).get_span_context()),)
    return context, ()
