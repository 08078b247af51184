"""What a read command loads before its first word: counted in modules, since time is the machine's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agenthub_cli.client.environment import SETTINGS_BEGIN
from agenthub_runtime.settings.table import SETTINGS

pytestmark = pytest.mark.extra

_RUN = """
import json, sys
from agenthub_cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
else:
    code = 0
sys.stdout.write(json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""
MODULES = 270
"""Of these about 200 are cyclopts, the HTTP client of the standard library, and what they stand on."""

TOO_MUCH = (
    "agenthub_events.catalogue",
    "agenthub_runtime.settings",
    "agenthub_runtime.bus_users",
    "agenthub_cli.client.wording",
    "agenthub_cli.options.submit_options",
    "asyncio",
    "structlog",
    "nats",
    "webbrowser",
    "rich",
    "markdown_it",
    "pygments",
)
HELP_MODULES = 145
"""Of these about 120 are what the interpreter and `msgspec` stand on."""


@pytest.mark.parametrize(
    "words",
    [
        ("goal", "list"),
        ("goal", "show", "g-01m86fq6xhjjtja9qmx9me1vps"),
        ("goal", "log", "@last"),
        ("goal", "diff", "@last"),
        ("goal", "plan", "@last"),
        ("goal", "trace", "@last"),
        ("goal", "transcript", "@last", "plan-1"),
        ("status",),
        ("inbox",),
        ("events", "show", "@last"),
        ("queues",),
        ("workers",),
        ("analytics",),
        ("metrics",),
    ],
    ids=" ".join,
)
def test_a_read_command_loads_little(tmp_path: Path, words: tuple[str, ...]) -> None:
    # Shells name files of others in variables that end like ours.
    told = _ran(tmp_path, *words, "--url", "http://127.0.0.1:1", SSL_CERT_FILE="/etc/ssl/cert.pem")
    found = json.loads(told.stdout)
    assert found["code"] == 4, told.stderr  # nobody answers there
    assert [name for name in found["modules"] if name.startswith(TOO_MUCH)] == []
    assert len(found["modules"]) <= MODULES
    assert "Warning" not in told.stderr


@pytest.mark.parametrize(
    "words", [("--help",), ("goal",), ("goal", "submit", "--help"), ("up", "-h")], ids=" ".join
)
def test_help_loads_no_command_and_not_what_reads_command_lines(tmp_path: Path, words: tuple[str, ...]) -> None:
    told = _ran(tmp_path, *words)
    shown, _, listed = told.stdout.rpartition("\n")
    modules = json.loads(listed)["modules"]
    assert shown.startswith("Usage: agenthub")
    assert [name for name in modules if name.startswith((*TOO_MUCH, "cyclopts", "agenthub_cli.commands"))] == []
    assert len(modules) <= HELP_MODULES


def test_every_setting_begins_as_the_command_line_takes_it() -> None:
    assert [setting.name for setting in SETTINGS if not setting.name.startswith(SETTINGS_BEGIN)] == []


def _ran(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _RUN, *words],
        env={"AGENTHUB_DATA_DIR": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder), **env},
        capture_output=True,
        check=True,
        text=True,
    )
