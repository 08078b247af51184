"""What a command line may hold, as a table that is read without loading any command.

The table is a file beside this module, written by `make docs`; a test holds it against the commands.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from cyclopts import App

FILE = Path(__file__).with_name("table.json")
_KINDS = {
    "goal_id": "goal",
    "goal": "goal",
    "one": "goal",
    "other": "goal",
    "repository": "path",
    "task": "task",
    "intervention": "question",
    "letter": "dead_letter",
    "notification": "notification",
    "recipient": "recipient",
    "service": "log",
    "types": "agent_type",
    "agent": "agent_type",
    "schedule": "schedule",
    "type": "event_type",
    "status": "status",
}
_WORDS = {
    "goal submit": {"goal": ""},
    "notify test": {"to": ""},
    "schedule add": {"schedule": "", "goal": ""},
}


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands in one place: the kind of name that is looked up, `path` for files, or some choices."""

    kind: str = ""
    choices: tuple[str, ...] = ()


class Option(msgspec.Struct, frozen=True, omit_defaults=True):
    """An option; `value` None: it takes none."""

    help: str = ""
    value: Value | None = None


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """A command: those below it with their help, its options, and its values in their order."""

    below: dict[str, str] = {}
    options: dict[str, Option] = {}
    values: tuple[Value, ...] = ()


def read_table() -> dict[str, Command]:
    """Every command by its words."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, Command])


def table_of(app: App) -> dict[str, Command]:
    """The table of a command tree, which loads all of it."""
    table: dict[str, Command] = {}
    _add(app, (), table)
    return table


def _add(app: App, path: tuple[str, ...], table: dict[str, Command]) -> None:
    names = [name for name in app if not name.startswith("-")]
    arguments = app.assemble_argument_collection() if app.default_command is not None else ()
    shown = [argument for argument in arguments if argument.parse and argument.show]
    placed = sorted((one for one in shown if one.index is not None), key=lambda one: one.index or 0)
    options = {
        name: _option(" ".join(path), argument)
        for argument in shown
        if argument.field_info.is_keyword and argument.index is None
        for name in argument.names
    }
    table[" ".join(path)] = Command(
        below={name: _sentence(app[name].help) for name in names},
        options={**options, "--help": Option("Show what it takes")},
        values=tuple(_value(" ".join(path), argument) for argument in placed),
    )
    for name in names:
        _add(app[name], (*path, name), table)


def _option(command: str, argument: Any) -> Option:
    words = _sentence(argument.parameter.help or "")
    return Option(words, None if argument.is_flag() else _value(command, argument))


def _value(command: str, argument: Any) -> Value:
    name = re.sub(r"^-+", "", argument.name).replace("-", "_").lower()
    kind = _WORDS.get(command, {}).get(name, _KINDS.get(name, ""))
    if not kind and argument.hint is not None and "Path" in str(argument.hint):
        kind = "path"
    return Value(kind, tuple(argument.get_choices() or ()))


def _sentence(text: str | None) -> str:
    first = (text or "").strip().split("\n")[0]
    return first.replace("`", "")
