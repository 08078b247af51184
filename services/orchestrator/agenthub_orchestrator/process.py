"""How a service of this package runs as a process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import uvloop

from agenthub_events.errors import AgenthubError
from agenthub_runtime.processes.environment import forget_foreign
from agenthub_runtime.settings.records import OrchestratorSettings
from agenthub_runtime.telemetry.logs import configure_logging

S = TypeVar("S", bound=OrchestratorSettings)


def main(
    run: Callable[[S], Coroutine[Any, Any, None]],
    service: str,
    read: Callable[[Mapping[str, str]], S],
    env: Mapping[str, str] = os.environ,
) -> None:
    """Run a service of this package with settings from `env`; exits with 1 and a sentence on failure."""
    try:
        forget_foreign(os.environ)
        settings = read(env)
        configure_logging(settings.log, service=service)
        uvloop.run(run(settings))
    except AgenthubError as error:
        sys.exit(f"{service}: {error}")
