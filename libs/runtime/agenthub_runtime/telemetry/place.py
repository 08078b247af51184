"""Where in a goal the running code is: said once, it stands on every span and every log line below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TypeAlias

from agenthub_runtime.telemetry.conventions import ATTEMPT, GOAL_ID, TASK_ID, WORKER

Value: TypeAlias = "str | int | float | bool"

_IN_LOGS = {GOAL_ID: "goal_id", TASK_ID: "task_id", ATTEMPT: "attempt"}
_NOWHERE: Mapping[str, Value] = MappingProxyType({})
_PLACE: ContextVar[Mapping[str, Value]] = ContextVar("place", default=_NOWHERE)


@contextmanager
def at_place(attributes: Mapping[str, Value]) -> Iterator[None]:
    """Let goal, task, attempt and worker among `attributes` hold for everything that the body does or starts."""
    said = {name: attributes[name] for name in (GOAL_ID, TASK_ID, ATTEMPT, WORKER) if name in attributes}
    if not said:
        yield
        return
    token = _PLACE.set({**_PLACE.get(), **said})
    try:
        yield
    finally:
        _PLACE.reset(token)


def place() -> Mapping[str, Value]:
    """The attributes of the place where the code that asks is."""
    return _PLACE.get()


def place_in_logs() -> dict[str, Value]:
    """The place under the names that log lines use."""
    return {_IN_LOGS[name]: value for name, value in _PLACE.get().items() if name in _IN_LOGS}
