"""What a read command loads before its first word: counted in modules, since time is the machine's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.extra

_RUN = """
import json, sys
from agenthub_cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
sys.stdout.write(json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""
MODULES = 270
"""Of these about 200 are cyclopts, the HTTP client of the standard library, and what they stand on."""

TOO_MUCH = (
    "agenthub_events.catalogue",
    "agenthub_runtime.settings",
    "agenthub_runtime.bus_users",
    "asyncio",
    "rich",
)


@pytest.mark.parametrize(
    "words",
    [
        ("goal", "list"),
        ("goal", "show", "g-01m86fq6xhjjtja9qmx9me1vps"),
        ("goal", "log", "@last"),
        ("status",),
        ("inbox",),
        ("events", "show", "@last"),
        ("queues",),
        ("workers",),
        ("analytics",),
    ],
    ids=" ".join,
)
def test_a_read_command_loads_little(tmp_path: Path, words: tuple[str, ...]) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _RUN, *words, "--url", "http://127.0.0.1:1"],
        env={"AGENTHUB_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    )
    found = json.loads(told.stdout)
    assert found["code"] == 4, told.stderr  # nobody answers there
    assert [name for name in found["modules"] if name.startswith(TOO_MUCH)] == []
    assert len(found["modules"]) <= MODULES
    assert "Warning" not in told.stderr
