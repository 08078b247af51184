"""What becomes of a question that nobody answers: when it is raised again, who is told then, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from agenthub_events.notifications.quiet_hours import QuietHours

_NAMED = 4
_ORDINALS = ("First", "Second", "Third")
_ENDS: Mapping[str, str] = {
    "retry": "The task is tried again without an answer",
    "skip": "The task is skipped, and what depends on it goes on without its result",
    "cancel": "The task is cancelled, with everything that depends on it",
}


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """What an orchestrator does: the first of `reminders` after `after_s` seconds, each next one after twice the
    time of the one before, and in the end `unanswered` for questions of tasks."""

    after_s: float
    reminders: int
    unanswered: Literal["wait", "retry", "skip", "cancel"]


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a notifier tells, by names that show no credential: `always`, and at the n-th reminder also the first n
    of `later`. People are told nothing in `quiet` hours."""

    always: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    quiet: QuietHours | None = None


YOU = "you"


def as_you(audience: Audience | None) -> Audience | None:
    """The same as one of those who are told may see it: of the others they learn nothing."""
    return None if audience is None else Audience(always=(YOU,), quiet=audience.quiet)


class EscalationStep(msgspec.Struct, frozen=True, kw_only=True):
    """What happens `at` a time if nobody has answered by then; null: from then on it stays so."""

    at: datetime | None
    what: str


def moment_of(step: EscalationStep) -> str:
    """When it happens, for who reads it anywhere."""
    return f"{step.at.astimezone(UTC):%-d %b %H:%M} UTC" if step.at else "then"


def raised_again_at(since: datetime, level: int, after_s: float) -> datetime:
    """When a question is raised again that has stood at `level` (0: just asked) since a time."""
    return since + timedelta(seconds=after_s * 2.0**level)


def reached_by(now: datetime, escalation: Escalation, *, since: datetime, level: int) -> tuple[datetime, int]:
    """Where a question stands `now` that stood at `level` since a time, if nobody has answered it."""
    while level < escalation.reminders and (at := raised_again_at(since, level, escalation.after_s)) <= now:
        since, level = at, level + 1
    return since, level


def steps_of(
    escalation: Escalation, audience: Audience | None, *, since: datetime, level: int, of_task: bool
) -> tuple[EscalationStep, ...]:
    """What is to come for a question that stands at `level` since a time. Without `audience` nobody is told.

    Only a question `of_task` is ever answered by default; the others wait.
    """
    return tuple(_steps(escalation, audience, since, level, of_task))


def _steps(
    escalation: Escalation, audience: Audience | None, since: datetime, level: int, of_task: bool
) -> Iterator[EscalationStep]:
    for reached in range(level, escalation.reminders):
        since = raised_again_at(since, reached, escalation.after_s)
        known = None if reached == level else _told(audience, reached)
        yield EscalationStep(at=since, what=_reminder(audience, reached + 1, since, known))
    ends = _ENDS.get(escalation.unanswered) if of_task else None
    if ends is None:
        yield EscalationStep(at=None, what="It waits until somebody answers")
    else:
        last = max(level, escalation.reminders)
        yield EscalationStep(at=raised_again_at(since, last, escalation.after_s), what=ends)


def _told(audience: Audience | None, number: int) -> tuple[str, ...]:
    """Who hears of a reminder."""
    return () if audience is None else tuple(dict.fromkeys((*audience.always, *audience.later[:number])))


def _reminder(audience: Audience | None, number: int, at: datetime, known: Sequence[str] | None) -> str:
    """In words; `known` are those who were named before, None at the first of the reminders to come."""
    name = f"{_ORDINALS[number - 1] if number <= len(_ORDINALS) else f'{number}th'} reminder"
    if audience is None:
        return f"{name}, but no notifier runs that could tell anybody" if known is None else name
    told = _told(audience, number)
    if told == (YOU,):
        known = None
    new = [person for person in told if person not in (known or ())]
    held = ", after quiet hours" if audience.quiet and audience.quiet.end_after(at) else ""
    if not told:
        return f"{name}{', to those alone whom the goal names' if known is None else ''}{held}"
    if not known:
        return f"{name} to {_listed(new)}{held}"
    return f"{name}, also to {_listed(new)}{held}" if new else f"{name} to the same{held}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    shown = [*names[:_NAMED], *([f"{more} more"] if more > 0 else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
