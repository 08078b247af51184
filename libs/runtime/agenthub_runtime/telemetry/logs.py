"""Logs: constant event names with fields; one line of text on a terminal, one JSON object elsewhere."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from agenthub_events.redaction import MASK, NO_SECRETS, KnownSecrets, redact, storable
from agenthub_events.secret_shapes import may_hold_shape
from agenthub_runtime.plain_text import plain
from agenthub_runtime.settings.records import LogSettings
from agenthub_runtime.telemetry.place import place_in_logs

_SECRET_NAME = re.compile(r"password|secret|api_?key|authorization|credential|(?:^|_)token$", re.IGNORECASE)
_OF_SEVERAL_LINES = frozenset({"exception", "stack"})
# Looked up anew for each line: an attempt learns what its goal has declared while it runs.
_ALSO: ContextVar[Callable[[], KnownSecrets]] = ContextVar("also", default=lambda: NO_SECRETS)
# Libraries tell at INFO what our own lines tell better.
_LIBRARIES_FROM = logging.WARNING
LEVELS = ("debug", "info", "warning", "error")
_LEVEL = ["info"]


def configure_logging(settings: LogSettings, *, service: str, stream: TextIO = sys.stderr) -> None:
    """Send this process's log lines, and those of the libraries in it, to `stream`. Call once, at start."""
    as_text = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    _LEVEL[:] = [settings.level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service(service),
        add_place,
        add_trace_ids,
        structlog.processors.format_exc_info,
        mask_credentials(settings.secrets),
    ]
    rendering: list[Processor] = [structlog.processors.JSONRenderer()]
    if as_text:
        console = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        rendering = [make_printable, console]
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    alone = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=alone, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=max(level, _LIBRARIES_FROM), force=True)


def set_log_level(level: str) -> str:
    """Let this process log from `level` on, and return the one before. Raises `ValueError`."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if level not in LEVELS or number is None:
        raise ValueError(f"`{level[:20]}` is none of {', '.join(LEVELS)}")
    before = log_level()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))
    logging.getLogger().setLevel(max(number, _LIBRARIES_FROM))
    _LEVEL.append(level)
    del _LEVEL[:-1]
    return before


def log_level() -> str:
    """From which level on this process logs."""
    return _LEVEL[-1]


def mask_also(secrets: Callable[[], KnownSecrets]) -> None:
    """Mask these too in the lines of the current asyncio task and of the tasks that it starts from here on."""
    _ALSO.set(secrets)


def mask_credentials(secrets: KnownSecrets) -> Processor:
    """Takes credentials out of log lines: `secrets`, fields with such a name, and texts that look like one."""

    def mask(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        also = _ALSO.get()()
        if not _may_hold_something(event, secrets, also):
            return event
        for name, value in event.items():
            event[name] = MASK if _is_secret(name) else redact(redact(value, secrets), also)
        return event

    return mask


def _may_hold_something(event: MutableMapping[str, Any], *known: KnownSecrets) -> bool:
    """Whether a line has to be looked at field by field: nearly none has, and one look at all of it tells."""
    for name, value in event.items():
        if _is_secret(name) or not (value is None or isinstance(value, (str, int, float))):
            return True
    together = '"\n"'.join([value for value in event.values() if isinstance(value, str)])
    if storable(together) is not together or may_hold_shape(together):
        return True
    return any(secrets.masked(together) is not together for secrets in known)


@lru_cache(maxsize=1_024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def make_printable(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write what others said as one line without terminal code; only our own tracebacks have several."""
    for name, value in event.items():
        if isinstance(value, str):
            text = plain(value)
            event[name] = text if name in _OF_SEVERAL_LINES else text.replace("\n", "\\n")
    return event


def add_place(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add goal, task and attempt of the place where the code is, unless the line names them itself."""
    for name, value in place_in_logs().items():
        event.setdefault(name, value)
    return event


def add_trace_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of the active span, if there is one."""
    tracing = sys.modules.get("opentelemetry.trace")  # not loaded: nobody can have started a span
    if tracing is None:
        return event
    context = tracing.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def _service(name: str) -> Processor:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", name)
        return event

    return add
