"""A receiver of traces: OTLP over HTTP, kept in memory."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class ReceivedSpan:
    """One span as it arrived."""

    def __init__(self, service: str, span: object) -> None:
        self.service = service
        self.name = str(span.name)  # type: ignore[attr-defined]
        self.trace_id = bytes(span.trace_id).hex()  # type: ignore[attr-defined]
        self.span_id = bytes(span.span_id).hex()  # type: ignore[attr-defined]
        self.parent_id = bytes(span.parent_span_id).hex()  # type: ignore[attr-defined]
        self.attributes = {
            entry.key: getattr(entry.value, entry.value.WhichOneof("value") or "string_value")
            for entry in span.attributes  # type: ignore[attr-defined]
        }


class Traces:
    """All spans that were received at `url`."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[ReceivedSpan] = []
        self.bodies: list[bytes] = []

    def take(self, body: bytes) -> None:
        """Keep the spans of one export."""
        self.bodies.append(body)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            names = {entry.key: entry.value.string_value for entry in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [ReceivedSpan(names.get("service.name", ""), span) for span in scope.spans]

    def of_goal(self, goal_id: str) -> list[ReceivedSpan]:
        """The spans of every trace in which the goal is named."""
        traces = {span.trace_id for span in self.spans if span.attributes.get("agenthub.goal.id") == goal_id}
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
            traces.take(body)
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
