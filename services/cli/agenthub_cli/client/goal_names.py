"""Short names: `@last`, and the first letters of an id that no other has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from agenthub_cli import exit_codes
from agenthub_cli.errors import CommandFailed
from agenthub_cli.program import program

LAST = "@last"
_BEGINNING = re.compile(r"g-[0-9a-z]{1,25}")
# Neither the beginning of an id, nor one of them in full.
_NO_GOAL = re.compile(r"^(?!g-|@last$)")
_GOAL = re.compile(r"^(/goals/)([^/?]+)")
_SHOWN = 5
_LOOKED_AT = 1_000


def is_short(text: str) -> bool:
    """Whether a goal has to be looked up by this name; everything else is for the hub to know or not."""
    return text == LAST or _BEGINNING.fullmatch(text) is not None


def goal_called(text: str, goals: Callable[[], Iterator[Any]]) -> str:
    """The id that `text` is short for, among `goals`, the newest first. Raises `CommandFailed`."""
    if _NO_GOAL.search(text):
        raise CommandFailed(
            f"No goal is called {text}", hint=f"`{program()} {_GOALS.shown_by}` shows what they are called"
        )
    if not is_short(text):
        return text
    return one_called(text, (str(goal["goal_id"]) for goal in goals()), _GOALS)


class Naming(NamedTuple):
    """What is called by a name: one of them, several, and the command that shows them."""

    one: str
    several: str
    shown_by: str
    none_yet: str


_GOALS = Naming("goal", "goals", "goal list", 'submit one: `{program} goal submit "…"`')


def one_called(text: str, ids: Iterable[str], kind: Naming) -> str:
    """The id that `text` is short for among `ids`, the newest first; an exact one wins. Raises `CommandFailed`."""
    shown = f"`{program()} {kind.shown_by}` shows them"
    if text == LAST:
        for found in ids:
            return found
        raise CommandFailed(f"There is no {kind.one} yet", hint=kind.none_yet.format(program=program()) or shown)
    known = list(islice((one for one in ids if one.startswith(text)), _LOOKED_AT))
    if text in known:
        return text
    if not known:
        raise CommandFailed(f"No {kind.one} has an id that begins with {text}", hint=shown)
    if len(known) > 1:
        more = ", …" if len(known) > _SHOWN else ""
        raise CommandFailed(
            f"Several {kind.several} have an id that begins with {text}: {', '.join(known[:_SHOWN])}{more}",
            hint="write more of it",
            code=exit_codes.USAGE,
        )
    return known[0]


def in_full(path: str, goals: Callable[[], Iterator[Any]]) -> str:
    """An address below the API with the full id of the goal that it names."""
    found = _GOAL.match(path)
    if found is None or not is_short(found[2]):
        return path
    return f"{found[1]}{goal_called(found[2], goals)}{path[found.end() :]}"
