"""Runs the stack in the foreground of a terminal or a unit file, until somebody asks it to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from agenthub_runtime.embedded.place import RunningHub
from agenthub_runtime.embedded.stack import READY_WITHIN_S, EmbeddedStack
from agenthub_runtime.shutdown import end_tasks

T = TypeVar("T")

_STOPPING = (signal.SIGINT, signal.SIGTERM)


async def run_in_foreground(
    stack: EmbeddedStack,
    main: Callable[[RunningHub], Awaitable[T]],
    *,
    ready_within_s: float = READY_WITHIN_S,
) -> T | None:
    """Start the stack, run `main` once the hub is ready, and stop everything when it ends.

    Returns what `main` returns, or None when SIGINT or SIGTERM came first. Raises what the start or `main`
    raises, with everything stopped.
    """
    with _stop_asked() as asked:
        waiting = asyncio.ensure_future(asked.wait())
        running = asyncio.ensure_future(_run(stack, main, ready_within_s))
        try:
            await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
            return running.result() if running.done() else None
        finally:
            await end_tasks(waiting, running)
            await stack.stop()


async def _run(stack: EmbeddedStack, main: Callable[[RunningHub], Awaitable[T]], ready_within_s: float) -> T:
    await stack.start()
    return await main(await stack.ready(within_s=ready_within_s))


@contextmanager
def _stop_asked() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set. While it is open neither ends the process in any other way."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in _STOPPING:
        loop.add_signal_handler(number, asked.set)
    try:
        yield asked
    finally:
        for number in _STOPPING:
            loop.remove_signal_handler(number)
