"""Processes inside one event loop: what runs in one dies with it, and the servers outlive them all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")

_CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)


class Process:
    """One process: every task that was started inside, by whatever it called.

    A killed process runs none of its own steps any more. Clean-up code of its tasks does run, as Python has it,
    but finds every port closed: a `kill -9` leaves nothing behind but what was sent before.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.starved_until = 0.0
        self._dead = asyncio.Event()
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start `work` inside the process."""
        inside = copy_context()
        inside.run(_CURRENT.set, self)
        return asyncio.get_running_loop().create_task(work, context=inside)

    def kill(self) -> None:
        """End the process at once, wherever it stands."""
        self.alive = False
        self._dead.set()
        running = asyncio.current_task()
        for task in list(self._tasks):
            if task is not running:
                task.cancel()

    def must_live(self) -> None:
        """What a port says to a process that is dead: nothing, for ever."""
        if not self.alive:
            raise asyncio.CancelledError

    async def dead(self) -> None:
        """Wait until the process has been killed."""
        await self._dead.wait()

    async def gone(self) -> None:
        """Wait until nothing of the process runs any more."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """A task was started inside."""
        self._tasks[task] = None
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)


def current() -> Process | None:
    """The process that runs now; None in a server, or in what watches the world."""
    return _CURRENT.get()


def track_processes(loop: asyncio.AbstractEventLoop) -> None:
    """Let every task of `loop` belong to the process that started it."""

    def start(owner: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        context: Context | None = more.get("context")
        task: asyncio.Task[Any] = asyncio.Task(work, loop=owner, context=context)
        process = _CURRENT.get() if context is None else context.get(_CURRENT)
        if process is not None:
            process.adopt(task)
        return task

    loop.set_task_factory(start)


async def at_server(call: Callable[[], Awaitable[T]]) -> T:
    """Let a server answer: what it has begun for a caller goes on when the caller dies."""

    async def serve() -> T:
        return await call()

    outside = copy_context()
    outside.run(_CURRENT.set, None)
    return await asyncio.shield(asyncio.get_running_loop().create_task(serve(), context=outside))
