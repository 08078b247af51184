"""Checks once, at the worker's start, that the sandbox really closes: a box that leaks is worse than none."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.bubblewrap import base_environment
from agenthub_worker.sandbox.port import Sandbox

_SCRIPT = """
cat "$CANARY" 2>/dev/null && echo 'LEAK the host file system is visible'
(exec 3<>/dev/tcp/127.0.0.1/"$PORT") 2>/dev/null && echo 'LEAK the host network can be reached'
(echo x >/usr/agenthub-probe) 2>/dev/null && echo 'LEAK the system can be written to'
echo "NAMES $(tr '\\0' '\\n' </proc/1/environ | sed 's/=.*//' | tr '\\n' ' ')"
(echo x >inside) || echo 'LEAK the workspace cannot be written to'
echo "NAMES $(compgen -e | tr '\\n' ' ')"
echo DONE
"""
_OWN_NAMES = frozenset({"CANARY", "PORT", "PWD", "OLDPWD", "SHLVL", "_"})
_TIMEOUT_S = 20.0


async def probe(sandbox: Sandbox) -> None:
    """Run a canary in the sandbox. Raises `SandboxUnavailable` when it does not start, or leaks."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with tempfile.TemporaryDirectory(prefix="agenthub-probe-") as folder:
            workspace, canary = _prepare(Path(folder))
            result = await sandbox.run(
                _SCRIPT,
                workspace=workspace,
                timeout_s=_TIMEOUT_S,
                env={"CANARY": str(canary), "PORT": str(port)},
            )
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
