"""`agenthub secrets`: a folder of files that services can read and nobody else can list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.running_hub import run_cli

pytestmark = pytest.mark.extra


def test_the_folder_is_its_owners_and_its_files_are_those_of_services(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "secrets"
    done = run_cli("secrets", str(folder))

    assert done.returncode == 0, done.stderr
    assert "files made or changed" in done.stdout
    assert "anthropic_api_key" in done.stdout
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes.pop("nats_ca.key") == 0o600
    assert set(modes.values()) == {0o644}
    seed = (folder / "nats_seed_gateway").read_text().strip()
    assert seed.startswith("SU")
    assert seed not in done.stdout + done.stderr


def test_a_second_time_changes_nothing_and_says_so(tmp_path: Path) -> None:
    run_cli("secrets", str(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "anthropic_api_key").write_text("sk-ant-x")
    again = run_cli("secrets", str(tmp_path), "--json")

    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    # A line end is put behind what a person has filled in.
    assert [json.loads(line)["file"] for line in again.stdout.splitlines()] == [
        str(tmp_path / "anthropic_api_key")
    ]
    assert after == {**before, "anthropic_api_key": b"sk-ant-x\n"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nats_ca.pem", b"no certificate"),
        ("nats_seed_gateway", b"SUxyz"),
        ("seal_key", b"\xff\xfe"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, content: bytes
) -> None:
    run_cli("secrets", str(tmp_path))
    (tmp_path / name).write_bytes(content)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    done = run_cli("secrets", str(tmp_path), "--host", "another.example.org")

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_cli("secrets", str(tmp_path / "file"))

    assert done.returncode != 0
    assert "cannot be used" in done.stderr
