"""What `agenthub up` tells people when the hub is ready."""

from __future__ import annotations

from pathlib import Path

from agenthub_cli.commands.up import greeting
from agenthub_runtime.embedded.data_folder import DataDir, RunningHub
from agenthub_runtime.settings.records import read_hub_settings

HUB = RunningHub(
    pid=1,
    url="http://127.0.0.1:8000",
    nats_url="nats://127.0.0.1:4222",
    postgres_url="postgresql://127.0.0.1:5432/agenthub",
    started_at="2026-11-24T09:00:00Z",
    version="1",
)


def told(tmp_path: Path, **env: str) -> str:
    return greeting(HUB, DataDir(tmp_path), read_hub_settings(env))


def test_a_hub_with_keys_names_the_variable_that_commands_take_theirs_from(tmp_path: Path) -> None:
    assert "AGENTHUB_API_KEY" not in told(tmp_path)
    keyed = told(tmp_path, AGENTHUB_API_KEYS="anna:s3cret")
    assert "set AGENTHUB_API_KEY to one of them" in keyed
    assert "s3cret" not in keyed


def test_a_hub_without_a_worker_for_a_type_warns(tmp_path: Path) -> None:
    assert "no worker serves" in told(tmp_path, AGENTHUB_WORKERS="noop=1")
