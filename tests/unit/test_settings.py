"""Settings: read once, every wrong value named with its remedy, nothing secret shown."""

from __future__ import annotations

import pytest

from agenthub_events.errors import InvalidInput
from agenthub_runtime.errors import SettingsInvalid
from agenthub_runtime.settings.api_keys import read_api_key
from agenthub_runtime.settings.records import (
    read_gateway_settings,
    read_hub_settings,
    read_log_settings,
    read_orchestrator_settings,
    read_projector_settings,
    read_worker_settings,
)
from agenthub_runtime.settings.table import SETTINGS
from agenthub_runtime.settings.worker_counts import DEFAULT_WORKERS, parse_workers, unserved

BUS = {"NATS_URL": "nats://agenthub:hush@127.0.0.1:4222"}
BOTH = {**BUS, "DATABASE_URL": "postgresql://agenthub:hush@127.0.0.1:5432/agenthub"}


def test_an_empty_environment_is_enough_for_the_embedded_stack() -> None:
    hub = read_hub_settings({})
    assert (hub.host, hub.port, hub.provider, hub.data_dir) == ("127.0.0.1", 8000, "", None)
    assert hub.workers == parse_workers(DEFAULT_WORKERS)


def test_every_default_fits_its_own_rule() -> None:
    for setting in SETTINGS:
        if setting.default:
            setting.parse(setting.default)
        assert setting.doc.endswith(".")


def test_an_empty_value_counts_as_not_set() -> None:
    assert read_gateway_settings({**BOTH, "AGENTHUB_PORT": ""}).port == 8000


def test_one_error_names_every_value_that_does_not_fit() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        read_worker_settings({"AGENTHUB_SLOTS": "many", "AGENT_TYPE": "baker", "AGENTHUB_LOG_LEVEL": "loud"})
    text = str(caught.value)
    assert len(caught.value.problems) == 4
    for part in (
        "NATS_URL is not set",
        "AGENTHUB_SLOTS is `many`",
        "unknown agent `baker`",
        "debug, info, warning",
    ):
        assert part in text


def test_a_value_that_may_hold_a_credential_is_not_shown_in_the_error() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        read_orchestrator_settings({"NATS_URL": "http://me:hush@host", "DATABASE_URL": "mysql://me:hush@host"})
    assert "hush" not in str(caught.value)


def test_records_do_not_show_their_credentials() -> None:
    worker = read_worker_settings({**BUS, "AGENT_TYPE": "coding", "ANTHROPIC_API_KEY": "hush"})
    gateway = read_gateway_settings({**BOTH, "AGENTHUB_API_KEYS": "hush-hush-hush-hush"})
    hub = read_hub_settings({"ANTHROPIC_API_KEY": "hush", **BOTH})
    assert worker.api_key == "hush"
    assert gateway.api_keys == ("hush-hush-hush-hush",)
    assert "hush" not in f"{worker!r}{gateway!r}{hub!r}"


def test_every_credential_of_a_process_is_known_and_so_masked() -> None:
    held = {
        "NATS_URL": "nats://agenthub:n4ts-password@a:4222,nats://n4ts-token-1@b:4222",
        "DATABASE_URL": "postgresql://agenthub:p%40ss-w0rd@127.0.0.1:5432/agenthub",
        "AGENTHUB_API_KEYS": "ada:read:key-of-ada-0000001,key-without-a-name-1",
        "AGENTHUB_API_KEY": "key-of-commands-1",
        "ANTHROPIC_API_KEY": "key-of-the-model-1",
        "ANTHROPIC_BASE_URL": "http://user:pr0xy-password@127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20key-of-traces-1, x=key-of-traces-2",
    }
    secrets = read_log_settings({**held, "AGENTHUB_SECRETS": "one-more-1, one-more-2"}).secrets
    for secret in (
        *(
            "n4ts-password",
            "n4ts-token-1",
            "p%40ss-w0rd",
            "p@ss-w0rd",
            "key-of-ada-0000001",
            "key-without-a-name-1",
        ),
        *(
            "key-of-commands-1",
            "key-of-the-model-1",
            "pr0xy-password",
            "Bearer key-of-traces-1",
            "key-of-traces-2",
        ),
        *("one-more-1", "one-more-2"),
    ):
        assert secrets.masked(f"a {secret} b") == "a [redacted] b"
    for ordinary in ("agenthub", "ada", "127.0.0.1", "Bearer", "user"):
        assert secrets.masked(ordinary) == ordinary


def test_words_that_are_passwords_too_are_left_in_texts() -> None:
    words = {"DATABASE_URL": "postgresql://postgres:postgres@h/x", "AGENTHUB_API_KEYS": "dev:dev,ada:k"}
    assert read_log_settings(words).secrets.masked("a dev asks postgres: ok") == "a dev asks postgres: ok"


def test_secrets_with_commas_are_given_as_a_json_list() -> None:
    secrets = read_log_settings(
        {"AGENTHUB_SECRETS": '["with, a comma", "two-lines-of-a\\nsecret-of-two-lines"]'}
    ).secrets
    assert secrets.masked("x with, a comma y") == "x [redacted] y"
    assert secrets.masked("1 secret-of-two-lines") == "1 [redacted]"


