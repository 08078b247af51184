"""Bounds what all processes of a command use together: a control group (cgroup v2), where one is given to the hub.

Given is one that systemd has delegated to its service (`Delegate=`), or the root of the hierarchy where the hub
runs as root and may write there, as in a container with a hierarchy of its own. Elsewhere there is none: the sums
are watched from outside.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.port import ResourceLimits

MEMORY = "memory"
PIDS = "pids"
WANTED = (MEMORY, PIDS)

# The processes of bubblewrap and of the words before it, beside those that the command may have.
_OWN_PROCESSES = 16
_EMPTY_WITHIN_S = 5.0
_LOOK_S = 0.01
_DELEGATED = ("trusted.delegate", "user.delegate")
_JOIN = 'echo 0 >"$1" || exit 125; shift; exec "$@"'
_numbers = itertools.count(1)


class ControlGroup(msgspec.Struct, frozen=True):
    """The group of one command. `words` before a command make it, and all that it starts, part of the group."""

    path: Path

    def words(self) -> list[str]:
        """The words before a command."""
        return ["/bin/sh", "-c", _JOIN, "join", str(self.path / "cgroup.procs")]

    def exceeded(self, limits: ResourceLimits) -> str:
        """Which limit of them together its processes have met, in words; empty for none."""
        if _events(self.path / "memory.events").get("oom_kill"):
            return f"its processes used more than {limits.memory_together >> 20} MiB together"
        return ""


class ControlGroups(msgspec.Struct, frozen=True):
    """Where groups for commands can be made, and which of `memory` and `pids` are bounded there."""

    path: Path
    controllers: frozenset[str]

    @asynccontextmanager
    async def group(self, limits: ResourceLimits) -> AsyncIterator[ControlGroup]:
        """A new group with these limits; at the end nothing in it is alive, and it is gone.

        Raises `SandboxUnavailable`.
        """
        made = await asyncio.to_thread(self._made, limits)
        try:
            yield made
        finally:
            await asyncio.shield(asyncio.to_thread(_end, made.path))

    def _made(self, limits: ResourceLimits) -> ControlGroup:
        path = self.path / f"agenthub-{os.getpid()}-{next(_numbers)}"
        try:
            path.mkdir()
            for name, value in self._bounds(limits):
                _set(path / name, value)
        except OSError as error:
            with suppress(OSError):
                path.rmdir()
            raise SandboxUnavailable(f"The control group of a command cannot be made: {error}") from error
        return ControlGroup(path)

    def _bounds(self, limits: ResourceLimits) -> Sequence[tuple[str, str]]:
        memory = (
            ("memory.max", str(limits.memory_together)),
            # What was swapped out would not count.
            ("memory.swap.max", "0"),
            ("memory.oom.group", "1"),
        )
        pids = (("pids.max", str(limits.processes + _OWN_PROCESSES)),)
        return (*(memory if MEMORY in self.controllers else ()), *(pids if PIDS in self.controllers else ()))


def given_groups(proc: Path = Path("/proc/self")) -> ControlGroups | None:
    """Where this process may bound the memory of what it starts; None: nowhere."""
    try:
        own, root = _own_group(proc)
    except (OSError, ValueError, StopIteration):
        return None
    for path in dict.fromkeys((own.parent if own != root else own, own)):
        if _is_given(path, root) and MEMORY in (found := _enabled(path)):
            return ControlGroups(path, found)
    return None


def _own_group(proc: Path) -> tuple[Path, Path]:
    """The folder of this process's group, and that of the hierarchy as far as it is mounted here."""
    lines = (proc / "cgroup").read_text().splitlines()
    name = next(line.removeprefix("0::") for line in lines if line.startswith("0::"))
    mounts = [line.partition(" - ") for line in (proc / "mountinfo").read_text().splitlines()]
    shown, place = next(about.split(" ")[3:5] for about, _, kind in mounts if kind.startswith("cgroup2 "))
    return Path(place) / Path(name).relative_to(shown), Path(place)


def _is_given(path: Path, root: Path) -> bool:
    """Whether it is for this process to divide. Root may write everywhere; most of it is the system's."""
    try:
        if not os.access(path / "cgroup.procs", os.W_OK):
            return False
        if os.geteuid() != 0:
            return path.stat().st_uid == os.geteuid()
    except OSError:
        return False
    return path == root or any(_attribute(path, name) == b"1" for name in _DELEGATED)


def _attribute(path: Path, name: str) -> bytes:
    try:
        return os.getxattr(path, name)
    except OSError:
        return b""


def _enabled(path: Path) -> frozenset[str]:
    """Turn on what can be bounded in groups below; which of it is on."""
    control = path / "cgroup.subtree_control"
    try:
        control.write_text(" ".join(f"+{name}" for name in WANTED))
    except OSError:
        # Refused where processes are in the group itself, and where those above have turned one of them off.
        for name in WANTED:
            with suppress(OSError):
                control.write_text(f"+{name}")
    try:
        found = control.read_text().replace("+", "").split()
    except OSError:
        return frozenset()
    return frozenset(found).intersection(WANTED)


def _set(file: Path, value: str) -> None:
    """Write a limit. Raises `OSError`, also for one that the kernel has not taken."""
    if file.name == "memory.swap.max" and not file.exists():
        return  # this kernel does not count what is swapped out
    file.write_text(value)
    if file.read_text().strip() != value:
        raise OSError(f"{file} is {file.read_text().strip()}, not {value}")


def _end(path: Path) -> None:
    """Kill what is left in a group, and remove it."""
    with suppress(OSError):
        (path / "cgroup.kill").write_text("1")
    until = time.monotonic() + _EMPTY_WITHIN_S
    while _events(path / "cgroup.events").get("populated") and time.monotonic() < until:
        time.sleep(_LOOK_S)
    with suppress(OSError):
        path.rmdir()


def _events(file: Path) -> dict[str, int]:
    try:
        pairs = [line.split() for line in file.read_text().splitlines()]
        return {name: int(value) for name, value in pairs}
    except (OSError, ValueError):
        return {}
