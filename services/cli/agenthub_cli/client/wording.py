"""What a hub says of a request, in the words of the command line: options instead of fields of a body."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_OPTIONS = {
    "requirements": "--requirement",
    "goal": "the goal's sentence",
    "feedback": "the feedback",
    "repository": "--repository",
    "tasks": "the plan",
    "workflow": "--workflow",
    "secrets": "--secrets",
    "cron": "the cron expression",
    "workers": "the number of workers",
    "status": "--status",
    "name": "the name",
    **{
        name: f"--{name.replace('_', '-')}"
        for name in (
            *("max_time", "max_cost_usd", "max_llm_calls", "min_coverage", "security_audit", "mutants", "network"),
            *("test_command", "setup", "ref", "deliver", "deliver_branch", "autonomy", "notify", "priority"),
            *(
                "title",
                "details",
                "agent",
                "timeout_s",
                "text",
                "option",
                "action",
                "reason",
                "type",
                "from",
                "time_zone",
                "at_seq",
                "model",
                "prompt",
                "plan",
            ),
        )
    },
}
_KINDS = re.compile(r"Expected `(\w+)(?: \| null)?`, got `(\w+)`.*")
_KIND = {
    "array": "a list",
    "object": "an object",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}
_PLACE = re.compile(r"([a-z_]+)(?:\[(\d+)\])?")
_IN_PLAN = re.compile(r"(?:tasks|workflow|plan)\[")
# Names that no person writes by chance.
_IN_TEXT = re.compile(rf"`?\b({'|'.join(name for name in _OPTIONS if '_' in name)})\b`?")
_BOUNDS = (
    (re.compile(r"Expected `(?:str|bytes)` of length >= 1\b.*"), "it is empty"),
    (re.compile(r"Expected `str` of length >= (\d+).*"), r"it is too short: at least \1 characters"),
    (re.compile(r"Expected `str` of length <= (\d+).*"), r"it is too long: at most \1 characters"),
    (re.compile(r"Expected `array` of length <= (\d+).*"), r"there are too many: at most \1"),
    (re.compile(r"Expected `(?:int|float)` >= ([\d.]+?)(?:\.0)?(?: -.*)?$"), r"it must be at least \1"),
    (re.compile(r"Expected `(?:int|float)` <= ([\d.]+?)(?:\.0)?(?: -.*)?$"), r"it must be at most \1"),
    (re.compile(r"Expected `(?:int|float)` > ([\d.]+?)(?:\.0)?(?: -.*)?$"), r"it must be more than \1"),
    (re.compile(r"Expected `(?:int|float)` < ([\d.]+?)(?:\.0)?(?: -.*)?$"), r"it must be less than \1"),
    (
        re.compile(r"Expected `str` matching regex '\^\[a-z0-9\]\[a-z0-9-\]\*\$'.*"),
        "it takes small letters, digits and dashes, and begins with no dash",
    ),
    (re.compile(r"This field is required"), "it is missing"),
    (
        re.compile(r"The read models hold events up to (\d+), you asked for (\d+)"),
        r"The hub shows events up to \1 so far: event \2 comes in a moment, or there is none yet",
    ),
    (re.compile(r"Object missing required field `(\w+)`.*"), r"`\1` is missing"),
    (re.compile(r"Object contains unknown field `(\w+)`.*"), r"nobody knows `\1`"),
)


def told(detail: str, errors: Sequence[Mapping[str, Any]]) -> str:
    """The sentence of a refusal; what is said of several places stands on a line each."""
    lines = dict.fromkeys(
        line
        for error in errors
        if error.get("key")
        if (line := _line(str(error["key"]), str(error.get("message") or detail)))
    )
    first = plainly(detail, by_options=not any(_IN_PLAN.match(str(error.get("key"))) for error in errors))
    if not lines:
        return first
    # The sentence of a body with several mistakes is nothing but all of theirs.
    is_said = detail == "; ".join(str(error.get("message")) for error in errors)
    return "\n  ".join(lines if is_said or any(first in line for line in lines) else (first, *lines))


def plainly(text: str, *, by_options: bool = True) -> str:
    """A message without the names of types, and of fields that are options; a plan has its own by their names."""
    for pattern, words in _BOUNDS:
        if pattern.match(text):
            return pattern.sub(words, text)
    if found := _KINDS.match(text):
        wanted, got = (_KIND.get(kind, kind) for kind in found.groups())
        return f"it must be {wanted}, and is {got}"
    if not by_options:
        return text
    return _IN_TEXT.sub(lambda found: _OPTIONS[found[1]], text)


def _line(key: str, message: str) -> str:
    """A place and what is wrong there; a sentence that names the place itself needs no more."""
    said = plainly(message, by_options=not _IN_PLAN.match(key))
    option = place(key)
    says_itself = option in said or said.startswith("unknown agent `")
    return said if says_itself or not option else f"{option}: {said}"


def place(key: str) -> str:
    """A place in the body of a request as an option; `tasks[2].title` is `title` of task 3 of the plan."""
    parts = [found for found in _PLACE.findall(key) if found[0] not in ("constraints", "edits")]
    if not parts:
        return key
    name, number = parts[0]
    option = _OPTIONS.get(name, name)
    if name in ("tasks", "workflow") and number:
        inner = "".join(f"`{inner}` of " for inner, _ in reversed(parts[1:]))
        return f"{inner}task {int(number) + 1} of {option}"
    return f"{option} number {int(number) + 1}" if number and int(number) else option
