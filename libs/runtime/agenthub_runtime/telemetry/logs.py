"""Logs: constant event names with fields; one line of text on a terminal, one JSON object elsewhere."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from agenthub_events.redaction import MASK, NO_SECRETS, KnownSecrets, redact
from agenthub_runtime.plain_text import plain
from agenthub_runtime.settings.records import LogSettings

_SECRET_NAME = re.compile(r"password|secret|api_?key|authorization|credential|(?:^|_)token$", re.IGNORECASE)
_OF_SEVERAL_LINES = frozenset({"exception", "stack"})
# Looked up anew for each line: an attempt learns what its goal has declared while it runs.
_ALSO: ContextVar[Callable[[], KnownSecrets]] = ContextVar("also", default=lambda: NO_SECRETS)
# Libraries tell at INFO what our own lines tell better.
_LIBRARIES_FROM = logging.WARNING


def configure_logging(settings: LogSettings, *, service: str, stream: TextIO = sys.stderr) -> None:
    """Send this process's log lines, and those of the libraries in it, to `stream`. Call once, at start."""
    as_text = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service(service),
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


def mask_also(secrets: Callable[[], KnownSecrets]) -> None:
    """Mask these too in the lines of the current asyncio task and of the tasks that it starts from here on."""
    _ALSO.set(secrets)


def mask_credentials(secrets: KnownSecrets) -> Processor:
    """Takes credentials out of log lines: `secrets`, fields with such a name, and texts that look like one."""

    def mask(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        also = _ALSO.get()()
        for name, value in event.items():
            event[name] = MASK if _SECRET_NAME.search(name) else redact(redact(value, secrets), also)
        return event

    return mask


def make_printable(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write what others said as one line without terminal code; only our own tracebacks have several."""
    for name, value in event.items():
        if isinstance(value, str):
            text = plain(value)
            event[name] = text if name in _OF_SEVERAL_LINES else text.replace("\n", "\\n")
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
