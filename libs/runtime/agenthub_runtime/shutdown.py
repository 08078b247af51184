"""Ending tasks for good, where `asyncio.TaskGroup` tells each of them once; and services that are told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

CLEANS_UP_S = 20.0
"""For what puts folders and programs away behind it."""

_AGAIN_S = 5.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A worker parks what it works on, which may take some seconds.
_PARKS_S = 8.0


async def end_tasks(*tasks: asyncio.Future[Any], again_s: float = _AGAIN_S) -> None:
    """Cancel and wait until all have ended, whatever comes of them.

    Who has not ended after `again_s` seconds is cancelled again: before Python 3.12 `asyncio.wait_for`, on which
    nats-py rests, keeps a cancellation to itself when its answer comes in the same moment
    (https://github.com/python/cpython/issues/86296). What needs longer to clean up behind it gets longer. Whoever
    waits here and is cancelled passes that on, and still leaves nobody behind.
    """
    told: asyncio.CancelledError | None = None
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        try:
            await asyncio.wait(waiting, timeout=again_s)
        except asyncio.CancelledError as error:
            told = error
        waiting = {task for task in waiting if not task.done()}
    for task in tasks:
        if not task.cancelled():
            # Looked at, so that nobody is told that it never was.
            task.exception()
    if told is not None:
        raise told


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Do all of them until they have ended. The first that fails ends the others, and its error is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await end_tasks(*tasks)


async def until_asked_to_stop(work: Coroutine[Any, Any, None], *, again_s: float = _PARKS_S) -> None:
    """Await `work`; on SIGTERM or SIGINT end it as `end_tasks` does, and return. Raises what `work` fails with."""
    loop = asyncio.get_running_loop()
    task, asked = loop.create_task(work), asyncio.Event()
    for name in _SIGNALS:
        loop.add_signal_handler(name, asked.set)
    waiting = loop.create_task(asked.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            log.info("stopping")
    finally:
        await end_tasks(task, waiting, again_s=again_s)
        for name in _SIGNALS:
            loop.remove_signal_handler(name)
    if not task.cancelled():
        task.result()
