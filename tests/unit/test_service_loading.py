"""What the process of a service loads before it is ready: counted in modules, since time is the machine's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.extra

SERVICES = (
    "agenthub_gateway",
    "agenthub_notifier",
    "agenthub_orchestrator",
    "agenthub_orchestrator.projector",
    "agenthub_worker",
    "agenthub_worker.rehearsal",
)
TOO_MUCH = ("rich.", "pygments", "cyclopts", "markdown_it", "anthropic")
_RUN = """
import gc, runpy, sys
try:
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
except SystemExit:
    print(*sorted(sys.modules))
    print(gc.isenabled(), gc.get_freeze_count() > 10_000, "rich" in sys.modules)
"""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_loads_little_and_looks_for_rubbish_only_among_what_comes_after(service: str) -> None:
    env = {"PATH": os.environ["PATH"], "AGENTHUB_MAX_RETRIES": "none"}  # a setting that ends it at once
    words = [sys.executable, "-c", _RUN, service, "--help"]
    ran = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    modules, figures = ran.stdout.splitlines()[-2:]
    assert service in modules.split(), ran.stderr
    assert [name for name in modules.split() if name.startswith(TOO_MUCH)] == []
    assert figures == "True True False"
