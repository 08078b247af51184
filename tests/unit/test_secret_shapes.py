"""What looks like a credential is found wherever it stands; what only reminds of one is left alone."""

from __future__ import annotations

import pytest

from agenthub_events.secret_shapes import find_shapes
from tests.support.secret_samples import IN_CONTEXT, SECRETS

PLACES = ["{}", "key = '{}'", "the token {} and more", "é\n{}\n", '{{"token": "{}"}}', "export X={}; ls", "`{}`"]


def found_in(text: str) -> list[str]:
    return [text[place.start : place.end] for place in find_shapes(text)]


@pytest.mark.parametrize("name", SECRETS)
def test_every_shape_is_found_whole_and_nothing_around_it(name: str) -> None:
    for place in PLACES:
        assert found_in(place.format(SECRETS[name])) == [SECRETS[name]]


@pytest.mark.parametrize("name", IN_CONTEXT)
def test_what_is_a_credential_by_its_context_is_found_alone(name: str) -> None:
    around, secret = IN_CONTEXT[name]
    for place in ("{}", "# {}", "x = '{}'"):
        assert found_in(place.format(around.format(secret))) == [secret]


def test_a_secret_of_aws_is_found_beside_its_key_without_a_name() -> None:
    secret = IN_CONTEXT["aws secret"][1]
    assert found_in(f"{SECRETS['aws key']}\n{secret}\n") == [SECRETS["aws key"], secret]


def test_several_in_one_text_are_found_apart_and_in_order() -> None:
    names = ("github", "rsa", "aws key")
    assert found_in(" and ".join(SECRETS[name] for name in names)) == [SECRETS[name] for name in names]


def test_a_shape_inside_another_is_one_place() -> None:
    token = SECRETS["json web token"]
    assert found_in(f"Authorization: Bearer {token}") == [token]
    assert found_in(f"https://ada:{SECRETS['github']}@github.com/a.git") == [f"ada:{SECRETS['github']}"]


@pytest.mark.parametrize(
    "text",
    [
        "a task about sk-learn and risk-free bearer bonds",
        "task-runner-configuration-for-all-of-the-services-1",
        "https://example.com/a:b",
        "see http://localhost:8000/docs and ssh://git@example.com/a.git",
        "AKIA is a prefix, ghp_ and AIza are others",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "goal g-01m86fssbn3j7hbf5x5m662jrp, event 9d934b72-42f1-5805-b625-cdfb10bf333c",
        "evt.g-01m86fssbn3j7hbf5x5m662jrp.t-implement-price-calculator.task.enqueued.coding.p2",
        "Basic authentication is Basic functionality, the bearer of bad news",
        "postgresql://{user}:{password}@{host}/app and redis://:${REDIS_PASSWORD}@cache and mysql://<user>:<pw>@db",
        "password: use bcrypt; the pwd is the folder; password=; token = read()",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBg\n-----END PUBLIC KEY-----",
        "curl -s https://example.com -o out.json",
        "SELECT patient_key FROM patients WHERE SKU = 'AC-12'",
    ],
)
def test_harmless_texts_hold_none(text: str) -> None:
    assert found_in(text) == []


@pytest.mark.parametrize(
    ("text", "example"),
    [
        (SECRETS["github"], False),
        (SECRETS["aws key"], False),
        (SECRETS["slack bot"], False),
        (SECRETS["json web token"], True),
        (SECRETS["stripe test"], True),
        ("postgresql://app:app@localhost/app", True),
    ],
)
def test_what_may_be_an_example_is_told_apart(text: str, example: bool) -> None:
    assert [place.example for place in find_shapes(text)] == [example]
