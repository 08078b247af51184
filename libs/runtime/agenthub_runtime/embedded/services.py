"""A service of the hub as a child process."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from agenthub_runtime.processes.child_process import ChildProcess, spawn


class Unit(Protocol):
    """What the supervisor keeps alive: an embedded server or a service."""

    @property
    def name(self) -> str:
        """Its name in logs and in the state file."""
        ...

    @property
    def critical(self) -> bool:
        """Whether the hub cannot be ready without it."""
        ...

    @property
    def process(self) -> ChildProcess | None:
        """The process of the last start."""
        ...

    async def start(self) -> None:
        """Start it, again at the same addresses, and return when it may be used."""
        ...

    async def stop(self) -> None:
        """Stop it within a few seconds, by force if need be."""
        ...


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How a service is started. `env` is its whole environment; it may hold credentials and is never shown.

    `argv` starts with an absolute path. After `stop_within_s` seconds of SIGTERM the service is killed.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    critical: bool = True
    stop_within_s: float = 5.0

    def __repr__(self) -> str:
        return f"ServiceSpec(name={self.name!r}, argv={self.argv!r})"


class Service:
    """A child service: a `Unit`. It counts as started as soon as its process exists."""

    def __init__(self, spec: ServiceSpec) -> None:
        self.spec = spec
        self.name = spec.name
        self.critical = spec.critical
        self.process: ChildProcess | None = None

    async def start(self) -> None:
        """Start the process. Raises `OSError` when the program is not there."""
        self.process = spawn(
            self.spec.argv,
            env=self.spec.env,
            log=self.spec.log,
            # Nothing is lost by it: a service may be killed at any instruction. A polite signal could be
            # waited out by a service whose NATS and Postgres have died with the same parent.
            death_signal=signal.SIGKILL,
        )

    async def stop(self) -> None:
        """Let the service hand back what it holds, then end it."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, within_s=self.spec.stop_within_s)
