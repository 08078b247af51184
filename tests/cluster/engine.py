"""Runs containers as processes, as an engine with `restart: always` would: what dies is started again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from contextlib import suppress

from agenthub_runtime.processes.child_process import ChildProcess, spawn
from tests.cluster.topology import Container
from tests.support.until import until

_LOOK_S = 0.1
_STOP_S = 20.0
_CHECK_S = 20.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _LIVED_S = 0.1, 60.0, 10.0


class Engine:
    """Start, watch, kill and stop. `held` names containers that stay dead until they are let go."""

    def __init__(self, containers: Iterable[Container]) -> None:
        self.containers = {container.name: container for container in containers}
        self.restarts: dict[str, int] = dict.fromkeys(self.containers, 0)
        self.held: set[str] = set()
        self._processes: dict[str, ChildProcess] = {}
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start everything at once: the file says that any order will do."""
        for name in self.containers:
            self._spawn(name)
        self._keeping = asyncio.create_task(self._keep())

    async def healthy(self, *names: str, within_s: float) -> None:
        """Wait until the health checks of these containers (default: of all) succeed."""
        waiting = list(names or self.containers)

        async def done() -> bool:
            while waiting and await self.is_healthy(waiting[0]):
                waiting.pop(0)
            return not waiting

        try:
            await until(done, within_s, "every container is healthy", pause_s=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}: {waiting[0]}\n{self.log(waiting[0])[-4000:]}") from error

    async def is_healthy(self, name: str) -> bool:
        """Run the health check of a container, once."""
        container = self.containers[name]
        check = await asyncio.create_subprocess_exec(
            *container.health,
            env=self._environment(container),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(_CHECK_S):
                return await check.wait() == 0
        except TimeoutError:
            check.kill()
            await check.wait()
            return False

    def kill(self, name: str, *, hold: bool = False) -> None:
        """SIGKILL; it comes back unless `hold`."""
        if hold:
            self.held.add(name)
        self._processes[name].send(signal.SIGKILL)

    def let_go(self, name: str) -> None:
        """Start again what was held."""
        self.held.discard(name)

    def pid(self, name: str) -> int:
        """The process id of a container."""
        return self._processes[name].pid

    def names(self, service: str) -> list[str]:
        """The containers of a service."""
        return [name for name, container in self.containers.items() if container.service == service]

    def log(self, name: str) -> str:
        """All that a container has printed."""
        return (self.containers[name].folder / "log").read_text(errors="replace")

    async def stop(self) -> None:
        """End everything; what does not end by SIGTERM is killed, and fails nothing."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        ends = (process.stop(signal.SIGTERM, within_s=_STOP_S) for process in self._processes.values())
        await asyncio.gather(*ends)

    async def _keep(self) -> None:
        """As Docker does it: the pause doubles with each death, and begins anew after ten seconds of life."""
        loop = asyncio.get_running_loop()
        started = dict.fromkeys(self.containers, loop.time())
        pauses = dict.fromkeys(self.containers, _FIRST_PAUSE_S)
        due: dict[str, float] = {}
        while True:
            for name, process in list(self._processes.items()):
                if name in self.held or process.running:
                    continue
                if name not in due:
                    lived = loop.time() - started[name]
                    pauses[name] = _FIRST_PAUSE_S if lived > _LIVED_S else min(2 * pauses[name], _LONGEST_PAUSE_S)
                    due[name] = loop.time() + pauses[name]
                elif loop.time() >= due[name]:
                    del due[name]
                    self.restarts[name] += 1
                    started[name] = loop.time()
                    self._spawn(name)
            await asyncio.sleep(_LOOK_S)

    def _spawn(self, name: str) -> None:
        container = self.containers[name]
        self._processes[name] = spawn(
            container.command,
            env=self._environment(container),
            log=container.folder / "log",
            # Nothing stays behind, however the test run ends.
            death_signal=signal.SIGKILL,
        )

    def _environment(self, container: Container) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(container.folder), **container.env}
