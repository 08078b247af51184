"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

PATIENCE_S = 300.0
"""How long a test waits for a server of its own: no test is judged by the pace of the machine."""

T = TypeVar("T")


@overload
async def until(
    condition: Callable[[], Awaitable[T]], deadline_s: float = ..., what: str = ..., pause_s: float = ...
) -> T: ...


@overload
async def until(
    condition: Callable[[], T], deadline_s: float = ..., what: str = ..., pause_s: float = ...
) -> T: ...


async def until(
    condition: Callable[[], Any], deadline_s: float = PATIENCE_S, what: str = "", pause_s: float = 0.02
) -> Any:
    """Ask `condition` until it answers with something true, and return that.

    Fails the test after `deadline_s` seconds with `what` (else the condition's name) and the last answer.
    """
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > end:
            wanted = what or getattr(condition, "__name__", repr(condition))
            raise AssertionError(f"not within {deadline_s:g} s: {wanted} (last answer: {value!r})")
        await asyncio.sleep(pause_s)
