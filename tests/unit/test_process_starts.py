"""One module starts programs: what it costs, what a child inherits and how it ends is decided there alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROCESSES = ROOT / "libs/runtime/agenthub_runtime/processes"

STARTING = {
    "asyncio": ("create_subprocess_", "subprocess.create_subprocess_"),
    "os": ("exec", "fork", "forkpty", "popen", "posix_spawn", "spawn", "system"),
    "subprocess": ("Popen", "call", "check_", "getoutput", "getstatusoutput", "run"),
    "concurrent.futures": ("ProcessPoolExecutor",),
    "multiprocessing": ("",),
    "pty": ("",),
    "_posixsubprocess": ("",),
}
LOOP_METHODS = ("subprocess_exec", "subprocess_shell")
EXPECTED = {
    (PROCESSES / "spawn.py", "subprocess.Popen"),
    (PROCESSES / "launch.py", "os.execve"),  # becomes another program, starts none
    (
        ROOT / "services/worker/agenthub_worker/sandbox/lasting/inside.py",
        "os.posix_spawn",
    ),  # not the hub: runs in a sandbox
}


def starts_in(source: str) -> set[str]:
    """Every name in a module by which a program can be started."""
    tree = ast.parse(source)
    aliases = {
        alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names = {name for node in ast.walk(tree) for name in _names(node, aliases)}
    return {name for name in names if _starts(name)}


def _names(node: ast.AST, aliases: dict[str, str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [f"{alias.name}." for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Attribute):
        head, dot, rest = ast.unparse(node).partition(".")
        return [f"{aliases.get(head, head)}{dot}{rest}"]
    return []


def _starts(name: str) -> bool:
    return name.endswith(LOOP_METHODS) or any(
        name.startswith(f"{module}.{start}") for module, starts in STARTING.items() for start in starts
    )


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess\nsubprocess.run(['ls'])",
        "import subprocess as s\nstart = s.Popen",
        "from subprocess import check_output",
        "import asyncio\nasyncio.create_subprocess_exec('ls')",
        "from asyncio import create_subprocess_shell",
        "loop.subprocess_exec(protocol, 'ls')",
        "import os\nos.posix_spawn('/bin/ls', ['ls'], {})",
        "from os import fork",
        "import multiprocessing",
        "from multiprocessing import Process",
        "from concurrent.futures import ProcessPoolExecutor",
    ],
)
def test_a_start_is_seen_however_it_is_written(source: str) -> None:
    assert starts_in(source)


def test_constants_and_errors_of_the_library_are_no_start() -> None:
    assert not starts_in("import subprocess\nsubprocess.PIPE\nsubprocess.TimeoutExpired\nimport os\nos.kill(1, 9)")


def test_nothing_but_one_module_starts_programs() -> None:
    modules = [path for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.py")]
    assert len(modules) > 100
    assert {(path, name) for path in modules for name in starts_in(path.read_text())} == EXPECTED
