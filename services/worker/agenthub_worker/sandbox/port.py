"""What the worker asks of a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

Output = Callable[[bytes], None]


class Bind(msgspec.Struct, frozen=True):
    """A folder or file of the host that is also visible inside, as `target` or under the same path.

    `shared`: it belongs to others too, so that it is shown as it is, and never given to a command's account.
    """

    path: Path
    writable: bool = False
    target: str = ""
    shared: bool = False


class ResourceLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one command. Sizes are bytes; the wall-clock limit is given with each command.

    `memory` bounds each process, `memory_together` all of them, `file_size` each file, `disk` and `disk_entries`
    all that lies in the writable folders (or what was there, when that is more).
    `output_kept` is what a result carries, half from the start and half from the end; a command that writes
    more than `output_flood` is killed. `shell_output_kept` is `output_kept` for commands of a shell, whose output
    somebody can ask for page by page.
    """

    memory: int = 2 << 30
    memory_together: int = 4 << 30
    file_size: int = 256 << 20
    disk: int = 4 << 30
    disk_entries: int = 500_000
    temporary_files: int = 512 << 20
    shared_memory: int = 256 << 20
    processes: int = 256
    open_files: int = 1024
    output_kept: int = 256 << 10
    output_flood: int = 256 << 20
    shell_output_kept: int = 4 << 20


class ExecResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended.

    `output` is stdout and stderr in the order written; when `truncated`, its middle is replaced by a line that
    says how much is missing. `exit_code` follows the shell: 128 + n for signal n. `exceeded` names the limit of
    all its processes or files together for which it was killed; the output ends with it.

    In a sandbox that lasts: `meanwhile` is what programs in the background have written since the command before,
    and `lost` says why nothing of the commands before is there any more.
    """

    exit_code: int
    output: bytes
    truncated: bool = False
    timed_out: bool = False
    flooded: bool = False
    exceeded: str = ""
    duration_s: float = 0.0
    meanwhile: bytes = b""
    lost: str = ""

    @property
    def text(self) -> str:
        """The output as text; bytes that are not UTF-8 are shown as replacement characters."""
        return self.output.decode("utf-8", "replace")


class Shell(Protocol):
    """A sandbox that lasts, for one command after the other.

    Working folder, exported variables, temporary files and programs in the background stay until it is closed. It
    starts with its first command, and again with the next one when it is lost.
    """

    async def run(self, command: str, *, timeout_s: float, on_output: Output | None = None) -> ExecResult:
        """Run `command` in bash for at most `timeout_s` seconds; then it is ended, with what it has started.

        `on_output` as in `Sandbox.run`. Cancelling the call ends the whole sandbox. Raises `SandboxUnavailable`.
        """
        ...

    def still(self) -> AbstractAsyncContextManager[None]:
        """While the block runs nothing in it does, so that the files stay as they are, links included.

        What cannot be held still is ended; the next command is told.
        """
        ...

    async def close(self) -> None:
        """End everything in it."""
        ...


class Sandbox(Protocol):
    """Runs one command at a time per call; when a call returns, nothing that it started is alive."""

    name: str
    """`bwrap`, `none` or `scripted`; the worker logs it when it starts."""

    root: str
    """The workspace's path as commands see it; empty when they see the host's path."""

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
        """Run `command` (a text goes to bash) in `workspace` for at most `timeout_s` seconds.

        `on_output` gets every piece of output as it comes, on the event loop, before any cut. Cancelling the
        call kills everything that the command has started. Raises `SandboxUnavailable` when it cannot start.
        """
        ...

    def shell(
        self,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        binds: Sequence[Bind] = (),
        writable: bool = True,
    ) -> Shell:
        """A sandbox like that of `run`, that lasts. Nothing is started yet."""
        ...


class OneByOne:
    """Stands for a shell where nothing lasts: every command is one of the sandbox's own."""

    def __init__(
        self, sandbox: Sandbox, workspace: Path, env: Mapping[str, str], binds: Sequence[Bind], writable: bool
    ) -> None:
        self._run = partial(sandbox.run, workspace=workspace, env=env, binds=binds, writable=writable)

    async def run(self, command: str, *, timeout_s: float, on_output: Output | None = None) -> ExecResult:
        """Run `command` as the sandbox does it."""
        return await self._run(command, timeout_s=timeout_s, on_output=on_output)

    def still(self) -> AbstractAsyncContextManager[None]:
        """Nothing runs between commands."""
        return nullcontext()

    async def close(self) -> None:
        """Nothing is open."""
