"""What makes spans, by OpenTelemetry's SDK: loaded only by a process whose spans somebody takes."""

from __future__ import annotations

import os
import socket
from contextvars import ContextVar
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as RecordedSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanContext

from agenthub_runtime.telemetry.place import place


class KnownIds(RandomIdGenerator):
    """Random ids, but for a span whose ids are known beforehand."""

    def __init__(self) -> None:
        self.fixed: ContextVar[SpanContext | None] = ContextVar("fixed", default=None)

    def generate_span_id(self) -> int:
        """The one that is known, or a random one."""
        fixed = self.fixed.get()
        return fixed.span_id if fixed else super().generate_span_id()

    def generate_trace_id(self) -> int:
        """The one that is known, or a random one."""
        fixed = self.fixed.get()
        return fixed.trace_id if fixed else super().generate_trace_id()


class PlaceOnSpans(SpanProcessor):
    """Writes goal, task, attempt and worker on every span, those of libraries included."""

    def on_start(self, span: RecordedSpan, parent_context: Context | None = None) -> None:
        """The span begins where the code is."""
        for name, value in place().items():
            span.set_attribute(name, value)

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing is left to say."""


def provider_of(
    service: str, processors: tuple[SpanProcessor, ...], ids: KnownIds, ratio: float
) -> TracerProvider:
    """What gives tracers to a service; `ratio` is the share of traces that are kept."""
    provider = TracerProvider(
        resource=resource_of(service), id_generator=ids, sampler=ParentBased(TraceIdRatioBased(ratio))
    )
    for processor in (PlaceOnSpans(), *processors):
        provider.add_span_processor(processor)
    return provider


def resource_of(service: str) -> Resource:
    """Which service of which version speaks, and which process of it."""
    return Resource.create(
        {
            SERVICE_NAME: f"agenthub-{service}",
            SERVICE_VERSION: version("agenthub"),
            SERVICE_INSTANCE_ID: f"{socket.gethostname()}-{os.getpid()}",
        }
    )
