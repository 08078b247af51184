"""`agenthub.toml`: every setting, the environment above it, and nothing in it that is not understood."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agenthub_runtime.errors import SettingsInvalid
from agenthub_runtime.settings.records import read_hub_settings
from agenthub_runtime.settings.setting import Setting
from agenthub_runtime.settings.settings_file import (
    NAME,
    OUT_OF_PLACE,
    key_of,
    read_settings_file,
    with_settings_file,
)
from agenthub_runtime.settings.table import SETTINGS

SAMPLES = {"address": "http://127.0.0.1:1", "number": "7", "yes or no": "yes", "folder": "/tmp", "text": "words"}
OF_THEIR_OWN = {
    "NATS_URL": "nats://host:4222",
    "DATABASE_URL": "postgresql://host/agenthub",
    "AGENT_TYPE": "coding",
    "AGENTHUB_GIT_FORGES": "git.example.org=gitlab",
    "AGENTHUB_GIT_SSH_KEYS": "git.example.org=/keys/id_ed25519",
    "AGENTHUB_GIT_TOKENS": "git.example.org=some-long-token-99",
    "AGENTHUB_HOOKS": "git.example.org/ada/service=some-long-secret-99",
    "AGENTHUB_HOOK_PEOPLE": "git.example.org/ada",
    "AGENTHUB_PROVIDER": "local",
    "AGENTHUB_LOG_FORMAT": "json",
    "AGENTHUB_LOG_LEVEL": "debug",
    "AGENTHUB_WORKERS": "coding=1",
    "AGENTHUB_NOTIFY": "ann@example.org",
    "AGENTHUB_NOTIFY_ESCALATION": "https://hooks.example.org/x",
    "AGENTHUB_NOTIFY_DIGEST": "2h",
    "AGENTHUB_QUIET_HOURS": "22:00-07:00 Europe/Berlin",
    "AGENTHUB_SMTP_URL": "smtp://mail.example.org",
    "AGENTHUB_ESCALATE_AFTER": "1h",
    "AGENTHUB_METRICS": "127.0.0.1:0",
    "AGENTHUB_SEAL_KEY": "ab" * 32,
    "AGENTHUB_SEAL_KEYS": ",".join(("cd" * 32, "ef" * 32)),
    "AGENTHUB_MAIL_FROM": "hub@example.org",
    "AGENTHUB_WEBHOOK_SECRETS": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / NAME
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def problems(path: Path) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        read_settings_file(path)
    return str(caught.value)


def test_keys_are_the_names_of_the_table_and_no_two_are_the_same() -> None:
    assert len({key_of(setting) for setting in SETTINGS}) == len(SETTINGS)


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.name not in OUT_OF_PLACE], ids=lambda s: s.name)
def test_every_setting_of_the_table_can_stand_in_the_file(tmp_path: Path, setting: Setting[Any]) -> None:
    text = setting.default or OF_THEIR_OWN.get(setting.name) or SAMPLES.get(setting.kind, "some-long-text-99")
    path = written(tmp_path, f"{key_of(setting)} = '{text}'")
    assert read_settings_file(path) == {setting.name: text}


def test_values_have_the_forms_of_toml(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'port = 8010\nallow_unsandboxed = true\nallowed_hosts = ["a.example", "b.example"]\n'
        'secrets = ["one,two,three", "four-five-six"]\n[workers]\ncoding = 2\n"architect+planner" = 1\n',
    )
    assert read_settings_file(path) == {
        "AGENTHUB_PORT": "8010",
        "AGENTHUB_ALLOW_UNSANDBOXED": "yes",
        "AGENTHUB_ALLOWED_HOSTS": "a.example,b.example",
        "AGENTHUB_SECRETS": '["one,two,three","four-five-six"]',
        "AGENTHUB_WORKERS": "coding=2,architect+planner=1",
    }


def test_the_environment_wins_and_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    written(tmp_path, 'port = 8010\nhost = "::1"\n')
    hub = read_hub_settings(with_settings_file({"AGENTHUB_PORT": "9", "AGENTHUB_HOST": " "}, tmp_path))
    assert (hub.port, hub.host) == (9, "::1")


def test_without_a_file_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert with_settings_file({"A": "b"}, tmp_path / "missing") == {"A": "b"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("prot = 1", "`prot` in"),
        ("prot = 1", "did you mean `port`?"),
        ("AGENTHUB_PORT = 1", "did you mean `port`?"),
        ("api-keys = ['a:long-enough']", "did you mean `api_keys`?"),
        ("zzzzzz = 1", "there is no such setting"),
        ("[agenthub]\nport = 1", "`agenthub` in"),
        ("port = 'many'", "use a whole number from 0 to 65535"),
        ("port = 1.5", "it takes a whole number"),
        ("port = [1]", "it takes a whole number"),
        ("port = true", "use a whole number"),
        ("host = []", "it takes one text"),
        ("api_keys = [1]", 'it takes a list of texts, such as ["one", "two"]'),
        ("allowed_hosts = ['a,b']", "an entry cannot hold a comma"),
        ("workers = { coding = true }", "it takes a table or a text of counts"),
        ("workers = { baker = 1 }", "unknown agent `baker`"),
        ("data_dir = '/x'", "the file lies in the data folder"),
        ("embedded = true", "the embedded stack sets it by itself"),
        ("port = ", "is no TOML"),
    ],
)
def test_what_does_not_fit_is_named_with_the_remedy(tmp_path: Path, line: str, words: str) -> None:
    assert words in problems(written(tmp_path, line))


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = problems(written(tmp_path, "prot = 1\nport = 'x'\nslots = 0\n"))
    assert text.count("\n  - ") == 3


@pytest.mark.parametrize(
    "line",
    [
        "anthropic_api_key = 'sk-very-secret'",
        "nats_url = 'nats://me:very-secret-9@h'",
        "api_keys = ['ann:very-secret-key-of-ann-0123456789']",
    ],
)
def test_a_secret_that_others_can_read_is_refused_and_not_shown(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, line, mode=0o644)
    text = problems(path)
    assert f"chmod 600 {path}" in text
    assert "very-secret" not in text
    path.chmod(0o600)
    assert read_settings_file(path)


def test_a_file_without_secrets_may_be_read_by_others(tmp_path: Path) -> None:
    assert read_settings_file(written(tmp_path, "port = 1", mode=0o644)) == {"AGENTHUB_PORT": "1"}


def test_bytes_that_are_no_text_and_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"port = '\xff'")
    assert "save it as UTF-8" in problems(path)
    path.unlink()
    os.mkdir(path)
    assert f"{path} cannot be read: Is a directory" in problems(path)
