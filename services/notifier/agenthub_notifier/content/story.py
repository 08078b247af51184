"""What happened, as a message tells it."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec

from agenthub_events.catalogue.notification import NotificationKind
from agenthub_events.notifications.escalation import EscalationStep
from agenthub_notifier.domain.standing import Standing

StoryKind: TypeAlias = NotificationKind | Literal["test"]

TITLE_MAX = 80
_MADE = re.compile(
    r"(?:please\s+)?(?:build|create|implement|develop|add|make|write|set up)\s+"
    r"(?:(?:a|an|the|our|new|complete|full|whole)\s+)*",
    re.IGNORECASE,
)


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One occasion, or a `test`. `detail` is what is known beyond `cause`, a line each; `link` opens it.

    Of a question: `consequences` has a sentence for each of `options`, `if_unanswered` what is to come.
    """

    kind: StoryKind
    seq: int
    goal_id: str
    goal: str
    task_id: str = "_"
    task_title: str = ""
    cause: str = ""
    detail: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    if_unanswered: tuple[EscalationStep, ...] = ()
    level: int = 0
    question_seq: int = 0
    link: str = ""


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one message tells. `is_rehearsal`: agents were played by the scripted model.

    `standing` is how the goal stood, where a check tells it.
    """

    stories: tuple[Story, ...]
    is_rehearsal: bool = False
    hub_url: str = ""
    unsubscribe: str = ""
    standing: Standing | None = None


def short(text: str, longest: int = TITLE_MAX) -> str:
    """The first line of a text, cut at a word, without anything that is no letter of a line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) <= longest:
        return line
    cut = line[: longest - 1]
    return f"{cut.rpartition(' ')[0] if ' ' in cut[longest // 2 :] else cut}…"


def product_of(goal: str) -> str:
    """What a goal is to make, such as `Authentication system` for `Build complete authentication system`.

    Empty when the goal asks for something else than making a thing.
    """
    line = short(goal, 10_000)
    found = _MADE.match(line)
    rest = line[found.end() :].rstrip(" .!") if found else ""
    return short(rest[:1].upper() + rest[1:]) if rest else ""