@pytest.mark.parametrize("value", ["long-enough-1,short", '["short"]', "[1]", "[oops"])
def test_secrets_that_cannot_be_masked_are_refused_without_being_shown(value: str) -> None:
    with pytest.raises(SettingsInvalid, match="AGENTHUB_SECRETS") as caught:
        read_log_settings({"AGENTHUB_SECRETS": value})
    assert "short" not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "hub.example"])
def test_an_address_that_others_can_reach_needs_keys(host: str) -> None:
    with pytest.raises(SettingsInvalid, match="AGENTHUB_API_KEYS"):
        read_gateway_settings({**BOTH, "AGENTHUB_HOST": host})
    assert read_gateway_settings({**BOTH, "AGENTHUB_HOST": host, "AGENTHUB_API_KEYS": "k" * 16}).host == host


@pytest.mark.parametrize(
    "keys", ["ann:", "ann: ", "h-u-s-h-h-u-s-h-,:", "bob:h-u-s-h-h-u-s-h-,ann:", "ann:admin:"]
)
def test_a_key_without_a_secret_is_refused_because_it_would_let_everybody_in(keys: str) -> None:
    with pytest.raises(SettingsInvalid, match="has 0 characters") as refused:
        read_gateway_settings({**BOTH, "AGENTHUB_API_KEYS": keys})
    assert "h-u-s-h" not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    ["ada|bob", "|", "ada\x1b[31m", "ada\nbob", " ", "", "ada ", "x" * 65, "agenthub", "AgentHub", "a\u202eda"],
)
def test_a_name_that_could_be_taken_for_something_else_is_refused(name: str) -> None:
    """With `|` one holder's requests would be those of another, and the hub's own name stands for no person."""
    with pytest.raises(SettingsInvalid, match=r"AGENTHUB_API_KEYS.*the name in entry 2"):
        read_gateway_settings({**BOTH, "AGENTHUB_API_KEYS": f"bob:{'k' * 16},{name}:read:{'s' * 16}"})


@pytest.mark.parametrize("name", ["ada", "Ada Lovelace", "ops@example.com", "b\u00f6b", "x" * 64, "ci/main"])
def test_any_other_name_is_taken(name: str) -> None:
    given = read_gateway_settings({**BOTH, "AGENTHUB_API_KEYS": f"{name}:read:{'s' * 16}"})
    assert [read_api_key(entry, 1).name for entry in given.api_keys] == [name]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_itself_needs_no_keys(host: str) -> None:
    assert read_gateway_settings({**BOTH, "AGENTHUB_HOST": host}).api_keys == ()


def test_a_worker_knows_its_types_by_any_spelling_and_its_models_by_type() -> None:
    worker = read_worker_settings(
        {
            **BUS,
            "AGENT_TYPE": "system-architect, planner,test-orchestrator-agent",
            "AGENTHUB_MODEL": "general",
            "AGENTHUB_MODEL_TESTING": "small",
        }
    )
    assert worker.agent_types == ("architect", "planner", "testing")
    assert (worker.model, worker.models) == ("general", {"testing": "small"})


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("osv.example.org", "use an address that starts with http:// or https://"),
        ("ftp://osv.example.org", "use an address that starts with http:// or https://"),
        ("https://ada:hush-hush-9/@osv.example.org:x", "in a password write / as %2F"),
        ("https://osv.example.org/v1?key=hush-hush-9", "give the address alone"),
        ("https://osv.example.org/#v1", "give the address alone"),
    ],
)
def test_a_source_of_advisories_is_an_address_to_which_paths_are_added(address: str, remedy: str) -> None:
    worker = {**BUS, "AGENT_TYPE": "security"}
    with pytest.raises(SettingsInvalid) as caught:
        read_worker_settings({**worker, "AGENTHUB_ADVISORIES": address})
    assert "AGENTHUB_ADVISORIES: " in str(caught.value)
    assert remedy in str(caught.value)
    assert "hush-hush-9" not in str(caught.value)
    assert read_worker_settings(worker).advisories == ""
    good = "https://ada:hush-hush-9@osv.example.org"
    settings = read_worker_settings({**worker, "AGENTHUB_ADVISORIES": good})
    assert (settings.advisories, settings.log.secrets.masked("hush-hush-9")) == (good, "[redacted]")


def test_log_settings_stand_alone() -> None:
    assert read_log_settings({"AGENTHUB_LOG_FORMAT": "JSON"}).format == "json"


def test_worker_counts_keep_their_order_and_their_combinations() -> None:
    assert list(parse_workers("test-agent=2, coding=3,architect+planner=1,review").items()) == [
        ("testing", 2),
        ("coding", 3),
        ("architect+planner", 1),
        ("review", 1),
    ]
    assert parse_workers("noop=2,coding=0") == {"noop": 2}


@pytest.mark.parametrize(
    "text", ["coding=x", "coding=-1", "coding=65", "baker=1", "coding=1,coder=2", "coding=0", ""]
)
def test_worker_counts_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_workers(text)


def test_the_default_workers_serve_every_type() -> None:
    assert unserved(parse_workers(DEFAULT_WORKERS)) == ()
    assert "planner" in unserved(parse_workers("coding=1"))


def test_only_the_orchestrator_can_do_without_a_database() -> None:
    assert read_orchestrator_settings(BUS).database_url == ""
    with pytest.raises(SettingsInvalid, match="DATABASE_URL is not set"):
        read_projector_settings(BUS)
    assert "hush" not in f"{read_projector_settings(BOTH)!r}{read_orchestrator_settings(BOTH)!r}"
