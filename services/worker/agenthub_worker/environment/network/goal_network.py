"""A sandbox whose commands reach the hosts that a goal names, and no others."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from agenthub_runtime.repository.trees import delete_tree
from agenthub_worker.environment.network.package_sources import package_sources
from agenthub_worker.environment.network.proxy import AllowlistProxy
from agenthub_worker.environment.network.way_out import WayOut
from agenthub_worker.sandbox.port import Bind, ExecResult, Output, Sandbox, Shell

_PORT = 3129
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class GoalNetwork(msgspec.Struct, frozen=True):
    """The `hosts` (`host:port`) of a goal; those in `private` may be places of a private network."""

    hosts: tuple[str, ...] = ()
    private: tuple[str, ...] = ()

    def around(self, sandbox: Sandbox) -> Sandbox:
        """The sandbox with this network."""
        return NetworkSandbox(sandbox, self) if self.hosts else sandbox

    @property
    def variables(self) -> Mapping[str, str]:
        """What tells programs to ask servers of their own directly, and Node that there is a proxy."""
        named = {host.rpartition(":")[0].strip("[]") for host in self.hosts}
        own = ",".join(host for host in _LOOPBACK if host not in named)
        return {"NO_PROXY": own, "no_proxy": own, "NODE_USE_ENV_PROXY": "1"}

    @contextlib.asynccontextmanager
    async def way_out(self) -> AsyncIterator[tuple[WayOut, AllowlistProxy]]:
        """A way out to these hosts, until the block is left."""
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-network-"))
        way = WayOut(folder, _PORT)
        proxy = AllowlistProxy(package_sources(self.hosts), private=self.private)
        try:
            await asyncio.to_thread(way.lay)
            async with proxy.serving(way.socket):
                yield way, proxy
        finally:
            await asyncio.to_thread(delete_tree, folder)


class NetworkSandbox:
    """Another sandbox, in which HTTP proxies are set that lead to the hosts of a goal."""

    def __init__(self, sandbox: Sandbox, network: GoalNetwork) -> None:
        self._sandbox = sandbox
        self._network = network
        self.name = sandbox.name
        self.root = sandbox.root

    async def run(
        self,
        command: Sequence[str] | str,
        *,
        workspace: Path,
        timeout_s: float,
        env: Mapping[str, str] | None = None,
        binds: Sequence[Bind] = (),
        writable: bool = True,
        on_output: Output | None = None,
    ) -> ExecResult:
        """Run `command` as the sandbox does it; hosts that it was refused are named behind its output."""
        async with self._network.way_out() as (way, proxy):
            words = command if isinstance(command, str) else f"exec {shlex.join(command)}"
            ran = await self._sandbox.run(
                way.before(words),
                workspace=workspace,
                timeout_s=timeout_s,
                env={**way.variables, **self._network.variables, **(env or {})},
                binds=(*way.binds, *binds),
                writable=writable,
                on_output=on_output,
            )
        return _told(ran, proxy.refused, self._network)

    def shell(
        self,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        binds: Sequence[Bind] = (),
        writable: bool = True,
    ) -> Shell:
        """The same for many commands; the way out lasts as long as the shell."""

        def begin(way: WayOut) -> Shell:
            return self._sandbox.shell(
                workspace=workspace,
                env={**way.variables, **self._network.variables, **(env or {})},
                binds=(*way.binds, *binds),
                writable=writable,
            )

        return _NetworkShell(self._network, begin)


class _NetworkShell:
    """A shell with a way out that is opened with its first command."""

    def __init__(self, network: GoalNetwork, begin: Callable[[WayOut], Shell]) -> None:
        self._network = network
        self._begin = begin
        self._open: tuple[WayOut, AllowlistProxy, Shell] | None = None
        self._held = contextlib.AsyncExitStack()

    async def run(self, command: str, *, timeout_s: float, on_output: Output | None = None) -> ExecResult:
        """Run `command`; see `Shell.run`."""
        if self._open is None:
            way, proxy = await self._held.enter_async_context(self._network.way_out())
            self._open = way, proxy, self._begin(way)
        way, proxy, shell = self._open
        proxy.refused.clear()
        ran = await shell.run(way.before(command), timeout_s=timeout_s, on_output=on_output)
        return _told(ran, proxy.refused, self._network)

    def still(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold everything in it still; see `Shell.still`."""
        return contextlib.nullcontext() if self._open is None else self._open[2].still()

    async def close(self) -> None:
        """End everything in it."""
        opened, self._open = self._open, None
        try:
            if opened is not None:
                await opened[2].close()
        finally:
            await self._held.aclose()


def _told(ran: ExecResult, refused: Sequence[str], network: GoalNetwork) -> ExecResult:
    """The result, with the hosts behind it that the command asked for in vain."""
    if not refused:
        return ran
    said = f"\n[no way to {', '.join(refused)}: the network of this goal is {', '.join(network.hosts)}]\n"
    return msgspec.structs.replace(ran, output=ran.output + said.encode())
