"""The machine on which commands run: its system, and the tools that they find there with their versions."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from agenthub_runtime.processes.spawn import run
from agenthub_worker.environment.environment import Environment
from agenthub_worker.environment.own_places import contents
from agenthub_worker.sandbox.bubblewrap import SYSTEM_PATH, search_path

ALWAYS = ("git", "rg", "bash", "make", "gcc")
"""Programs whose version everybody is told: they say it at once."""

OF_LANGUAGE = {
    "JavaScript": ("node",),
    "TypeScript": ("node",),
    "Go": ("go",),
    "Rust": ("cargo",),
    "Java": ("java",),
    "Ruby": ("ruby",),
    "PHP": ("php",),
}
"""Programs whose version those are told whose repository has code in this language."""

_OTHERS = ("cmake", "g++", "curl", "jq", "sqlite3", "npm", "mvn", "gradle", "psql", "uv")
_VERSION = re.compile(r"\d+(?:\.\d+)+|\d{2,}")
_ASKED = {"go": "version"}
_ASK_WITHIN_S = 60.0
_SAID_CHARS = 40


class Machine:
    """What this machine says of itself; each program is asked once for its version while this process lives."""

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}

    async def lines(self, environment: Environment | None, languages: Iterable[str]) -> list[str]:
        """The system, and the tools that a command in `environment` (None: with what the hub has) finds."""
        path = environment.paths()["PATH"] if environment else search_path()
        wanted = dict.fromkeys((*ALWAYS, *(name for one in languages for name in OF_LANGUAGE.get(one, ()))))
        tools = [line for name in wanted if (line := await self._tool(name, path))]
        present = [name for name in (*_OTHERS, *_programs(wanted)) if shutil.which(name, path=path)]
        also = f"; also there: {', '.join(present)}" if present else ""
        return [await asyncio.to_thread(_system), f"Tools: {', '.join([_python(environment), *tools])}{also}"]

    async def _tool(self, name: str, path: str) -> str:
        # Only what this machine has: a program of the project's own environment is not run out here.
        program = shutil.which(name, path=path)
        if program is None:
            return ""
        if program not in self._versions:
            self._versions[program] = await _version(program, _ASKED.get(name, "--version"))
        return f"{name} {self._versions[program]}".strip()


def _programs(told: Iterable[str]) -> Iterator[str]:
    yield from dict.fromkeys(name for names in OF_LANGUAGE.values() for name in names if name not in told)


def _system() -> str:
    name = "Linux"
    with suppress(OSError):
        for line in Path("/etc/os-release").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("PRETTY_NAME="):
                name = line.removeprefix("PRETTY_NAME=").strip("\"'")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"System: {name}, kernel {platform.release()}, {platform.machine()}, {processors} processors"


def _python(environment: Environment | None) -> str:
    if environment is None or "python" not in environment.languages:
        return f"python {platform.python_version()}"
    places = sorted((environment.folder / "python" / "lib").glob("python3.*"))
    for line in contents(environment.folder / "python" / "pyvenv.cfg").decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("version", "version_info") and _VERSION.fullmatch(value.strip()):
            return f"python {value.strip()}"
    return f"python {places[0].name.removeprefix('python')}" if places else "python"


async def _version(program: str, option: str) -> str:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_ASK_WITHIN_S):
            answer = await run(
                [program, option], env={"PATH": SYSTEM_PATH, "HOME": "/nonexistent", "LC_ALL": "C"}, limit=4096
            )
        # Java says it on the other channel.
        found = _VERSION.search((answer.stdout or answer.stderr).decode("utf-8", "replace"))
        return found[0][:_SAID_CHARS] if found else ""
    return ""
