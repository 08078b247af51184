"""The in-memory sandbox: answers commands from a function, for simulations on virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from agenthub_worker.sandbox.port import Bind, ExecResult, OneByOne, Output, Shell


class ScriptedCall(msgspec.Struct, frozen=True, kw_only=True):
    """One command as the sandbox was asked to run it."""

    command: Sequence[str] | str
    workspace: Path
    timeout_s: float
    env: Mapping[str, str]
    binds: Sequence[Bind]
    writable: bool


class ScriptedSandbox:
    """Gives every command to `answer` and keeps the calls in `calls`; nothing runs."""

    name = "scripted"
    root = "/workspace"

    def __init__(self, answer: Callable[[ScriptedCall], ExecResult]) -> None:
        self._answer = answer
        self.calls: list[ScriptedCall] = []

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
        """The scripted answer, its output also given to `on_output`; see `Sandbox.run`."""
        call = ScriptedCall(
            command=command,
            workspace=workspace,
            timeout_s=timeout_s,
            env=dict(env or {}),
            binds=tuple(binds),
            writable=writable,
        )
        self.calls.append(call)
        result = self._answer(call)
        if on_output is not None and result.output:
            on_output(result.output)
        return result

    def shell(
        self,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        binds: Sequence[Bind] = (),
        writable: bool = True,
    ) -> Shell:
        """The same answers; see `Sandbox.shell`."""
        return OneByOne(self, workspace, env or {}, binds, writable)
