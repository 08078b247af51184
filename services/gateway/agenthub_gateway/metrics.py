"""Figures for Prometheus, in its text format."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from agenthub_gateway.queues import QueueView

# The charset is added where the answer is made, as for every text.
CONTENT_TYPE = "text/plain; version=0.0.4"
BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RequestFigures:
    """Requests by method, route and status, and how long each took until its answer began."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_S) + 1))
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._counts[method, route, status] += 1
        self._buckets[method, route][bisect_left(BUCKETS_S, seconds)] += 1
        self._seconds[method, route] += seconds

    def lines(self) -> Iterable[str]:
        """The figures, line by line."""
        yield from _head("agenthub_http_requests_total", "counter", "Requests that were answered.")
        for (method, route, status), count in sorted(self._counts.items()):
            yield f'agenthub_http_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}'
        name = "agenthub_http_request_seconds"
        yield from _head(name, "histogram", "Time until the answer began.")
        for (method, route), buckets in sorted(self._buckets.items()):
            labels, total = f'method="{method}",route="{route}"', 0
            for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), buckets, strict=True):
                total += count
                yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
            yield f"{name}_sum{{{labels}}} {self._seconds[method, route]:.6f}"
            yield f"{name}_count{{{labels}}} {total}"


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


def hub_lines(sequence: int | None, position: int | None, queues: Sequence[QueueView]) -> Iterable[str]:
    """The log, the read models and the queues; what cannot be told is left out."""
    if sequence is not None:
        yield from _head("agenthub_log_sequence", "gauge", "Sequence of the newest event.")
        yield f"agenthub_log_sequence {sequence}"
    if position is not None:
        yield from _head("agenthub_projection_position", "gauge", "Sequence of the last event in the read models.")
        yield f"agenthub_projection_position {position}"
    if sequence is not None and position is not None:
        yield from _head("agenthub_projection_lag_events", "gauge", "Events that the read models do not hold yet.")
        yield f"agenthub_projection_lag_events {max(sequence - position, 0)}"
    yield from _head("agenthub_queue_waiting", "gauge", "Work orders that nobody has taken.")
    for queue in queues:
        labels = f'agent_type="{queue.agent_type}",lane="{queue.lane}"'
        yield f"agenthub_queue_waiting{{{labels}}} {queue.waiting}"
    yield from _head("agenthub_queue_held", "gauge", "Work orders that workers hold.")
    for queue in queues:
        labels = f'agent_type="{queue.agent_type}",lane="{queue.lane}"'
        yield f"agenthub_queue_held{{{labels}}} {queue.held}"


def _head(name: str, kind: str, text: str) -> Iterable[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
