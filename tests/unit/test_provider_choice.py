"""Which provider and which model, from settings."""

from __future__ import annotations

from typing import Any

import pytest

from agenthub_worker.errors import ProviderMissing
from agenthub_worker.llm.providers import ProviderSettings, choose_provider


@pytest.mark.parametrize(
    ("settings", "name", "url"),
    [
        ({"api_key": "k"}, "anthropic", "https://api.anthropic.com"),
        ({"api_key": "k", "base_url": "https://gateway.example"}, "anthropic", "https://gateway.example"),
        ({"base_url": "http://localhost:11434"}, "local", "http://localhost:11434"),
        ({"provider": "local", "api_key": "k", "base_url": "http://gpu:8080"}, "local", "http://gpu:8080"),
        ({"provider": "rehearsal", "base_url": "http://127.0.0.1:1"}, "rehearsal", "http://127.0.0.1:1"),
    ],
)
def test_settings_name_or_imply_a_provider(settings: dict[str, Any], name: str, url: str) -> None:
    provider = choose_provider(ProviderSettings(**settings))
    assert (provider.name, provider.base_url) == (name, url)
    assert provider.api_key


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({}, "ANTHROPIC_API_KEY"),
        ({"provider": "anthropic"}, "ANTHROPIC_API_KEY"),
        ({"provider": "local"}, "ANTHROPIC_BASE_URL"),
        ({"provider": "rehearsal"}, "ANTHROPIC_BASE_URL"),
        ({"provider": "oracle"}, "AGENTHUB_PROVIDER"),
    ],
)
def test_what_is_missing_is_named_as_the_setting_to_make(settings: dict[str, Any], setting: str) -> None:
    with pytest.raises(ProviderMissing, match=setting) as raised:
        choose_provider(ProviderSettings(**settings))
    assert raised.value.field == setting


def test_a_setting_for_a_type_wins_over_one_for_all_and_both_over_the_agents_file() -> None:
    provider = choose_provider(ProviderSettings(api_key="k", model="claude-fable-5-1", models={"testing": "opus"}))
    assert provider.model_for("testing", "haiku") == "claude-opus-5-5"
    assert provider.model_for("coding", "haiku") == "claude-fable-5-1"
    # What a person has named for a fork comes before all settings.
    assert provider.model_for("testing", "haiku", ordered="claude-haiku-4-5") == "claude-haiku-4-5"


@pytest.mark.parametrize(
    ("in_file", "model"),
    [
        ("haiku", "claude-haiku-5-5"),
        ("claude-opus-5", "claude-opus-5"),
        ("inherit", "claude-sonnet-5-5"),
        ("", "claude-sonnet-5-5"),
    ],
)
def test_without_settings_the_agents_file_decides_then_the_default(in_file: str, model: str) -> None:
    assert choose_provider(ProviderSettings(api_key="k")).model_for("coding", in_file) == model


def test_a_local_server_needs_to_be_told_its_model() -> None:
    untold = choose_provider(ProviderSettings(base_url="http://localhost:1"))
    with pytest.raises(ProviderMissing, match="AGENTHUB_MODEL_CODING"):
        untold.model_for("coding", "sonnet")
    told = choose_provider(ProviderSettings(base_url="http://localhost:1", model="qwen-coder"))
    assert told.model_for("coding", "sonnet") == "qwen-coder"


def test_a_rehearsal_is_called_by_its_name_whatever_is_set() -> None:
    provider = choose_provider(ProviderSettings(provider="rehearsal", base_url="http://127.0.0.1:1", model="opus"))
    assert provider.model_for("coding", "opus") == "rehearsal"
    assert "scripted" in provider.label


def test_the_key_is_in_no_text_form() -> None:
    settings = ProviderSettings(api_key="sk-ant-very-secret")
    for record in (settings, choose_provider(settings)):
        assert "very-secret" not in f"{record!r} {record}"


@pytest.mark.parametrize("key", ["sk-ant\nx", "schl\u00fcssel", "two words", "sk\x00", "\u201csk\u201d"])
def test_a_key_that_can_be_none_is_refused_at_once_and_not_told(key: str) -> None:
    with pytest.raises(ProviderMissing) as raised:
        choose_provider(ProviderSettings(api_key=key))
    assert raised.value.field == "ANTHROPIC_API_KEY"
    assert key not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://x:99999", "ftp://x", "http://a b", "http:///v1"]
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ProviderMissing) as raised:
        choose_provider(ProviderSettings(provider="local", base_url=url, model="m"))
    assert raised.value.field == "ANTHROPIC_BASE_URL"
