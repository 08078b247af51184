"""Runs the scenario in a folder of its own, and writes the page of what was printed."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from tests.docs.cli_examples.normal import normal
from tests.docs.cli_examples.scenario import STEPS, Step
from tests.support.git_hosts import a_repository
from tests.support.running_hub import clean_environment
from tests.support.shells import BIN

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "cli-examples.md"
_BEGINNING = 12
_TIMEOUT_S = 900.0
_INTRODUCTION = (
    "# Command line: examples",
    "Every command once, on a hub with the scripted model, in the order in which it was run: a test runs them all,"
    " in this order, and holds what is shown here against what they print. Ids, times, ports and sizes are"
    " those of one run; `…` stands for lines that are left out. Where a command ended with another exit code than"
    " 0, it stands behind the output. Options: [command line](cli.md).",
)


class Ran(NamedTuple):
    """A step and what came of it."""

    step: Step
    code: int
    lines: list[str]


def run_all(folder: Path) -> Iterator[Ran]:
    """Run every step; the hub that was started is stopped whatever happens."""
    env = _environment(folder)
    paths = {str(folder): "~", f"{sys.executable} -m agenthub_cli.main": "agenthub", f"{BIN}/": ""}
    a_repository(folder / "mine", {"x.py": "x = 1\n"}, bare=False)
    (folder / "plan.json").write_text('[{"key": "hello", "title": "Say hello", "agent": "noop"}]')
    try:
        for step in STEPS:
            code, output = _run(step, folder, env)
            yield Ran(step, code, normal(output, paths))
    finally:
        subprocess.run([f"{BIN}/agenthub", "down"], cwd=folder, env=env, capture_output=True, check=False)


def page_of(ran: list[Ran]) -> str:
    """The page that shows them."""
    parts = list(_INTRODUCTION)
    for step, code, lines in ran:
        shown = _shown(step, lines)
        ended = [f"(exit code {code})"] if code else []
        parts.append("\n".join(("```text", f"$ agenthub {step.words}", *shown, *ended, "```")))
    return "\n\n".join(parts) + "\n"


def documented() -> dict[str, list[str]]:
    """The lines that the page shows, by command."""
    found: dict[str, list[str]] = {}
    for block in PAGE.read_text(encoding="utf-8").split("```text\n")[1:]:
        first, *lines = block.partition("\n```")[0].splitlines()
        words = first.removeprefix("$ agenthub ")
        found.setdefault(words, []).extend(line for line in lines if line != "…" and not line.startswith("(exit"))
    return found


def _shown(step: Step, lines: list[str]) -> list[str]:
    if step.shown == "all" or len(lines) <= _BEGINNING:
        return lines
    return [*lines[:_BEGINNING], "…"]


def _run(step: Step, folder: Path, env: Mapping[str, str]) -> tuple[int, str]:
    command = [f"{BIN}/agenthub", *shlex.split(step.words)]
    if not step.until:
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        return done.returncode, done.stdout
    with subprocess.Popen(
        command, cwd=folder, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if step.until in line:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_TIMEOUT_S)
    return 0, "".join(lines)


def _environment(folder: Path) -> dict[str, str]:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    (folder / "run").mkdir(mode=0o700)
    env = clean_environment()
    return {
        **env,
        "PATH": f"{BIN}:{env['PATH']}",
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "AGENTHUB_DATA_DIR": str(folder / "hub"),
        "AGENTHUB_PORT": str(port),
        "AGENTHUB_PROVIDER": "rehearsal",
        "AGENTHUB_WORKERS": "architect+planner=1,coding=2,testing=1,debug+security+review=1,noop=1",
        "BROWSER": os.devnull,
        "COLUMNS": "100",
    }
