"""A sandbox that always shows more of the machine, and says more in variables, than its commands ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from agenthub_worker.sandbox.port import Bind, ExecResult, Output, Sandbox, Shell

Variables: TypeAlias = Mapping[str, str] | None


class BoundSandbox:
    """Another sandbox, in which every command beside a workspace finds what `shown` says of it as well.

    `variables` makes of those that are given for a command those that it gets.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        shown: Callable[[Path], Sequence[Bind]],
        variables: Callable[[Variables], Variables] = lambda given: given,
    ) -> None:
        self._sandbox = sandbox
        self._shown = shown
        self._given = variables
        self.name = sandbox.name
        self.root = sandbox.root

    def over(self, sandbox: Sandbox) -> BoundSandbox:
        """The same around another sandbox."""
        inner = self._sandbox.over(sandbox) if isinstance(self._sandbox, BoundSandbox) else sandbox
        return BoundSandbox(inner, self._shown, self._given)

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
        """Run `command` as the sandbox does it; see `Sandbox.run`."""
        return await self._sandbox.run(
            command,
            workspace=workspace,
            timeout_s=timeout_s,
            env=self._given(env),
            binds=(*self._shown(workspace), *binds),
            writable=writable,
            on_output=on_output,
        )

    def shell(
        self,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        binds: Sequence[Bind] = (),
        writable: bool = True,
    ) -> Shell:
        """The same for many commands; see `Sandbox.shell`."""
        shown = (*self._shown(workspace), *binds)
        return self._sandbox.shell(workspace=workspace, env=self._given(env), binds=shown, writable=writable)


def seeing_as(sandbox: Sandbox, other: Sandbox) -> Sandbox:
    """The other sandbox, in which commands see besides what those in `sandbox` do, such as the history."""
    return sandbox.over(other) if isinstance(sandbox, BoundSandbox) else other
