"""A gate is data: whoever adds one writes its entry and its runner."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_goal_goes_through_a_gate_that_was_added_by_its_entry_and_its_runner() -> None:
    plugin, walk = "tests.unit.fourth_gate.added", "tests/unit/fourth_gate/walk.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", plugin, walk]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
