"""Ending a service when its process is told to."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import structlog

from agenthub_runtime.cancellation import end_tasks

log = structlog.get_logger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A worker parks what it works on, which may take some seconds.
_CLEANS_UP_S = 8.0


async def until_asked_to_stop(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; on SIGTERM or SIGINT end it and return."""
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
        await end_tasks(task, waiting, again_s=_CLEANS_UP_S)
        for name in _SIGNALS:
            loop.remove_signal_handler(name)
    if not task.cancelled():
        task.result()
