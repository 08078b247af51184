"""What may stand where the cursor is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from agenthub_cli.completion.table import Command, Value, read_table
from agenthub_runtime.plain_text import one_line

if TYPE_CHECKING:
    from agenthub_cli.client.hub_client import HubClient

FILES = "\x00files"
_LAST = "@last"
_SHOWN = 200
_ABOUT_MAX = 72


class Candidate(NamedTuple):
    """A word that fits, and what it is."""

    word: str
    about: str = ""


class CursorPlace(NamedTuple):
    """Where the cursor is: in a command, at a value or an option, behind the values `before`."""

    command: Command
    value: Value | None
    before: Mapping[str, str]
    options: bool


Look: TypeAlias = Callable[["HubClient", Mapping[str, str]], Iterable[Candidate]]


def candidates(words: Sequence[str]) -> Iterator[Candidate]:
    """What the last of the words after `agenthub` may become; a word `FILES` leaves it to the shell.

    Whatever goes wrong on the way to a hub, nothing is said: who presses Tab has asked nothing.
    """
    *before, begun = words or [""]
    place = _place(before, begun)
    for word, about in _possible(place):
        if word == FILES or word.startswith(begun):
            yield Candidate(word, about if len(about) <= _ABOUT_MAX else f"{about[: _ABOUT_MAX - 1]}…")


def _place(before: Sequence[str], begun: str) -> CursorPlace:
    table = read_table()
    path, rest = "", list(before)
    while rest and rest[0] in table[path].below:
        path = f"{path} {rest.pop(0)}".strip()
    command = table[path]
    given: dict[str, str] = {}
    placed, waiting = 0, None
    for word in rest:
        if waiting is not None:
            given[waiting.kind] = word
            waiting = None
        elif word in command.options:
            waiting = command.options[word].value
        elif not word.startswith("-"):
            if placed < len(command.values):
                given[command.values[placed].kind] = word
            placed += 1
    if waiting is not None:
        return CursorPlace(command, waiting, given, options=False)
    value = command.values[placed] if placed < len(command.values) else None
    return CursorPlace(command, None if begun.startswith("-") else value, given, options=begun.startswith("-"))


def _possible(place: CursorPlace) -> Iterator[Candidate]:
    if place.options:
        yield from (Candidate(name, option.help) for name, option in place.command.options.items())
        return
    if place.value is None:
        yield from (Candidate(name, words) for name, words in place.command.below.items())
        if not place.command.below:
            yield from (Candidate(name, option.help) for name, option in place.command.options.items())
        return
    yield from (Candidate(choice) for choice in place.value.choices)
    if place.value.kind == "path":
        yield Candidate(FILES)
    elif place.value.kind:
        yield from _named(place.value.kind, place.before)


def _named(kind: str, before: Mapping[str, str]) -> Iterator[Candidate]:
    if kind in _KNOWN:
        yield from (Candidate(word) for word in _KNOWN[kind]())
        return
    from agenthub_cli.client.hub_client import HubClient
    from agenthub_events.errors import AgenthubError

    try:
        yield from list(_LOOKS[kind](HubClient(timeout_s=1.0), before))
    except (AgenthubError, KeyError, OSError):
        return


def _goals(hub: HubClient, _: Mapping[str, str]) -> Iterator[Candidate]:
    rows = _page(hub, "/goals")
    if rows:
        yield Candidate(_LAST, f"the newest: {one_line(rows[0]['goal'])}")
    for row in rows:
        yield Candidate(row["goal_id"], f"{row['status']}: {one_line(row['goal'])}")


def _tasks(hub: HubClient, before: Mapping[str, str]) -> Iterator[Candidate]:
    goal_id = hub.goal_id(before["goal"])
    for row in _page(hub, f"/goals/{goal_id}/tasks"):
        yield Candidate(row["key_name"] or row["task_id"], f"{row['status']}: {one_line(row['title'])}")


def _questions(hub: HubClient, _: Mapping[str, str]) -> Iterator[Candidate]:
    for row in _page(hub, "/interventions", state="open"):
        yield Candidate(row["id"], one_line(row["question"]))


def _letters(hub: HubClient, _: Mapping[str, str]) -> Iterator[Candidate]:
    for row in _page(hub, "/dead-letters", state="open"):
        yield Candidate(row["id"], one_line(row["reason"]))


def _notifications(hub: HubClient, before: Mapping[str, str]) -> Iterator[Candidate]:
    goal_id = hub.goal_id(before["goal"])
    for row in hub.get(f"/goals/{goal_id}/notifications")["items"]:
        yield Candidate(row["id"], f"{row['state']}: {one_line(row['recipient'])}")


def _recipients(hub: HubClient, _: Mapping[str, str]) -> Iterator[Candidate]:
    for row in hub.get("/recipients")["items"]:
        yield Candidate(row["recipient"], "" if row["is_open"] else one_line(row["reason"]))


def _schedules(hub: HubClient, _: Mapping[str, str]) -> Iterator[Candidate]:
    for row in hub.get("/schedules")["items"]:
        yield Candidate(row["name"], f"{row['state']}: {one_line(row['goal'])}")


def _page(hub: HubClient, path: str, **params: Any) -> list[Any]:
    """The newest: nobody chooses among more."""
    return list(hub.pages(path, limit=_SHOWN, **params))


def _agent_types() -> Iterable[str]:
    from agenthub_events.agent_types import AGENT_TYPES

    return AGENT_TYPES


def _event_types() -> Iterable[str]:
    from agenthub_events.catalogue import REGISTRY

    return sorted(REGISTRY)


def _statuses() -> Iterable[str]:
    from agenthub_cli.goals.next_step import STATUSES

    return STATUSES


def _logs() -> Iterable[str]:
    from agenthub_cli.client.environment import data_folder, running_hub

    folder = getattr(running_hub(), "data_dir", None) or data_folder()
    return sorted(path.stem for path in (folder / "logs").glob("*.log"))


_KNOWN: Mapping[str, Callable[[], Iterable[str]]] = {
    "agent_type": _agent_types,
    "event_type": _event_types,
    "status": _statuses,
    "log": _logs,
}
_LOOKS: Mapping[str, Look] = {
    "goal": _goals,
    "task": _tasks,
    "question": _questions,
    "dead_letter": _letters,
    "notification": _notifications,
    "recipient": _recipients,
    "schedule": _schedules,
}
