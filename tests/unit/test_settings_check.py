"""What nobody reads, or what does not do what it seems to, is named before a hub runs with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_cli.client.settings_check import doubtful, unknown_names
from agenthub_cli.commands.doctor import doctor
from agenthub_cli.commands.up import _settings
from agenthub_runtime.errors import SettingsInvalid
from agenthub_runtime.settings.records import read_hub_settings, read_notifier_settings


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AGENTHUB_NOTIFY_QUIET_HOURS", "AGENTHUB_QUIET_HOURS"),
        ("AGENTHUB_PROVIDR", "AGENTHUB_PROVIDER"),
        ("AGENTHUB_NOTIFI_FILE", "AGENTHUB_NOTIFY_FILE"),
        ("agenthub_port", "AGENTHUB_PORT"),
        ("AGENT_HUB_PORT", "AGENTHUB_PORT"),
        ("AGENHUB_WORKERS", "AGENTHUB_WORKERS"),
    ],
)
def test_a_name_that_nobody_knows_is_named_with_the_nearest_known_one(name: str, meant: str) -> None:
    assert unknown_names({name: "x", "PATH": "/bin"}) == [
        f"{name} is set, and no setting has this name: did you mean {meant}?"
    ]


def test_a_name_like_no_other_is_named_too() -> None:
    [said] = unknown_names({"AGENTHUB_XYZZY_QQ_17": "x"})
    assert said.startswith("AGENTHUB_XYZZY_QQ_17 is set, and no setting has this name: see the list")


def test_what_is_known_or_belongs_to_others_is_not_named() -> None:
    env = (
        "AGENTHUB_PORT",
        "AGENTHUB_API_KEYS_FILE",
        "AGENTHUB_MODEL_CODING",
        "AGENTHUB_SKIP_UI",
        "AGENTHUB_IMAGE",
    )
    assert unknown_names(dict.fromkeys((*env, "AGENT_TYPE", "AGENDA", "SSH_AGENT_PID"), "x")) == []


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"AGENTHUB_NOTIFY": "http://hooks.example.org/s3cret"}, ("http://hooks.example.org:", "use https://")),
        ({"AGENTHUB_NOTIFY_ESCALATION": "http://10.1.2.3/x"}, ("AGENTHUB_NOTIFY_ESCALATION", "use https://")),
        ({"AGENTHUB_QUIET_HOURS": "22:00-07:00"}, ("AGENTHUB_QUIET_HOURS", "set AGENTHUB_NOTIFY")),
        ({"AGENTHUB_NOTIFY_DIGEST": "2h"}, ("AGENTHUB_NOTIFY_DIGEST", "set AGENTHUB_NOTIFY")),
        ({"AGENTHUB_PUBLIC_URL": "https://hub.example.org"}, ("hub.example.org", "AGENTHUB_ALLOWED_HOSTS")),
        (
            {"AGENTHUB_PUBLIC_URL": "http://hub.example.org", "AGENTHUB_ALLOWED_HOSTS": "hub.example.org"},
            ("plain http://", "use https://"),
        ),
        ({"AGENTHUB_MODEL": "big-one"}, ("big-one", "a script answers", "ANTHROPIC_API_KEY")),
    ],
)
def test_what_does_not_do_what_it_seems_to_is_said_with_its_remedy(
    env: dict[str, str], words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    [said] = found(env)
    for word in words:
        assert word in said
    assert "s3cret" not in said
    _settings(env)
    assert f"warning: {said}" in capsys.readouterr().err.splitlines(), "`agenthub up` says it when it starts"


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"AGENTHUB_NOTIFY": "https://hooks.example.org/x", "AGENTHUB_QUIET_HOURS": "22:00-07:00"},
        {"AGENTHUB_NOTIFY": "http://127.0.0.1:9000/x"},
        {"AGENTHUB_PUBLIC_URL": "http://localhost:8000"},
        {"AGENTHUB_PUBLIC_URL": "https://Hub.example.org", "AGENTHUB_ALLOWED_HOSTS": "a.example, hub.example.org"},
        {"AGENTHUB_MODEL": "big-one", "ANTHROPIC_API_KEY": "sk-x"},
    ],
)
def test_what_is_well_set_is_not_talked_about(env: dict[str, str]) -> None:
    assert found(env) == []


def found(env: dict[str, str]) -> list[str]:
    told = read_notifier_settings({**env, "NATS_URL": "nats://127.0.0.1:4222"})
    return doubtful(env, read_hub_settings(env), told)


@pytest.mark.parametrize("text", ["https://hub.example.org", "hub.example.org:8000", "hub.example.org/x"])
def test_an_allowed_host_that_can_match_no_request_is_refused(text: str) -> None:
    from agenthub_runtime.settings.records import read_gateway_settings

    env = {"NATS_URL": "nats://127.0.0.1:4222", "DATABASE_URL": "postgresql://127.0.0.1/x"}
    with pytest.raises(SettingsInvalid, match="more than the name of a host"):
        read_gateway_settings({**env, "AGENTHUB_ALLOWED_HOSTS": text})


def test_a_doctor_who_is_sent_to_a_hub_that_does_not_answer_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENTHUB_PROVIDR", "local")
    nowhere = "http://127.0.0.1:9"
    assert doctor(url=nowhere, data_dir=tmp_path, probe=False) == 1
    lines = capsys.readouterr().out.splitlines()
    [hub] = [line for line in lines if line.startswith("failed   hub")]
    assert f"none answers at {nowhere}" in hub
    [model] = [line for line in lines if line.split()[1] == "model"]
    assert f"not asked: no hub answers at {nowhere}" in model
    [settings] = [line for line in lines if line.split()[1] == "settings"]
    assert settings.startswith("warning")
    assert "did you mean AGENTHUB_PROVIDER?" in settings
