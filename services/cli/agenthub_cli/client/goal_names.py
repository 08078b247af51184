"""Short names of goals: `@last`, and the first letters of an id that no other goal has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from agenthub_cli import exit_codes
from agenthub_cli.errors import CommandFailed

LAST = "@last"
_BEGINNING = re.compile(r"g-[0-9a-z]{1,25}")
_GOAL = re.compile(r"^(/goals/)([^/?]+)")
_SHOWN = 5


def is_short(text: str) -> bool:
    """Whether a goal has to be looked up by this name; everything else is for the hub to know or not."""
    return text == LAST or _BEGINNING.fullmatch(text) is not None


def goal_called(text: str, goals: Callable[[], Iterator[Any]]) -> str:
    """The id that `text` is short for, among `goals`, the newest first. Raises `CommandFailed`."""
    if not is_short(text):
        return text
    if text == LAST:
        for goal in goals():
            return str(goal["goal_id"])
        raise CommandFailed("There is no goal yet", hint='submit one: `agenthub goal submit "…"`')
    matching = (str(goal["goal_id"]) for goal in goals() if str(goal["goal_id"]).startswith(text))
    found = list(islice(matching, _SHOWN + 1))
    if not found:
        raise CommandFailed(f"No goal has an id that begins with {text}", hint="`agenthub goal list` shows them")
    if len(found) > 1:
        more = ", …" if len(found) > _SHOWN else ""
        raise CommandFailed(
            f"Several goals have an id that begins with {text}: {', '.join(found[:_SHOWN])}{more}",
            hint="write more of it",
            code=exit_codes.USAGE,
        )
    return found[0]


def in_full(path: str, goals: Callable[[], Iterator[Any]]) -> str:
    """An address below the API with the full id of the goal that it names."""
    found = _GOAL.match(path)
    if found is None or not is_short(found[2]):
        return path
    return f"{found[1]}{goal_called(found[2], goals)}{path[found.end() :]}"
