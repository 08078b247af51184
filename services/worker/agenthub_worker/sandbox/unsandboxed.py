"""No sandbox at all: for a container whose only tenant is one worker, when the operator says so."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from agenthub_runtime.processes.spawn import Process
from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.bubblewrap import base_environment, limited
from agenthub_worker.sandbox.lasting.shell import LastingShell, first_process
from agenthub_worker.sandbox.port import Bind, ExecResult, Output, ResourceLimits, Shell
from agenthub_worker.sandbox.process import run_group, start_group


class Unsandboxed:
    """Runs commands as the worker's own user, with its network and its files.

    What stays: an environment without the worker's variables, resource limits, the output cap, the time limit and
    the kill of the process group. A process that leaves the group outlives its command.
    """

    name = "none"
    root = ""

    def __init__(self, limits: ResourceLimits | None = None, *, allowed: bool) -> None:
        if not allowed:
            raise SandboxUnavailable(
                "Commands without a sandbox are refused: set AGENTHUB_ALLOW_UNSANDBOXED=1 to allow them."
            )
        self._limits = limits or ResourceLimits()

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
        """Run `command` in `workspace`; see `Sandbox.run`. A read-only workspace cannot be had here."""
        _refuse_read_only(writable)
        with tempfile.TemporaryDirectory(prefix="agenthub-home-") as home:
            return await run_group(
                limited(command, self._limits),
                env={**base_environment(home), **(env or {})},
                cwd=workspace,
                timeout_s=timeout_s,
                limits=self._limits,
                on_output=on_output,
                folders=[workspace, *(bind.path for bind in binds if bind.writable)],
            )

    def shell(
        self,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        binds: Sequence[Bind] = (),
        writable: bool = True,
    ) -> Shell:
        """Commands that share what they leave; see `Sandbox.shell`. Temporary files are the machine's own."""
        home = Path(tempfile.gettempdir()) / f"agenthub-home-{uuid.uuid4().hex}"

        async def begin(channel: int, before: Sequence[str]) -> Process:
            _refuse_read_only(writable)
            home.mkdir(mode=0o700, exist_ok=True)
            words = limited(first_process(channel), self._limits)
            return await start_group(words, {**base_environment(str(home)), **(env or {})}, workspace, (channel,))

        folders = [workspace, *(bind.path for bind in binds if bind.writable)]
        return LastingShell(begin, self._limits, folders, close_gently=True, scratch=home)


def _refuse_read_only(writable: bool) -> None:
    if not writable:
        raise SandboxUnavailable("Without a sandbox no command can be kept from writing to the workspace.")
