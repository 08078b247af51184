"""Nothing secret, and nothing that a store cannot hold, enters an event."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.base import Event
from agenthub_events.catalogue.goal import GoalAccepted, GoalPaused
from agenthub_events.catalogue.task import TaskCompleted
from agenthub_events.catalogue.values import Finding, TaskResult
from agenthub_events.redaction import MASK, redact, redact_text
from tests.support.event_samples import STAMP, draft
from tests.support.event_strategies import events
from tests.support.properties import untimed

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789"
SECRETS = [
    "sk-ant-api03-abcdefgh",
    f"sk-{ALPHABET[:24]}",
    f"ghp_{ALPHABET[:36]}",
    f"ghs_{ALPHABET[:36]}",
    f"github_pat_{ALPHABET[:30]}",
    f"glpat-{ALPHABET[:20]}",
    "xoxb-1234567890-abcdef",
    "AKIAIOSFODNN7EXAMPLE",
    f"whsec_{ALPHABET[:32]}",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIIEow and it never ends",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_the_shape_of_a_credential_is_masked_and_its_surroundings_stay(secret: str) -> None:
    assert redact_text(f"key = '{secret}") == f"key = '{MASK}"


def test_the_credentials_of_an_address_are_masked_and_its_host_stays() -> None:
    text = "postgres://ada:p4ss:w0rd@db.local:5432/hub and nats://u:p@127.0.0.1"
    assert redact_text(text) == f"postgres://{MASK}@db.local:5432/hub and nats://{MASK}@127.0.0.1"


def test_a_bearer_token_is_masked() -> None:
    assert redact_text("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.abc.def") == f"Authorization: Bearer {MASK}"


@pytest.mark.parametrize(
    "text",
    [
        "a task about sk-learn and risk-free bearer bonds",
        "https://example.com/a:b",
        "see http://localhost:8000/docs",
        "AKIA is a prefix",
        "commit 0123456789abcdef0123456789abcdef01234567",
    ],
)
def test_harmless_texts_stay_the_very_same(text: str) -> None:
    assert redact_text(text) is text


@untimed
@given(st.text(max_size=30), st.sampled_from(SECRETS[:9]), st.text(max_size=30))
def test_a_secret_is_found_wherever_it_stands(before: str, secret: str, after: str) -> None:
    assert secret not in redact_text(f"{before} {secret} {after}")


@untimed
@given(st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()))
def test_redacting_twice_changes_nothing_more(value: object) -> None:
    once = redact(value)
    assert redact(once) is once


@untimed
@given(st.text(alphabet=st.characters(codec=None, categories=("Cs", "Cc", "L"))))
def test_whatever_comes_out_can_be_encoded_and_stored(text: str) -> None:
    clean = redact_text(text)
    assert "\x00" not in clean
    clean.encode()


def test_values_are_redacted_at_any_depth() -> None:
    secret = SECRETS[0]
    event = TaskCompleted(
        task_id="t-a",
        agent="coding",
        attempt=1,
        result=TaskResult(summary="x", insights=("ok", secret), findings=(Finding(message=f"found {secret}"),)),
    )
    assert secret.encode() not in msgspec.json.encode(event)
    assert event.result.insights == ("ok", MASK)
    assert redact({secret: [("deep", {"k": secret})]}) == {MASK: [("deep", {"k": MASK})]}


def test_the_metadata_of_a_stamp_is_redacted_when_the_event_is_sealed() -> None:
    event = draft(GoalPaused(by="ada")).sealed(STAMP.now, {"actor": SECRETS[0]})
    assert event.metadata == {"actor": MASK}


def test_a_changed_copy_is_redacted_too() -> None:
    event = msgspec.structs.replace(GoalAccepted(goal="clean"), goal=f"use {SECRETS[2]}")
    assert event.goal == f"use {MASK}"


@untimed
@given(events())
def test_an_event_is_already_redacted(event: Event) -> None:
    fields = msgspec.structs.asdict(event)
    assert redact(fields) is fields
