"""Where the time of tasks goes, out of the traces that a hub sends."""

from __future__ import annotations

import gzip
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from agenthub_runtime.telemetry.conventions import GOAL_ID, TASK_ID

_WORKER = "agenthub-worker"


class TaskSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a worker in a task; times in nanoseconds."""

    name: str
    goal_id: str
    task_id: str
    span_id: bytes
    parent_id: bytes
    start: int
    end: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of step takes in a task: how often, and milliseconds without the steps within it."""

    name: str
    times: float
    own_ms: float


class Receiver:
    """Keeps the workers' spans that arrive at `url` (OTLP over HTTP)."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[TaskSpan] = []

    def take(self, body: bytes) -> None:
        """Keep the spans of one export."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            if _values(resource.resource.attributes).get("service.name") == _WORKER:
                self.spans += [_read(span) for scope in resource.scope_spans for span in scope.spans]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Receive on a free port of this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                receiver.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            # An answer without any field: everything was taken.
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def steps_of(spans: Sequence[TaskSpan], goals: Collection[str], tasks: int) -> list[Step]:
    """The steps of the `tasks` tasks of some goals, the dearest first."""
    of_goals = [span for span in spans if span.goal_id in goals and span.task_id.startswith("t-")]
    within: defaultdict[bytes, list[TaskSpan]] = defaultdict(list)
    for span in of_goals:
        within[span.parent_id].append(span)
    own: defaultdict[str, list[int]] = defaultdict(list)
    for span in of_goals:
        own[span.name].append(span.end - span.start - _covered(within[span.span_id]))
    steps = [
        Step(name=name, times=round(len(times) / tasks, 1), own_ms=round(sum(times) / tasks / 1e6, 2))
        for name, times in own.items()
    ]
    return sorted(steps, key=lambda step: -step.own_ms)


def _covered(spans: Sequence[TaskSpan]) -> int:
    """Nanoseconds in which at least one of the spans runs."""
    covered = reached = 0
    for span in sorted(spans, key=lambda span: span.start):
        covered += max(0, span.end - max(span.start, reached))
        reached = max(reached, span.end)
    return covered


def _read(span: Any) -> TaskSpan:
    said = _values(span.attributes)
    return TaskSpan(
        name=" ".join(span.name.split()[:2]),
        goal_id=said.get(GOAL_ID, ""),
        task_id=said.get(TASK_ID, ""),
        span_id=span.span_id,
        parent_id=span.parent_span_id,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
    )


def _values(attributes: Any) -> dict[str, str]:
    return {entry.key: entry.value.string_value for entry in attributes}
