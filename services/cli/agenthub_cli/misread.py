"""What is wrong with a command line, in our own words: by the names that the help gives."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args, get_origin

from cyclopts import (
    ArgumentOrderError,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)

from agenthub_runtime.plain_text import one_line

_MEANT = re.compile(r'Did you mean "?([^"?]+)"?\?')
_NO_KIND = {
    "int": "no whole number",
    "float": "no number",
    "bool": "neither `true` nor `false`",
    "datetime": "no moment such as 2026-01-31T10:00:00",
}


def misread(error: CycloptsError, command: str) -> str:
    """A sentence about a command line that `command` could not read."""
    return one_line(_sentence(error, command))


def _sentence(error: CycloptsError, command: str) -> str:
    match error:
        case UnknownOptionError():
            return f"There is no option {error.token.keyword or error.token.value}{_meant(error)}"
        case UnknownCommandError():
            return _no_command((error.unused_tokens or [""])[0], _meant(error))
        case UnusedCliTokensError():
            return f"{command} has no place for `{' '.join(error.unused_tokens or ())}`"
        case MissingArgumentError():
            return f"{error.keyword} needs a value" if error.keyword else f"{command} needs {_name(error)}"
        case RepeatArgumentError():
            return f"{error.token.keyword} is given twice"
        case CoercionError() if error.token is not None:
            said = error.msg or f"`{error.token.value}` is {_no_kind(error.target_type)}"
            return f"{_name(error, error.token.keyword)}: {said}"
        case ValidationError() if error.argument is not None:
            tokens = error.argument.tokens
            return f"{_name(error, tokens[0].keyword if tokens else None)}: {error.exception_message}"
        case ArgumentOrderError():
            return f"`{error.token}` stands where {_name(error)} is already given by its option"
        case _:
            return str(error)


def _name(error: CycloptsError, keyword: str | None = None) -> str:
    """The option as it was given; else what the help calls the value, or the option that it belongs to."""
    argument = error.argument
    if keyword or argument is None:
        return keyword or "A value"
    if argument.index is None:
        return str(argument.name)
    return str(argument.name).lstrip("-").upper()


def _no_kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"none of {', '.join(map(str, get_args(kind)))}"
    return _NO_KIND.get(getattr(kind, "__name__", ""), "no value that fits")


def _no_command(word: str, meant: str) -> str:
    if word.startswith("-"):
        return f"There is no option {word}"
    return f"There is no command `{word}`{meant}"


def _meant(error: CycloptsError) -> str:
    found = _MEANT.search(str(error))
    return f"; did you mean {found[1].strip()}?" if found else ""
