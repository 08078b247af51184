"""Running hubs are noted where nobody else can write, and found only while they run."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.known_hubs import forget_hub, known_hubs, note_hub
from agenthub_runtime.embedded.place import RunningHub

HUB = RunningHub(pid=1, url="http://127.0.0.1:1", nats_url="n", postgres_url="p", started_at="", version="1")


def test_a_hub_is_found_while_it_runs(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    assert known_hubs() == []
    with data.claim():
        data.announce(HUB)
        note_hub(data)
        assert [(hub.url, hub.data_dir) for hub in known_hubs()] == [(HUB.url, data.root)]
        forget_hub(data)
        assert known_hubs() == []
        note_hub(data)
    assert known_hubs() == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_notes_that_others_can_write_are_not_believed(tmp_path: Path, mode: int) -> None:
    data = DataDir(tmp_path / "data")
    with data.claim():
        data.announce(HUB)
        note_hub(data)
        assert len(known_hubs()) == 1
        platformdirs.user_runtime_path("agenthub", appauthor=False).chmod(mode)
        assert known_hubs() == []
