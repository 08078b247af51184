"""Nothing secret, and nothing that a store cannot hold, is in an event once it is made; what is read stays."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.base import Event
from agenthub_events.catalogue.goal import GoalPaused
from agenthub_events.catalogue.task import TaskCompleted
from agenthub_events.catalogue.values import Finding, TaskResult
from agenthub_events.redaction import (
    MASK,
    NO_SECRETS,
    KnownSecrets,
    can_be_masked,
    redact,
    redact_bytes,
    redact_text,
)
from agenthub_worker.sandbox.capture import HeadTail
from agenthub_worker.tools.contract import cut
from tests.support.event_samples import STAMP, draft
from tests.support.event_strategies import events
from tests.support.properties import untimed
from tests.support.secret_samples import IN_CONTEXT, SECRETS

SECRET = SECRETS["anthropic"]
EVERY = [*SECRETS.values(), *(around.format(secret) for around, secret in IN_CONTEXT.values())]


def completed(text: str) -> TaskCompleted:
    result = TaskResult(summary="x", insights=("ok", text), findings=(Finding(message=f"found {text}"),))
    return TaskCompleted(task_id="t-a", agent="coding", attempt=1, result=result)


@pytest.mark.parametrize("text", EVERY)
def test_a_shape_becomes_a_mask_once_and_its_surroundings_stay(text: str) -> None:
    once = redact_text(f"before {text} after")
    assert once.startswith("before ")
    assert once.endswith(" after")
    assert once.count(MASK) == 1
    assert redact_text(once) is once
    assert redact_text(once.replace(MASK, f"[redacted:{'0' * 64}]")).count(MASK) == 0, "a reference is no shape"


@untimed
@given(st.text(max_size=30), st.sampled_from(list(SECRETS.values())), st.text(max_size=30))
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
    event = redact(completed(SECRET))
    assert SECRET.encode() not in msgspec.json.encode(event)
    assert event.result.insights == ("ok", MASK)
    assert redact({SECRET: [("deep", {"k": SECRET})]}) == {MASK: [("deep", {"k": MASK})]}


def test_making_or_changing_a_value_keeps_every_byte() -> None:
    assert completed(SECRET).result.insights == ("ok", SECRET)
    assert msgspec.structs.replace(GoalPaused(by="ada"), reason=f"\0{SECRET}").reason == f"\0{SECRET}"


def test_an_event_is_redacted_when_it_is_sealed_metadata_included() -> None:
    event = draft(completed(SECRET)).sealed(STAMP.now, {"actor": SECRET})
    assert isinstance(event, TaskCompleted)
    assert event.metadata == {"actor": MASK}
    assert event.result.insights == ("ok", MASK)
    assert event.result.findings[0].message == f"found {MASK}"


@untimed
@given(events(), st.sampled_from(["", SECRET, "\0", "\ud800", "hunter-22x"]))
def test_a_sealed_event_holds_nothing_that_would_be_redacted(event: Event, told: str) -> None:
    known = KnownSecrets(["hunter-22x"])
    sealed = draft(GoalPaused(by="ada", reason=f"{event!r} {told}")).sealed(STAMP.now, {}, known)
    assert redact(sealed, known) is sealed
    other = draft(event).sealed(STAMP.now, event.metadata, known)
    assert redact(other, known) is other
    msgspec.json.encode(other)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("correct horse", "it is correct horse, no?"),
        ("p@ss/w0rd%1", "postgres://u:p%40ss%2Fw0rd%251@h/x"),
        ("p%40ssw0rd", "the password is p@ssw0rd"),
        ('quo"te\\d1', '{"text": "quo\\"te\\\\d1"}'),
        (
            "first-line-of-the-key\nsecond-line-of-the-key",
            "     1\tfirst-line-of-the-key\n     2\tsecond-line-of-the-key",
        ),
        ("tail-newline-1\n", "X=tail-newline-1;"),
        ("it's 'hush'-1", "echo 'it'\"'\"'s '\"'\"'hush'\"'\"'-1'"),
        ("it's 'hush'-1", "echo 'it'\\''s '\\''hush'\\''-1'"),
        ('it\'s "hush"-1', "assert 'it\\'s \"hush\"-1' == ''"),
        ("zwölf Wörter ☂", '{"text": "zw\\u00f6lf W\\u00f6rter \\u2602"}'),
        ("geheimnis-ü-1", "das geheimnis-ü-1!"),
    ],
)
def test_a_known_secret_is_masked_in_every_form_in_which_it_stands(secret: str, shown: str) -> None:
    known = KnownSecrets([secret])
    masked = known.masked(shown)
    assert MASK in masked
    for line in secret.split("\n"):
        assert not line or line not in masked
    assert known.masked(masked) == masked


def test_of_two_secrets_the_longer_one_is_masked_whole() -> None:
    assert KnownSecrets(["secret-1", "secret-1-and-2"]).masked("a secret-1-and-2 b") == f"a {MASK} b"


def test_known_secrets_never_show_themselves_and_nothing_is_masked_without_any() -> None:
    known = KnownSecrets(["hunter-22x"])
    assert "hunter" not in repr(known)
    assert "hunter" not in repr(known.with_also(["hunter-23x"]))
    assert known == KnownSecrets(["hunter-22x"]) != NO_SECRETS
    text = "any text"
    assert NO_SECRETS.masked(text) is text
    assert not NO_SECRETS


def test_bytes_change_only_where_a_secret_stands() -> None:
    known = KnownSecrets(["hunter-22x"])
    assert known.masked_bytes(b"\xff\0 hunter-22x \xfe") == b"\xff\0 [redacted] \xfe"
    assert redact_bytes(f"{SECRET} hunter-22x".encode(), known) == b"[redacted] [redacted]"


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("", False),
        ("short", False),
        ("postgres", False),
        ("agenthub", False),
        ("s3cret-key", True),
        ("x" * 16, True),
    ],
)
def test_a_password_that_is_a_word_is_not_masked_by_value(value: str, masked: bool) -> None:
    assert can_be_masked(value) is masked


def test_shapes_that_are_text_in_a_document_stay_findable() -> None:
    text = "postgres://ada:p4ss:w0rd@db.local:5432/hub and nats://u:p@127.0.0.1"
    assert redact_text(text) == f"postgres://{MASK}@db.local:5432/hub and nats://{MASK}@127.0.0.1"
    assert re.sub(r"\S+", "", redact_text(f"a\t{SECRET}\n")) == "\t\n"


CUTS = ("\n[... 7 bytes cut ...]\n", "\n[... 7 characters cut; ask for less at a time ...]\n")
LONG = "correct-horse-battery-staple"


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kept", [0, 5, 6, 14, 27, 28])
def test_what_a_cut_has_left_of_a_secret_is_masked(cut: str, kept: int) -> None:
    secrets = KnownSecrets([LONG])
    shown = {0: "", 5: LONG[:5], 28: "[redacted]"}.get(kept, "[redacted]")
    assert secrets.masked_where_cut(f"a {LONG[:kept]}{cut}b") == f"a {shown}{cut}b"
    shown = {0: "", 5: LONG[-5:], 28: "[redacted]"}.get(kept, "[redacted]")
    assert secrets.masked_where_cut(f"a{cut}{LONG[len(LONG) - kept :]} b") == f"a{cut}{shown} b"
    assert secrets.masked_where_cut(f"{LONG[len(LONG) - kept :]} b") == f"{shown} b"


def test_both_halves_around_one_cut_are_masked_and_other_words_stay() -> None:
    secrets = KnownSecrets([LONG, "another-secret-1"])
    cut = CUTS[0]
    told = f"see {LONG[:9]}{cut}{LONG[-9:]} and another{cut}secret"
    assert secrets.masked_where_cut(told) == f"see [redacted]{cut}[redacted] and [redacted]{cut}secret"
    assert secrets.masked_where_cut(f"battery{cut}stable") == f"battery{cut}stable"
    assert KnownSecrets().masked_where_cut(told) is told


def test_the_line_that_tells_of_a_cut_is_the_one_that_tools_and_sandbox_write() -> None:
    text = f"{'x' * 40}{LONG}{'y' * 40}"
    sink = HeadTail(96)
    sink.write(text.encode())
    for shown in (cut(text, 96), sink.value().decode()):
        assert "cut" in shown
        masked = KnownSecrets([LONG]).masked_where_cut(shown)
        assert not any(LONG[n : n + 6] in masked for n in range(len(LONG) - 5))
    assert KnownSecrets([LONG]).masked_bytes(sink.value()).count(b"[redacted]") == 2
