"""What an agent said and did in an attempt, line by line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from cyclopts import Parameter

from agenthub_cli.checked import Count
from agenthub_cli.client.hub_client import hub_and_goal
from agenthub_cli.client.names import GoalId, TaskName
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.common import Json, Url
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, say, say_beside

_FOLDED = 8
_INDENT = " " * 11


def transcript(
    goal_id: GoalId,
    task: TaskName,
    *,
    attempt: Annotated[Count | None, Parameter(help="Which attempt [default: the last]")] = None,
    full: Annotated[bool, Parameter(negative="", help="All of what tools gave back, also on a terminal")] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Read what an agent said and did on a task, with every tool call and what came back."""
    hub, goal_id = hub_and_goal(url, goal_id)
    found = hub.get(f"/goals/{goal_id}/tasks/{hub.task_id(goal_id, task)}")["task"]
    number = attempt or found["attempt"]
    if not number:
        raise CommandFailed(f"{found['task_id']} has not been tried yet", hint=f"{program()} goal watch {goal_id}")
    read = hub.get(f"/goals/{goal_id}/tasks/{found['task_id']}/attempts/{number}/transcript")
    if json:
        for item in read["items"]:
            print_json(item)
        return
    folded = None if full or not sys.stdout.isatty() else _FOLDED
    say(f"{found['title']}, attempt {number}")
    for line in "\n".join(told(read["items"], folded=folded)).splitlines():
        say_beside(line[: len(_INDENT)], line[len(_INDENT) :], again=_INDENT)
    for line in str(read["live"]).splitlines():
        say_beside(_INDENT, line)


def told(items: Iterable[Mapping[str, Any]], *, folded: int | None) -> Iterator[str]:
    """A transcript as lines; of what a tool gave back, and of what it was given, `folded` lines at most."""
    for item in items:
        at = datetime.fromisoformat(item["at"]).astimezone().strftime("[%H:%M:%S]")
        kind, text = item["kind"], str(item["text"])
        if kind == "tool":
            yield f"{at} {item['tool']}{_took(item)}{_given(item['input'], folded)}"
            yield from _below(text, folded, mark="! " if item["is_error"] else "")
        elif kind == "said":
            yield from _said(at, text)
        else:
            yield f"{at} {_FACTS.get(kind, kind).format_map(_Words(item))}"
            if kind != "held":
                yield from _below(text, folded)


_FACTS = {
    "held": "({worker} works on it)",
    "asked": "(the model is asked)",
    "failed": "(the model gave no answer)",
    "note": "(a word to the agent)",
    "closed": "(the run ends)",
}


class _Words(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def _said(at: str, text: str) -> Iterator[str]:
    first, *others = text.splitlines() or [""]
    if text.strip():
        yield f"{at} {first}"
        yield from (f"{_INDENT}{line}" for line in others)


def _below(text: str, folded: int | None, mark: str = "") -> Iterator[str]:
    lines = text.splitlines()
    shown = lines if folded is None or len(lines) <= folded + 1 else lines[:folded]
    yield from (f"{_INDENT}{mark}{line}" for line in shown)
    if len(shown) < len(lines):
        yield f"{_INDENT}… {len(lines) - len(shown)} more lines: --full"


def _given(arguments: Mapping[str, Any], folded: int | None) -> str:
    """Short arguments in the line, long ones below it."""
    short = [str(value) for value in arguments.values() if "\n" not in str(value)]
    long = [str(value) for value in arguments.values() if "\n" in str(value)]
    below = [line for value in long for line in _below(value, folded, "| ")]
    return "\n".join(("".join(f" {word}" for word in short), *below))


def _took(item: Mapping[str, Any]) -> str:
    if not item["ended_at"]:
        return " (runs)"
    seconds = (datetime.fromisoformat(item["ended_at"]) - datetime.fromisoformat(item["at"])).total_seconds()
    return f" ({seconds:.1f} s)"
