"""Requests in figures and spans."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from agenthub_runtime.telemetry.conventions import GOAL_ID, HTTP_METHOD, HTTP_ROUTE, HTTP_STATUS, TASK_ID
from agenthub_runtime.telemetry.instruments import HTTP_SECONDS
from agenthub_runtime.telemetry.tracing import Telemetry, mark_failed

_READ = "/api/v1/"
_ENDLESS = ("/api/v1/stream", "/api/v1/ws")
_REFUSED_FROM = 400
_FAULT_FROM = 500


class Metered:
    """Counts what passes through it, and makes a span of each read that is answered once.

    The route is the template of the path, so that ids make no series. A command is a span of its own already.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one connection on."""
        if scope["type"] == ScopeType.HTTP:
            await self._answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        with ExitStack() as at_end:
            span = at_end.enter_context(self._read(scope)) if self._is_read(scope) else INVALID_SPAN

            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _note(scope, message["status"], time.monotonic() - began, span)
                await send(message)

            await self._app(scope, receive, noting)

    def _is_read(self, scope: HTTPScope) -> bool:
        path = scope["path"]
        reads = scope["method"] == "GET" and path.startswith(_READ) and not path.startswith(_ENDLESS)
        return reads and self._telemetry.exports

    def _read(self, scope: HTTPScope) -> AbstractContextManager[Span]:
        parent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), "")
        return self._telemetry.span(scope["method"], parent=parent, kind=SpanKind.SERVER)


def _note(scope: HTTPScope, status: int, seconds: float, span: Span) -> None:
    method, route = scope["method"], str(scope.get("path_template") or "none")
    HTTP_SECONDS.add(seconds, {HTTP_METHOD: method, HTTP_ROUTE: route, HTTP_STATUS: status})
    if not span.is_recording():
        return
    span.update_name(f"{method} {route}")
    span.set_attributes({HTTP_METHOD: method, HTTP_ROUTE: route, HTTP_STATUS: status})
    params = scope.get("path_params") or {}
    for name, value in ((GOAL_ID, params.get("goal_id")), (TASK_ID, params.get("task_id"))):
        # What is not there may be anything, a secret among it.
        if isinstance(value, str) and status < _REFUSED_FROM:
            span.set_attribute(name, value)
    if status >= _FAULT_FROM:
        mark_failed(span, f"answered with {status}", str(status))
