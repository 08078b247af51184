"""The settings of webhooks: who is known by which secret, and what is refused with its remedy."""

from __future__ import annotations

import pytest

from agenthub_runtime.errors import SettingsInvalid
from agenthub_runtime.remotes.address import parse_remote
from agenthub_runtime.remotes.hooks import HookSecret, hook_people, hook_secrets, place_of_repository
from agenthub_runtime.settings.credentials import credentials_in
from agenthub_runtime.settings.records import read_gateway_settings

BOTH = {"NATS_URL": "nats://a:4222", "DATABASE_URL": "postgresql://b/c"}
SECRET = "0f3c2a9d8e7b6a51"
KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def test_each_place_has_its_own_secrets_and_two_while_they_change() -> None:
    hooks = read_gateway_settings(
        {
            **BOTH,
            "AGENTHUB_HOOKS": f"github.com/ada/service={SECRET}, github.com/ada/service={KEY},schedules/n-1={KEY}",
        }
    ).hooks
    assert hooks.of_repositories() == (
        HookSecret("github.com/ada/service", SECRET),
        HookSecret("github.com/ada/service", KEY),
    )
    assert hooks.of_schedule("n-1") == (KEY,)
    assert hooks.of_schedule("n-2") == ()
    assert (hooks.label, hooks.people) == ("agenthub", frozenset())


@pytest.mark.parametrize(
    ("place", "asked", "covers"),
    [
        ("github.com/ada/service", "github.com/Ada/Service", True),
        ("github.com/ada/service", "github.com/ada/service2", False),
        ("github.com/ada/*", "github.com/ada/service", True),
        ("github.com/ada/*", "github.com/adam/service", False),
        ("github.com/ada/*", "github.com/ada", False),
        ("github.com/ada/*", "gitlab.com/ada/service", False),
    ],
)
def test_a_secret_covers_what_it_is_for(place: str, asked: str, covers: bool) -> None:
    assert HookSecret(place, SECRET).covers(asked) is covers


def test_a_repository_is_called_alike_however_its_address_is_written() -> None:
    forms = ("https://Github.com/ada/service.git", "https://github.com/ada/service/", "git@github.com:ada/service")
    assert {place_of_repository(parse_remote(form)) for form in forms} == {"github.com/ada/service"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("github.com/ada/service", "another form"),
        (SECRET, "another form"),
        (f"github.com={SECRET}", "another form"),
        (f"https://github.com/ada/service={SECRET}", "another form"),
        ("github.com/ada/service=short", "has 5 characters"),
        ("github.com/ada/service=", "has 0 characters"),
        ("github.com/ada/service=whsec_not base64!", "whsec_"),
        (f"schedules/nightly={SECRET}", "Standard Webhooks"),
    ],
)
def test_what_does_not_fit_is_named_without_a_secret(text: str, says: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        read_gateway_settings({**BOTH, "AGENTHUB_HOOKS": text})
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)


def test_secrets_of_webhooks_are_masked_and_shown_in_no_record() -> None:
    env = {**BOTH, "AGENTHUB_HOOKS": f"github.com/ada/service={SECRET},schedules/nightly={KEY}"}
    assert {SECRET, KEY} <= set(credentials_in(env))
    assert SECRET not in repr(read_gateway_settings(env).hooks)


def test_people_are_named_with_their_host() -> None:
    assert hook_people("github.com/Ada, gitlab.com/bob") == {"github.com/ada", "gitlab.com/bob"}
    assert hook_people("github.com/renovate[bot]") == {"github.com/renovate[bot]"}
    with pytest.raises(ValueError, match="host/login"):
        hook_people("ada")


def test_no_webhook_is_configured_by_default() -> None:
    assert hook_secrets("") == ()
