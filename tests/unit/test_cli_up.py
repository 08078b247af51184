"""What `agenthub up` tells people when the hub is ready."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agenthub_cli.commands.up import greeting, model_lines
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.place import RunningHub
from agenthub_runtime.jetstream.fleet import ModelReport
from agenthub_runtime.settings.records import read_hub_settings

HUB = RunningHub(
    pid=1,
    url="http://127.0.0.1:8000",
    nats_url="nats://127.0.0.1:4222",
    postgres_url="postgresql://127.0.0.1:5432/agenthub",
    started_at="2026-11-24T09:00:00Z",
    version="1",
)


REPORT = ModelReport(
    provider="anthropic",
    label="Anthropic",
    models={"planner": "claude-opus-5-5", "coding": "claude-sonnet-5-5", "debug": "claude-sonnet-5-5"},
    prices="agenthub's table of 2026-11-24",
)


def told(tmp_path: Path, **env: str) -> str:
    return greeting(HUB, DataDir(tmp_path), read_hub_settings(env))


def test_the_greeting_names_provider_models_prices_and_what_the_probe_showed() -> None:
    probed = msgspec.structs.replace(REPORT, state="ok", found="answers")
    assert [line.strip() for line in model_lines(probed)] == [
        "model     Anthropic",
        "claude-opus-5-5: planner; claude-sonnet-5-5: coding, debug",
        "prices    agenthub's table of 2026-11-24",
        "probe     ok: answers",
    ]


def test_the_greeting_says_when_no_probe_was_made_or_none_has_come_back() -> None:
    assert model_lines(REPORT)[-1] == "  probe     not made"
    assert "not answered yet" in model_lines(None)[-1]


def test_a_probe_that_failed_is_in_the_greeting_and_keeps_no_hub_from_starting() -> None:
    failed = msgspec.structs.replace(REPORT, state="failed", found="the key is wrong")
    assert model_lines(failed)[-1] == "  probe     failed: the key is wrong"


def test_a_hub_with_keys_names_the_variable_that_commands_take_theirs_from(tmp_path: Path) -> None:
    assert "AGENTHUB_API_KEY" not in told(tmp_path)
    keyed = told(tmp_path, AGENTHUB_API_KEYS="anna:s3cret-of-16-or-more")
    assert "set AGENTHUB_API_KEY to one of them" in keyed
    assert "s3cret" not in keyed


def test_a_hub_without_a_worker_for_a_type_warns(tmp_path: Path) -> None:
    assert "no worker serves" in told(tmp_path, AGENTHUB_WORKERS="noop=1")
