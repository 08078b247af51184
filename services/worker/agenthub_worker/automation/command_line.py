"""What a test command of a project runs, read out of the line that people give."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import msgspec

_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
_PYTEST = frozenset({"pytest", "py.test"})
_DJANGO = frozenset({"manage.py", "django-admin", "django-admin.py"})
_SHELLS = frozenset({"sh", "bash", "dash", "zsh"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_KEYWORDS = frozenset({"do", "then", "else", "if", "while", "until", "!", "{"})
_OPERATORS = frozenset({"&&", "||", ";"})

RUNNERS = ("uv", "poetry", "pdm", "pipenv", "hatch", "rye", "pixi")
"""Programs of which `NAME run COMMAND` runs a command in the project's environment."""

# What runs the program that its own arguments name.
_WRAPPERS = frozenset(
    {*RUNNERS, "env", "time", "timeout", "nice", "ionice", "nohup", "exec", "command", "stdbuf", "setsid"}
    | {"coverage", "conda", "mamba", "micromamba", "uvx", "pipx", "xvfb-run", "dotenv", "ddtrace-run"}
)


class CommandUse(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a line: what runs its tests, whether it measures coverage by itself, and may go on.

    `takes_paths`: what is put behind the line reaches pytest as an argument.
    """

    pytest: bool = False
    unittest: bool = False
    node: bool = False
    coverage: bool = False
    takes_paths: bool = False


def use_of(line: str) -> CommandUse:
    """Read a line for bash. What cannot be read runs something unknown."""
    try:
        words = _words(line)
    except ValueError:
        return CommandUse()
    commands = list(_commands(words))
    modules = [module for command in commands for module in _programs(command)]
    is_pytest = "pytest" in modules
    last = _programs(commands[-1]) if commands else []
    return CommandUse(
        pytest=is_pytest,
        unittest=not is_pytest and "unittest" in modules,
        node=set(modules) == {"node"},
        coverage="coverage" in modules or (is_pytest and any(word.startswith("--cov") for word in words)),
        takes_paths="pytest" in last and "sh" not in last and not _goes_on(words),
    )


def is_django(program: str, argument: str) -> bool:
    """Whether `manage.py test`, or the same by Django's own program, is called, which runs unittest."""
    return PurePosixPath(program).name in _DJANGO and argument == "test"


def _words(line: str) -> list[str]:
    joined = line.replace("\\\n", " ").strip().replace("\n", " ; ")
    reader = shlex.shlex(joined, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    return list(reader)


def _goes_on(words: Sequence[str]) -> bool:
    """Whether something other than arguments ends the line: a pipe, a redirection, a bracket."""
    last = max((number for number, word in enumerate(words) if word in _OPERATORS), default=-1)
    return any(set(word) <= set("()<>|&;") for word in words[last + 1 :])


def _commands(words: Sequence[str]) -> Iterator[list[str]]:
    for is_punctuation, group in itertools.groupby(words, key=lambda word: set(word) <= set("()<>|&;")):
        if not is_punctuation:
            yield list(group)


def _programs(words: Sequence[str]) -> list[str]:
    """The program that a simple command runs, and those that it runs by that, as far as they run tests."""
    words = list(itertools.dropwhile(lambda word: word in _KEYWORDS or _ASSIGNMENT.match(word), words))
    if not words:
        return []
    name, rest = PurePosixPath(words[0]).name, words[1:]
    if name in _PYTEST:
        return ["pytest"]
    if _PYTHON.fullmatch(name):
        return _of_python(rest)
    if rest and is_django(name, rest[0]):
        return ["unittest"]
    if name == "node":
        return ["node"] if "--test" in rest else []
    if name in _SHELLS:
        inner = next((after for before, after in itertools.pairwise(rest) if before.endswith("c")), "")
        use = use_of(inner)
        return ["sh", *(kind for kind in ("pytest", "unittest", "node", "coverage") if getattr(use, kind))]
    if name not in _WRAPPERS:
        return []
    inside = next((found for start in range(len(rest)) if (found := _starts(rest[start:]))), [])
    return ["coverage", *_of_python(rest)] if name == "coverage" and "run" in rest else inside


def _starts(words: Sequence[str]) -> list[str]:
    name = PurePosixPath(words[0]).name
    known = name in _PYTEST | _SHELLS | _DJANGO or name == "coverage" or _PYTHON.fullmatch(name)
    return _programs(words) if known else []


def _of_python(arguments: Sequence[str]) -> list[str]:
    """The modules that `python …` runs."""
    for number, word in enumerate(arguments):
        following = arguments[number + 1] if number + 1 < len(arguments) else ""
        if is_django(word, following):
            return ["unittest"]
        module = following if word == "-m" else ""
        module = module or (word[2:] if word.startswith("-m") and len(word) > 2 else "")
        if module in ("coverage", "coverage.__main__"):
            return ["coverage", *_of_python(arguments[number + 2 :])]
        if module == "django":
            return ["unittest"] if arguments[number + 2 : number + 3] == ["test"] else ["django"]
        if module:
            return [module.split(".")[0]]
    return []
