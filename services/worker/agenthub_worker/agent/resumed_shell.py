"""The shell of an attempt that goes on: an earlier worker's is gone, and its first command says so."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import msgspec

from agenthub_worker.sandbox.port import ExecResult, Output, Shell

_WHY = "the one before ended with its worker, or with its attempt"


class ResumedShell:
    """A shell in which the model believes things that are not there."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._told = False

    async def run(self, command: str, *, timeout_s: float, on_output: Output | None = None) -> ExecResult:
        """Run `command`; see `Shell.run`."""
        ran = await self._shell.run(command, timeout_s=timeout_s, on_output=on_output)
        if self._told:
            return ran
        self._told = True
        return msgspec.structs.replace(ran, lost=ran.lost or _WHY)

    def still(self) -> AbstractAsyncContextManager[None]:
        """Hold everything in it still; see `Shell.still`."""
        return self._shell.still()

    async def close(self) -> None:
        """End everything in it."""
        await self._shell.close()
