"""`agenthub demo --clean` removes what demos have left, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agenthub_cli.commands.demo import demo
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.file_lock import try_lock


def left_by_a_demo(folder: Path, name: str) -> Path:
    """The folder of a demo's hub, with a file deep in it."""
    home = folder / name
    DataDir(home).prepare()
    (home / "secret.json").write_text("{}")
    (home / "result" / "auth").mkdir(parents=True)
    (home / "result" / "auth" / "jwt.py").write_text("x = 1\n")
    return home


def test_what_demos_have_left_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    homes = [left_by_a_demo(tmp_path, f"demo-20261128-18000{number}") for number in range(2)]
    assert demo(folder=tmp_path, clean=True) == 0
    assert not any(home.exists() for home in homes)
    assert capsys.readouterr().out == "".join(f"Removed {home}\n" for home in homes)
    assert demo(folder=tmp_path, clean=True, json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"removed": []}
    assert demo(folder=tmp_path / "nowhere", clean=True) == 0
    assert "No demo has left anything" in capsys.readouterr().out


def test_a_demo_that_runs_or_only_starts_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = left_by_a_demo(tmp_path, "demo-20261128-180000")
    held = os.open(home / "lock", os.O_RDWR | os.O_CREAT)
    try:
        assert try_lock(held)
        assert demo(folder=tmp_path, clean=True) == 0
    finally:
        os.close(held)
    assert capsys.readouterr().out.startswith(f"{home} runs, and stays\n")
    assert (home / "result").exists()


@pytest.mark.parametrize("name", ["demo-", "demo-mine", "demo-20261128", "hub", "demo-20261128-180000-kept"])
def test_what_only_looks_like_a_demo_stays(tmp_path: Path, name: str) -> None:
    home = left_by_a_demo(tmp_path, name)
    assert demo(folder=tmp_path, clean=True) == 0
    assert (home / "result" / "auth" / "jwt.py").exists()


def test_a_folder_that_no_hub_has_made_and_a_link_stay(tmp_path: Path) -> None:
    mine = tmp_path / "demo-20261128-180000"
    mine.mkdir()
    elsewhere = left_by_a_demo(tmp_path / "elsewhere", "demo-20261128-180001")
    (tmp_path / "demo-20261128-180002").symlink_to(elsewhere)
    assert demo(folder=tmp_path, clean=True) == 0
    assert mine.exists()
    assert elsewhere.exists()
