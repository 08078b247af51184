"""Reads `compose.yaml` with the real Compose, whose program a wheel brings."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from agenthub_runtime.bus_users.secret_files import completed_files

ROOT = Path(__file__).resolve().parents[2]


def compose_program() -> Path:
    """The program itself. The wheel's command around it exits with 0 whatever happens."""
    found = importlib.util.find_spec("compose")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name("docker-compose")


def run_compose(*words: str, env: Mapping[str, str], file: Path = ROOT / "compose.yaml") -> tuple[int, str, str]:
    """Exit code and outputs of `docker compose -f FILE …`."""
    done = subprocess.run(
        [str(compose_program()), "-f", str(file), *words],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def compose_config(env: Mapping[str, str], *options: str) -> dict[str, Any]:
    """The file as Compose understands it. Fails the test with what Compose says."""
    code, out, problems = run_compose(*options, "config", "--format", "json", env=env)
    assert code == 0, problems
    config: dict[str, Any] = msgspec.json.decode(out)
    return config


def secrets_folder(folder: Path, *, hosts: tuple[str, ...] = (), **filled: str) -> Path:
    """A folder as `agenthub secrets` makes it; `filled` are files that people fill in."""
    folder.mkdir(parents=True)
    files, _ = completed_files(filled, hosts)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder
