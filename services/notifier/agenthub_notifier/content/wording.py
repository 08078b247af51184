"""The words of a message: its subject, and lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from agenthub_events.notifications.escalation import moment_of
from agenthub_notifier.content.story import Occurrence, Story, product_of, short

_FIRST: tuple[str, ...] = (
    "question",
    "reminder",
    "stalled",
    "budget",
    "plan",
    "failed",
    "review",
    "completed",
    "cancelled",
    "progress",
    "test",
)
REHEARSAL = "REHEARSAL: a scripted model played the agents; tools and tests were real."
_OF_GOALS = {
    "review": "is ready for review",
    "failed": "has failed",
    "stalled": "stands still",
    "budget": "has reached its limit",
    "progress": "is worked on",
    "cancelled": "is cancelled",
}
_WIDTH = 76
_WHEN = len("29 Nov 16:10 UTC")
IF_UNANSWERED = "If nobody answers"
WHICHEVER = "Whichever you choose"
_ASKS = ("question", "reminder")


def subject_of(occurrence: Occurrence) -> str:
    """The subject line: the most pressing matter, and how many others there are."""
    told = essential(occurrence.stories)
    goals = {story.goal_id for story in told}
    asked = [story for story in told if story.kind in _ASKS]
    if len(goals) > 1:
        line = f"{len(told)} messages about {len(goals)} goals"
    elif len(asked) > 1:
        line = f"{len(asked)} questions about '{short(asked[0].goal, 60)}'"
    else:
        line = headline(told[0])
        if len(told) > 1:
            line += f" (and {len(told) - 1} more)"
    return f"[REHEARSAL] {line}" if occurrence.is_rehearsal else line


def headline(story: Story) -> str:
    """One story in a line."""
    goal = f"'{short(story.goal)}'"
    match story.kind:
        case "question":
            return f"Your answer is needed: {short(story.cause)}"
        case "reminder":
            return f"Still waiting for your answer: {short(story.cause)}"
        case "plan":
            return f"The plan of goal {goal} waits for your approval"
        case "completed":
            product = product_of(story.goal)
            return f"{product} completed successfully" if product else f"Goal {goal} completed successfully"
        case "test":
            return "A test message of agenthub"
        case kind:
            return f"Goal {goal} {_OF_GOALS[kind]}"


def heading(story: Story) -> str:
    """The line above a story, whose cause follows in full."""
    return headline(story).partition(":")[0] if story.kind in _ASKS else headline(story)


def essential(stories: Sequence[Story]) -> list[Story]:
    """The stories, most pressing first, without a reminder of a question that is told as well."""
    asked = {story.question_seq for story in stories if story.kind == "question"}
    latest = {story.question_seq: story for story in stories if story.kind == "reminder"}
    kept = [
        story
        for story in stories
        if story.kind != "reminder" or (story.question_seq not in asked and latest[story.question_seq] is story)
    ]
    return sorted(kept, key=lambda story: (_FIRST.index(story.kind), story.seq))


def text_of(occurrence: Occurrence) -> str:
    """The message as plain text."""
    return "\n".join(_lines(occurrence)) + "\n"


def _lines(occurrence: Occurrence) -> Iterator[str]:
    if occurrence.is_rehearsal:
        yield from (REHEARSAL, "")
    for number, story in enumerate(essential(occurrence.stories)):
        if number:
            yield from ("", "-" * 40, "")
        yield from _story_lines(story)
    yield from ("", "-- ", f"agenthub{f' at {occurrence.hub_url}' if occurrence.hub_url else ''}")
    if occurrence.unsubscribe:
        yield f"No more of these: {occurrence.unsubscribe}"


def _story_lines(story: Story) -> Iterator[str]:
    yield from _wrapped(heading(story))
    # Before everything that may be long: what a person is to do is seen at once.
    yield from ("", f"{action_of(story)}: {story.link}") if story.link else ()
    if story.cause:
        yield from ("", *_printable(story.cause))
    yield from _option_lines(story)
    if story.detail:
        yield ""
    for line in story.detail:
        yield from _printable(line)
    if story.if_unanswered:
        yield from ("", f"{IF_UNANSWERED}:")
    for when, what in unanswered_of(story):
        yield from _wrapped(f"  {when:<{_WHEN}}  {what}", hanging=_WHEN + 4)
    facts = facts_of(story)
    if facts:
        yield ""
    for name, value in facts:
        yield from _wrapped(f"{name + ':':<6} {value}", hanging=7)


def _option_lines(story: Story) -> Iterator[str]:
    same = same_consequence(story)
    if story.options:
        yield ""
    for number, option in enumerate(story.options, 1):
        yield from _wrapped(f"  {number}. {short(option, 500)}", hanging=5)
        if story.consequences and not same:
            yield from _wrapped(f"     {short(story.consequences[number - 1], 500)}", hanging=5)
    if same:
        yield from ("", *_wrapped(f"{WHICHEVER}: {short(same, 500)}"))


def same_consequence(story: Story) -> str:
    """What follows whichever of several options is chosen; empty where it differs."""
    found = set(story.consequences)
    words = found.pop() if len(story.options) > 1 and len(found) == 1 else ""
    return words[:1].lower() + words[1:]


def unanswered_of(story: Story) -> list[tuple[str, str]]:
    """What is to come while nobody answers: when, and what."""
    return [(moment_of(step), step.what) for step in story.if_unanswered]


def facts_of(story: Story) -> list[tuple[str, str]]:
    """Where it happened."""
    if story.kind == "test":
        return []
    facts = [("Goal", short(story.goal, 300))]
    if story.task_title:
        facts.append(("Task", short(story.task_title, 300)))
    return [*facts, ("Id", story.goal_id)]


def action_of(story: Story) -> str:
    """What a person can do now."""
    match story.kind:
        case "question" | "reminder":
            return "Answer"
        case "plan":
            return "Look at the plan"
        case "review":
            return "Review it"
        case _:
            return "Open it"


def _printable(text: str) -> Iterator[str]:
    for line in text.splitlines():
        shown = "".join(c if c.isprintable() else " " for c in line).rstrip()
        # What is indented, such as code, means its lines as they are.
        yield from [shown] if shown.startswith(" ") else _wrapped(shown, hanging=2 if shown[:2] == "- " else 0)


def _wrapped(line: str, *, hanging: int = 0) -> list[str]:
    """A line in lines that every program shows whole; no word and no address is broken."""
    return wrap(line, _WIDTH, subsequent_indent=" " * hanging, break_long_words=False, break_on_hyphens=False) or [
        ""
    ]
