"""What people read about a question that nobody answers: when, who is told, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agenthub_events.notifications.escalation import Audience, Escalation, steps_of
from agenthub_events.notifications.quiet_hours import parse_quiet_hours

ASKED = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
WAITS = Escalation(after_s=3_600, reminders=3, unanswered="wait")
PEOPLE = Audience(always=("dana@example.org",), later=("oncall@example.org", "lead@example.org"))


def told(
    escalation: Escalation = WAITS,
    audience: Audience | None = PEOPLE,
    *,
    level: int = 0,
    since: datetime = ASKED,
    of_task: bool = True,
) -> list[tuple[float | None, str]]:
    """Hours since it was asked, and what happens then."""
    steps = steps_of(escalation, audience, since=since, level=level, of_task=of_task)
    return [(None if step.at is None else (step.at - ASKED).total_seconds() / 3_600, step.what) for step in steps]


def test_each_reminder_takes_twice_as_long_and_reaches_one_more() -> None:
    assert told() == [
        (1, "First reminder to dana@example.org and oncall@example.org"),
        (3, "Second reminder, also to lead@example.org"),
        (7, "Third reminder to the same"),
        (None, "It waits until somebody answers"),
    ]


def test_what_has_been_told_is_not_to_come() -> None:
    assert told(level=2, since=ASKED + timedelta(hours=4))[0] == (
        8,
        "Third reminder to dana@example.org, oncall@example.org and lead@example.org",
    )
    assert told(level=3) == [(None, "It waits until somebody answers")]


@pytest.mark.parametrize(
    ("unanswered", "word"), [("retry", "tried again"), ("skip", "skipped"), ("cancel", "cancelled")]
)
def test_the_default_comes_after_the_last_reminder_for_tasks_alone(unanswered: str, word: str) -> None:
    policy = msgspec.structs.replace(WAITS, unanswered=unanswered)
    at, what = told(policy)[-1]
    assert (at, word in what) == (15, True)
    assert told(policy, level=3)[-1][0] == 8
    assert told(policy, of_task=False)[-1] == (None, "It waits until somebody answers")


def test_it_is_said_when_a_reminder_reaches_nobody() -> None:
    assert told(audience=None)[0][1] == "First reminder, but no notifier runs that could tell anybody"
    alone = told(audience=Audience(later=("lead@example.org",)), level=0)
    assert alone[0][1] == "First reminder to lead@example.org"
    nobody = [what for _, what in told(audience=Audience())]
    assert nobody[:2] == ["First reminder, to those alone whom the goal names", "Second reminder"]


def test_quiet_hours_hold_a_reminder_back_and_many_names_are_counted() -> None:
    quiet = Audience(always=tuple("abcdef"), quiet=parse_quiet_hours("12:30-13:30"))
    assert told(audience=quiet)[0][1] == "First reminder to a, b, c, d and 2 more, after quiet hours"
    assert told(audience=quiet)[1][1] == "Second reminder to the same"
