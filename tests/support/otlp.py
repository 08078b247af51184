"""A receiver of traces and figures: OTLP over HTTP, kept in memory."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


class ReceivedSpan:
    """One span as it arrived."""

    def __init__(self, service: str, span: object) -> None:
        self.service = service
        self.name = str(span.name)  # type: ignore[attr-defined]
        self.trace_id = bytes(span.trace_id).hex()  # type: ignore[attr-defined]
        self.span_id = bytes(span.span_id).hex()  # type: ignore[attr-defined]
        self.parent_id = bytes(span.parent_span_id).hex()  # type: ignore[attr-defined]
        self.kind = str(Span.SpanKind.Name(span.kind)).removeprefix("SPAN_KIND_").lower()  # type: ignore[attr-defined]
        self.failed = span.status.code == Status.STATUS_CODE_ERROR  # type: ignore[attr-defined]
        self.nanoseconds = (span.start_time_unix_nano, span.end_time_unix_nano)  # type: ignore[attr-defined]
        self.attributes = _values(span.attributes)  # type: ignore[attr-defined]
        self.links = {
            bytes(link.span_id).hex(): _values(link.attributes)
            for link in span.links  # type: ignore[attr-defined]
        }


def _values(attributes: Iterable[Any]) -> dict[str, Any]:
    return {
        entry.key: getattr(entry.value, entry.value.WhichOneof("value") or "string_value") for entry in attributes
    }


class Traces:
    """All spans that were received at `url`."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[ReceivedSpan] = []
        self.bodies: list[bytes] = []
        self.figures: set[str] = set()
        self.exemplars: dict[str, set[str]] = {}

    def take(self, body: bytes) -> None:
        """Keep the spans of one export."""
        self.bodies.append(body)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            names = {entry.key: entry.value.string_value for entry in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [ReceivedSpan(names.get("service.name", ""), span) for span in scope.spans]

    def take_figures(self, body: bytes) -> None:
        """Keep which figures there are, and by name the traces that they point to."""
        self.bodies.append(body)
        request = ExportMetricsServiceRequest.FromString(body)
        for metric in (m for r in request.resource_metrics for scope in r.scope_metrics for m in scope.metrics):
            self.figures.add(metric.name)
            for point in metric.histogram.data_points:
                found = {exemplar.trace_id.hex() for exemplar in point.exemplars}
                self.exemplars.setdefault(metric.name, set()).update(found)

    def of_goal(self, goal_id: str) -> list[ReceivedSpan]:
        """The spans of the goal's own trace: that in which it was accepted."""
        began = (span for span in self.spans if span.name == "command goal.accepted")
        traces = {span.trace_id for span in began if span.attributes.get("agenthub.goal.id") == goal_id}
        return [span for span in self.spans if span.trace_id in traces]


@contextmanager
def receiving_traces() -> Iterator[Traces]:
    """Receive traces on a free port of this machine."""
    traces = Traces()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/metrics":
                traces.take_figures(body)
            else:
                traces.take(body)
            # The answer without any field, which is the same for both.
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    traces.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield traces
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
