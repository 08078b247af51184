"""Keeps the servers and services of one hub alive, and takes all of them along when it goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import structlog

from agenthub_runtime.embedded.data_folder import write_atomically
from agenthub_runtime.embedded.services import Unit
from agenthub_runtime.errors import ServiceFailed
from agenthub_runtime.processes.child_process import ChildProcess, trim
from agenthub_runtime.shutdown import end_tasks

_log = structlog.get_logger(__name__)

# The first restart comes at once: a killed process is more likely than a broken one.
BACKOFF_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
SETTLED_AFTER_S = 10.0
LOGS_TRIMMED_EVERY_S = 60.0
HOPELESS_AFTER = 4
RESTLESS_AFTER = 3
YOUNG_S = 60.0
_WATCH_AGAIN_S = 1.0

State: TypeAlias = Literal["starting", "running", "restarting", "stopped"]
DeathHook: TypeAlias = Callable[[str, int], None]


class UnitState(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the state file: `pid` is None while nothing runs, `since` the time of the last change."""

    state: State
    pid: int | None
    restarts: int
    since: str


class Supervisor:
    """Starts units group by group, restarts what dies, stops the groups in reverse order.

    Must run in the main thread. `on_death(name, pid)` is called before a restart. The state of all units lies in
    `state_file` as JSON (name → `UnitState`), for `doctor` and for tests: it is shown, and nothing depends on it.
    """

    def __init__(self, state_file: Path, *, on_death: DeathHook | None = None) -> None:
        self._state_file = state_file
        self._on_death = on_death
        self._groups: list[tuple[Unit, ...]] = []
        self._states: dict[str, UnitState] = {}
        self._quick_deaths: dict[str, int] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._state_file_fails = False

    @property
    def states(self) -> dict[str, UnitState]:
        """Every unit that was started, by name, in the order of starting."""
        return dict(self._states)

    async def start(self, *units: Unit) -> None:
        """Start a group; its units start at the same time. Raises what a unit's start raises."""
        self._groups.append(units)
        self._note("starting", *units)
        outcomes = await asyncio.gather(*(unit.start() for unit in units), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        self._note("running", *units)
        if not self._watchers:
            self._watchers.append(asyncio.create_task(self._trim_logs(), name="trim-logs"))
        for unit in units:
            self._watching[unit.name] = asyncio.create_task(self._watch(unit), name=f"watch-{unit.name}")
            self._watchers.append(self._watching[unit.name])

    def check(self) -> None:
        """Raise `ServiceFailed`, with the end of its log, when a critical unit keeps dying."""
        for unit in (unit for group in self._groups for unit in group if unit.critical):
            if self._quick_deaths.get(unit.name, 0) >= HOPELESS_AFTER and unit.process is not None:
                raise ServiceFailed(
                    f"{unit.name} keeps dying. The end of {unit.process.log}:\n{unit.process.log_tail()}"
                )

    async def retire(self, name: str) -> None:
        """Stop one unit for good and forget it; nothing happens when there is none of this name."""
        unit = next((unit for group in self._groups for unit in group if unit.name == name), None)
        if unit is None:
            return
        watcher = self._watching.pop(name)
        self._watchers.remove(watcher)
        await end_tasks(watcher)
        await unit.stop()
        groups = [tuple(other for other in group if other is not unit) for group in self._groups]
        self._groups = [group for group in groups if group]
        del self._states[name]
        self._write_states()

    async def stop(self) -> None:
        """Stop everything, the last group first. Takes no longer than the groups' limits together."""
        await end_tasks(*self._watchers)
        self._watchers.clear()
        self._watching.clear()
        while self._groups:
            group = self._groups.pop()
            outcomes = await asyncio.gather(*(unit.stop() for unit in group), return_exceptions=True)
            for unit, outcome in zip(group, outcomes, strict=True):
                if outcome is not None:
                    _log.error("unit_stop_failed", unit=unit.name, exc_info=outcome)
            self._note("stopped", *group)

    async def _watch(self, unit: Unit) -> None:
        while unit.process is not None:
            try:
                await self._outlive(unit, unit.process)
            except Exception:
                # Whatever it is, a unit that nobody watches any more would stay dead without a word.
                _log.exception("unit_watch_failed", unit=unit.name)
                await asyncio.sleep(_WATCH_AGAIN_S)

    async def _outlive(self, unit: Unit, process: ChildProcess) -> None:
        started = time.monotonic()
        code = await process.wait()
        lived_s = time.monotonic() - started
        _log.warning("unit_died", unit=unit.name, pid=process.pid, exit_code=code, lived_s=round(lived_s, 1))
        if self._on_death is not None:
            self._on_death(unit.name, process.pid)
        if lived_s >= SETTLED_AFTER_S:
            self._quick_deaths[unit.name] = 0
        self._note("restarting", unit)
        await self._restart(unit)

    async def _trim_logs(self) -> None:
        while True:
            await asyncio.sleep(LOGS_TRIMMED_EVERY_S)
            for unit in (unit for group in self._groups for unit in group):
                if unit.process is not None:
                    trim(unit.process.log)

    async def _restart(self, unit: Unit) -> None:
        while True:
            deaths = self._quick_deaths.get(unit.name, 0)
            self._quick_deaths[unit.name] = deaths + 1
            await asyncio.sleep(BACKOFF_S[min(deaths, len(BACKOFF_S) - 1)])
            try:
                await unit.start()
            except Exception:
                _log.exception("unit_restart_failed", unit=unit.name)
                continue
            self._note("running", unit, restarted=True)
            return

    def _note(self, state: State, *units: Unit, restarted: bool = False) -> None:
        since = datetime.now(UTC).isoformat(timespec="milliseconds")
        for unit in units:
            known = self._states.get(unit.name)
            self._states[unit.name] = UnitState(
                state=state,
                pid=unit.process.pid if state == "running" and unit.process is not None else None,
                restarts=(known.restarts if known else 0) + restarted,
                since=since,
            )
        self._write_states()

    def _write_states(self) -> None:
        try:
            write_atomically(self._state_file, msgspec.json.encode(self._states), mode=0o644)
        except OSError as error:
            if not self._state_file_fails:
                _log.warning("state_file_not_written", file=str(self._state_file), reason=error.strerror)
            self._state_file_fails = True
        else:
            self._state_file_fails = False


def read_states(state_file: Path) -> dict[str, UnitState]:
    """The units of the hub that wrote this file; empty when there is none that can be read."""
    try:
        return msgspec.json.decode(state_file.read_bytes(), type=dict[str, UnitState])
    except (OSError, msgspec.DecodeError):
        return {}


def keeps_dying(unit: UnitState, now: datetime) -> bool:
    """Whether a unit has been started again several times and does not run for long yet."""
    young = (now - datetime.fromisoformat(unit.since)).total_seconds() < YOUNG_S
    return unit.state in ("running", "restarting") and unit.restarts >= RESTLESS_AFTER and young
