"""One inbox for all answers of the server to one store: a counter names the question.

The client's own request path makes a future and a timer for every call; on the path of every event this one
saves half of that.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from nats.aio.client import Client
from nats.aio.msg import Msg

Handler: TypeAlias = Callable[[Msg], None]


class Replies:
    """Questions to the server and their answers, on one subscription."""

    def __init__(self, nc: Client, *, timeout_s: float) -> None:
        self._nc = nc
        self._timeout_s = timeout_s
        self._prefix = ""
        self._opening = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._handlers: dict[str, Handler] = {}
        self._waiting: dict[str, tuple[float, asyncio.Future[Msg | None]]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Subscribe to the inbox, once."""
        if self._prefix:
            return
        async with self._opening:
            if not self._prefix:
                prefix = f"{self._nc.new_inbox()}."
                await self._nc.subscribe(f"{prefix}*", cb=self._receive)
                self._prefix = prefix

    async def ask(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> Msg | None:
        """Publish, and wait for one answer; None when none came in time."""
        await self.open()
        future: asyncio.Future[Msg | None] = asyncio.get_running_loop().create_future()
        with self._address(_resolver(future)) as (token, reply):
            self._wait_for(token, future)
            try:
                await self._nc.publish(subject, data, reply=reply, headers=headers)
                return await future
            finally:
                self._waiting.pop(token, None)

    @contextmanager
    def listen(self, handler: Handler) -> Iterator[str]:
        """A reply subject whose answers all go to `handler`, until the context ends. `open` comes first."""
        with self._address(handler) as (_, reply):
            yield reply

    @contextmanager
    def _address(self, handler: Handler) -> Iterator[tuple[str, str]]:
        token = str(next(self._numbers))
        self._handlers[token] = handler
        try:
            yield token, self._prefix + token
        finally:
            del self._handlers[token]

    async def _receive(self, msg: Msg) -> None:
        handler = self._handlers.get(msg.subject[len(self._prefix) :])
        if handler is not None:
            handler(msg)

    def _wait_for(self, token: str, future: asyncio.Future[Msg | None]) -> None:
        loop = asyncio.get_running_loop()
        self._waiting[token] = (loop.time() + self._timeout_s, future)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._timeout_s, self._sweep)

    def _sweep(self) -> None:
        """Every question has the same patience, so the oldest stands first."""
        loop = asyncio.get_running_loop()
        self._sweeper = None
        now = loop.time()
        for deadline, future in self._waiting.values():
            if deadline > now:
                self._sweeper = loop.call_at(deadline, self._sweep)
                return
            if not future.done():
                future.set_result(None)


def _resolver(future: asyncio.Future[Msg | None]) -> Handler:
    def resolve(msg: Msg) -> None:
        if not future.done():
            future.set_result(msg)

    return resolve
