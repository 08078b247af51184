"""Tries each wall of the sandbox from inside, at the worker's start and for `agenthub doctor`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.bubblewrap import Bubblewrap, base_environment
from agenthub_worker.sandbox.host.cgroup import WANTED, ControlGroups
from agenthub_worker.sandbox.port import Sandbox

# What a wall is called, and a line of bash that ends with 0 where it is open.
_LEAKS = {
    "the host file system is visible": 'cat "$CANARY"',
    "the host network can be reached": '(exec 3<>/dev/tcp/127.0.0.1/"$PORT")',
    "the system can be written to": "(echo x >/usr/agenthub-probe)",
    "settings of the kernel can be written": "(cat /proc/sys/vm/swappiness >/proc/sys/vm/swappiness)",
}
_BOUNDS = {
    "no file lends its owner's rights": "touch lends && chmod u+s lends",
    "no keys of the hub": "grep -v ': empty$' /proc/keys",
    "no new user namespaces": "unshare --user true",
    "rare system calls refused": (
        'python3 -c "import ctypes, os, sys; call = ctypes.CDLL(None).syscall;'
        " arm = os.uname().machine == 'aarch64';"
        " keyctl, ptrace = (219, 117) if arm else (250, 101);"
        ' sys.exit(max(call(keyctl, 0, -3, 0), call(ptrace, 0x4206, 1, 0, 0)) < 0)"'
    ),
    "no exotic sockets": "python3 -c 'import socket; socket.socket(40, socket.SOCK_STREAM)'",
    "nothing outside of the workspace written": "(echo x >/agenthub-probe) || (echo x >/dev/agenthub-probe)",
    "memory of each process bounded": '[ "$(ulimit -d)" = unlimited ]',
    "number of processes bounded": '[ "$(ulimit -u)" = unlimited ]',
}
_OWN_NAMES = frozenset({"CANARY", "PORT", "PWD", "OLDPWD", "SHLVL", "_"})
_TIMEOUT_S = 120.0


class SandboxCheck(msgspec.Struct, frozen=True):
    """One wall: whether it holds here."""

    name: str
    holds: bool


async def probe(sandbox: Sandbox) -> tuple[SandboxCheck, ...]:
    """Try the walls and say which hold.

    Raises `SandboxUnavailable` when the sandbox does not start, or lets a command reach the hub or the machine.
    """
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with tempfile.TemporaryDirectory(prefix="agenthub-probe-") as folder:
            workspace, canary = _prepare(Path(folder))
            result = await sandbox.run(
                _script(),
                workspace=workspace,
                timeout_s=_TIMEOUT_S,
                env={"CANARY": str(canary), "PORT": str(port)},
            )
            made = workspace / "inside"
            owner = made.stat().st_uid if made.exists() else None
    finally:
        server.close()
        await server.wait_closed()
    problems = _problems(result.text)
    if problems:
        raise SandboxUnavailable(
            "The sandbox of this machine is not usable: " + "; ".join(problems) + ". "
            "Unprivileged user namespaces must be allowed (in a container: by its seccomp and AppArmor profile); "
            "AGENTHUB_ALLOW_UNSANDBOXED=1 runs commands without a sandbox, at your own risk."
        )
    # What could not join its group would not have begun.
    groups = sandbox.groups if isinstance(sandbox, Bubblewrap) else None
    return tuple(_checks(result.text, owner, groups))


def in_words(checks: tuple[SandboxCheck, ...]) -> str:
    """What holds and what does not, for people."""
    holding = ", ".join(check.name for check in checks if check.holds)
    open_ = ", ".join(check.name for check in checks if not check.holds)
    return f"holds: {holding}" + (f"; DOES NOT HOLD: {open_}" if open_ else "")


def _script() -> str:
    tried = [
        *(f"{{ {line}; }} >/dev/null 2>&1 && echo 'LEAK {name}'" for name, line in _LEAKS.items()),
        *(f'{{ {line}; }} >/dev/null 2>&1 && echo "OPEN {name}"' for name, line in _BOUNDS.items()),
    ]
    return "\n".join(
        [
            *tried,
            "(echo x >inside) || echo 'LEAK the workspace cannot be written to'",
            "echo \"NAMES $(tr '\\0' '\\n' </proc/1/environ | sed 's/=.*//' | tr '\\n' ' ')\"",
            "echo \"NAMES $(compgen -e | tr '\\n' ' ')\"",
            "echo DONE",
        ]
    )


def _prepare(folder: Path) -> tuple[Path, Path]:
    workspace, canary = folder / "workspace", folder / "canary"
    workspace.mkdir()
    canary.write_text("visible\n")
    return workspace, canary


def _problems(text: str) -> list[str]:
    lines = text.splitlines()
    if "DONE" not in lines:
        return [f"it does not start ({text.strip()[-300:] or 'no output'})"]
    found = [line.removeprefix("LEAK ") for line in lines if line.startswith("LEAK ")]
    names = {name for line in lines if line.startswith("NAMES ") for name in line.split()[1:]}
    foreign = sorted(names - _OWN_NAMES - set(base_environment("")))
    if foreign:
        found.append(f"it inherits {', '.join(foreign)}")
    return found


def _checks(text: str, owner: int | None, groups: ControlGroups | None) -> Iterator[SandboxCheck]:
    lines = set(text.splitlines())
    yield from (SandboxCheck(name, holds=True) for name in ("no host files", "no network", "no environment"))
    yield SandboxCheck("kernel settings read-only", holds=True)
    yield SandboxCheck("never root outside", holds=owner != 0)
    yield from (SandboxCheck(name, f"OPEN {name}" not in lines) for name in _BOUNDS)
    yield from (SandboxCheck(f"{what} watched", holds=True) for what in ("memory together", "disk"))
    for name in WANTED:
        yield SandboxCheck(f"{name} together by a cgroup", groups is not None and name in groups.controllers)
