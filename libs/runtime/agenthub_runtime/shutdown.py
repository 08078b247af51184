"""Ending a service when its process is told to."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def until_asked_to_stop(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; on SIGTERM or SIGINT cancel it and return."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    for name in _SIGNALS:
        loop.add_signal_handler(name, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("stopping")
    finally:
        for name in _SIGNALS:
            loop.remove_signal_handler(name)
