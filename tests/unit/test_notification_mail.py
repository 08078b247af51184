"""A mail as people see it: what to do first, no line too long, colours for light and for dark."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import msgspec
import pytest

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.money import BudgetExceeded
from agenthub_events.notifications.escalation import (
    Audience,
    Escalation,
    as_you,
    reached_by,
    steps_of,
)
from agenthub_events.notifications.recipients import parse_recipient
from agenthub_notifier.channels.apprise import check_addresses
from agenthub_notifier.content.mail import html_of
from agenthub_notifier.content.story import Occurrence, Story
from agenthub_notifier.content.wording import text_of
from agenthub_notifier.stories import told
from agenthub_runtime.errors import SettingsInvalid

LINK = "https://hub.example.org/l/" + "A" * 90
STORY = Story(
    kind="question",
    seq=5,
    goal_id="g-1",
    goal="Build an authentication system with tokens, roles and everything that belongs to them in a product",
    cause="Which algorithm signs the tokens? " + "The requirements name none of them. " * 4,
    options=(
        "RS256: a key pair, of which the public part is served so that others can verify what we sign",
        "HS256",
    ),
    consequences=("Verifiers need a route for the key.", "Who verifies can also sign."),
    if_unanswered=steps_of(
        Escalation(after_s=3600, reminders=2, unanswered="skip"),
        as_you(Audience(always=("ann@example.org", "bob@example.org"))),
        since=datetime(2026, 11, 29, 22, 30, tzinfo=UTC),
        level=0,
        of_task=True,
    ),
    detail=("Traceback:\n    raise KeyError(<algorithm>)",),
    question_seq=5,
    link=LINK,
)
STEPS = ("If nobody answers", "29 Nov 23:30 UTC", "First reminder to you", "Second reminder to you")
TO_THE_AGENT = "The agent gets this as your answer and goes on where it stopped."
ASKED = Occurrence(stories=(STORY,), is_rehearsal=True, hub_url="https://hub.example.org", unsubscribe=LINK)


def test_the_text_says_what_to_do_before_anything_long() -> None:
    lines = text_of(Occurrence(stories=(STORY,))).splitlines()
    assert lines[:3] == ["Your answer is needed", "", f"Answer: {LINK}"]


def test_no_line_of_the_text_is_longer_than_programs_show_but_for_an_address() -> None:
    lines = text_of(ASKED).splitlines()
    assert [line for line in lines if len(line) > 76 and LINK not in line] == []
    assert "     can verify what we sign" in lines
    assert "    raise KeyError(<algorithm>)" in lines


def test_what_is_declared_for_the_dark_has_colours_for_it() -> None:
    page = html_of(ASKED)
    assert '<meta name="color-scheme" content="light dark">' in page
    style, body = re.findall(r"<style>(.*?)</style>(.*)", page, re.DOTALL)[0]
    assert "prefers-color-scheme:dark" in style
    coloured = re.findall(r"<\w+([^>]*#[0-9a-f]{3,6}[^>]*)>", body)
    assert coloured
    for attributes in coloured:
        name = re.search(r'class="(\w+)"', attributes)
        assert name is not None, attributes
        assert f".{name[1]}" in style


def test_the_page_keeps_what_code_is_indented_by_and_reads_nothing_of_it() -> None:
    assert "Traceback:<br>&nbsp;&nbsp;&nbsp;&nbsp;raise KeyError(&lt;algorithm&gt;)" in html_of(ASKED)


def test_a_question_says_what_follows_from_each_option_and_from_no_answer() -> None:
    text, page = text_of(ASKED), unescape(html_of(ASKED))
    for option, words in zip(STORY.options, STORY.consequences, strict=True):
        for whole in (" ".join(text.split()), page):
            assert -1 < whole.find(option) < whole.find(words), words
    assert text.count("Whichever you choose") == 0
    for whole in (text, page):
        for part in STEPS:
            assert part in whole
        assert "The task is skipped" in " ".join(whole.split())
        assert "bob@example.org" not in whole, "who else is told is not for everybody who reads a mail"


def test_what_follows_from_every_option_is_said_once() -> None:
    alike = msgspec.structs.replace(STORY, consequences=("It goes on.", "It goes on."))
    for whole in (text_of(Occurrence(stories=(alike,))), html_of(Occurrence(stories=(alike,)))):
        assert whole.lower().count("it goes on.") == 1
        assert "Whichever you choose: it goes on." in re.sub("</?bdi>", "", whole)


@pytest.mark.parametrize(
    ("reason", "worker", "said", "words"),
    [
        ("clarification", "Worker-1", ("One.", "Two."), ("One.", "Two.")),
        (
            "clarification",
            "Worker-1",
            (),
            (TO_THE_AGENT,) * 2,
        ),
        (
            "rounds",
            "",
            ("forged", "forged"),
            (TO_THE_AGENT,) * 2,
        ),
    ],
)
def test_an_agent_says_what_follows_from_its_own_options_alone(
    reason: str, worker: str, said: tuple[str, ...], words: tuple[str, ...]
) -> None:
    asked = AgentBlocked(
        question="Which?", task_id="t-a", options=("A", "B"), reason=reason, worker=worker, consequences=said
    )
    assert told(STORY, asked).consequences == words


@pytest.mark.parametrize(
    ("hours", "level", "stands"),
    [
        (0, 0, (0, 0)),
        (1, 0, (1, 1)),
        (2, 0, (1, 1)),
        (3, 0, (3, 2)),
        (23, 0, (3, 2)),
        (2, 1, (2, 2)),
        (1, 1, (0, 1)),
    ],
)
def test_a_mail_that_was_held_back_names_no_reminder_that_is_over(
    hours: int, level: int, stands: tuple[int, int]
) -> None:
    escalation = Escalation(after_s=3600, reminders=2, unanswered="wait")
    begun = datetime(2026, 11, 29, tzinfo=UTC)
    since, reached = reached_by(begun.replace(hour=hours), escalation, since=begun, level=level)
    assert (since.hour, reached) == stands


@pytest.mark.parametrize(
    ("limit", "value", "used", "words"),
    [
        ("max_cost_usd", 5.0, 5.104, "$5.10 of $5.00 are spent: no more model calls are made."),
        ("max_llm_calls", 500, 500, "500 of 500 model calls are used: no more are made."),
    ],
)
def test_a_limit_that_is_reached_is_said_in_words(limit: str, value: float, used: float, words: str) -> None:
    assert told(STORY, BudgetExceeded(limit=limit, value=value, used=used)).cause == words


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what apprise loads of its own
def test_an_address_that_nothing_can_send_to_is_refused_with_its_setting_and_without_its_secrets() -> None:
    with pytest.raises(SettingsInvalid, match="AGENTHUB_NOTIFY: apprise knows no such address") as refused:
        check_addresses([parse_recipient("ftp://user:hunter2@example.org/hook")])
    assert "hunter2" not in str(refused.value)
    check_addresses([parse_recipient("json://example.org/hook"), parse_recipient("ann@example.org")])
