"""Figures for Prometheus, by its own client library, in a registry of the application's own."""

from __future__ import annotations

import time
from collections.abc import Sequence

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from agenthub_gateway.queues import QueueView

# A series that says when another one began is of no use to anybody here.
disable_created_metrics()  # type: ignore[no-untyped-call]  # ships types, but not for this one

# The charset is added where the answer is made, as for every text.
CONTENT_TYPE = "text/plain; version=0.0.4"
BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RequestFigures:
    """Requests by method, route and status, and how long each took until its answer began."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "agenthub_http_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "agenthub_http_request_seconds",
            "Time until the answer began.",
            ("method", "route"),
            buckets=BUCKETS_S,
            registry=self._registry,
        )

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def exposed(self) -> bytes:
        """The figures in the text format."""
        return generate_latest(self._registry)


class Metered:
    """Counts what passes through it. The route is the template of the path, so that ids make no series."""

    def __init__(self, app: ASGIApp, figures: RequestFigures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one connection on."""
        began = time.monotonic()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["type"] == ScopeType.HTTP:
                route = str(scope.get("path_template") or "none")
                self._figures.add(scope["method"], route, message["status"], time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, noting)


def hub_figures(sequence: int | None, position: int | None, queues: Sequence[QueueView]) -> bytes:
    """The log, the read models and the queues at this moment; what cannot be told is left out."""
    registry = CollectorRegistry()
    if sequence is not None:
        Gauge("agenthub_log_sequence", "Sequence of the newest event.", registry=registry).set(sequence)
    if position is not None:
        text = "Sequence of the last event in the read models."
        Gauge("agenthub_projection_position", text, registry=registry).set(position)
    if sequence is not None and position is not None:
        text = "Events that the read models do not hold yet."
        Gauge("agenthub_projection_lag_events", text, registry=registry).set(max(sequence - position, 0))
    lane = ("agent_type", "lane")
    waiting = Gauge("agenthub_queue_waiting", "Work orders that nobody has taken.", lane, registry=registry)
    held = Gauge("agenthub_queue_held", "Work orders that workers hold.", lane, registry=registry)
    for queue in queues:
        waiting.labels(queue.agent_type, queue.lane).set(queue.waiting)
        held.labels(queue.agent_type, queue.lane).set(queue.held)
    return generate_latest(registry)
