"""Whether this process works, for who supervises it: `/health/live` and `/health/ready` beside its figures.

The gateway answers the same questions at its own port, and in more detail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_TURN_WITHIN_S = 5.0
_LIVE, _READY = "/health/live", "/health/ready"


class Health:
    """Asked from another thread than that of `loop`; `is_connected` says whether the bus is there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, is_connected: Callable[[], bool]) -> None:
        self._loop = loop
        self._is_connected = is_connected

    def before(self, app: WSGIApplication) -> WSGIApplication:
        """`app`, with the two questions answered before it."""

        def answering(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "")
            if path not in (_LIVE, _READY):
                return app(environ, start_response)
            problem = self.problem(with_bus=path == _READY)
            status = "503 Service Unavailable" if problem else "200 OK"
            start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{problem or 'ok'}\n".encode()]

        return answering

    def problem(self, *, with_bus: bool, within_s: float = _TURN_WITHIN_S) -> str:
        """What is wrong, or nothing. A loop that gives no turn for `within_s` seconds hangs."""
        turn: Future[bool] = Future()

        def take() -> None:
            if not turn.done():
                turn.set_result(self._is_connected())

        try:
            self._loop.call_soon_threadsafe(take)
            connected = turn.result(within_s)
        except RuntimeError:
            return "the process ends"
        except TimeoutError:
            return f"the process has done nothing for {within_s:g} s"
        return "" if connected or not with_bus else "no connection to NATS"
