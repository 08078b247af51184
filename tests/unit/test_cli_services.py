"""Single services from the command line: what does not fit is told as everywhere, before anything is connected."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_events.agent_types import AGENT_TYPES
from tests.support.running_hub import run_cli


@pytest.mark.parametrize("service", ["orchestrator", "projector", "gateway", "worker", "notifier"])
def test_settings_that_are_missing_are_named_with_a_hint(service: str, tmp_path: Path) -> None:
    words = (service, "coding") if service == "worker" else (service,)
    told = run_cli(*words, env={"AGENTHUB_DATA_DIR": str(tmp_path)})
    first, *_, last = told.stderr.splitlines()
    assert (told.returncode, first) == (2, "error: Settings do not fit:")
    assert "  - NATS_URL is not set: " in told.stderr
    assert last.startswith("hint: ")


def test_a_worker_without_types_is_told_which_there_are() -> None:
    told = run_cli("worker")
    assert told.returncode == 2
    assert f"{', '.join(AGENT_TYPES)}\nhint: " in told.stderr


def test_every_option_says_what_it_is_for() -> None:
    for words in ("goal submit", "goal list", "goal watch", "goal cancel", "events show", "bench latency", "up"):
        table = run_cli(*words.split(), "--help", env={"COLUMNS": "200"}).stdout
        bare = [line for line in table.splitlines() if "--" in line and option_alone(line)]
        assert bare == [], words


def option_alone(line: str) -> bool:
    """Whether a row of a table of options holds names, a kind and perhaps brackets, but no words."""
    cells = line.strip("│ *").split("  ", 1)
    return len(cells) < 2 or cells[1].strip().startswith("[") or not cells[1].strip()
