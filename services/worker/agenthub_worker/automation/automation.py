"""What tox and nox are told to do for a project's tests: what they install, and the command that runs them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import msgspec

from agenthub_worker.automation.command_line import use_of

# The run of the system sets them itself.
_OURS = frozenset(
    {"PYTEST_ADDOPTS", "PYTHONPATH", "COVERAGE_FILE", "PATH", "HOME", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"}
)
TEMPORARY = "/tmp/tox"  # noqa: S108 - inside
"""The folder for what a run leaves; it is made before one that names it."""
_PLAIN = (["pytest"], ["python", "-m", "pytest"])


class Automation(msgspec.Struct, frozen=True, kw_only=True):
    """An environment for tests. `needs` are arguments of pip's; `extras` and `groups` are of the project itself.

    `commands` are run in `folder`, with `variables`.
    """

    needs: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    variables: Mapping[str, str] = {}
    folder: str = ""

    @property
    def tests(self) -> str:
        """The line for bash that runs the tests; empty where none of the commands does it by pytest or unittest.

        Empty as well where it is pytest without more.
        """
        line = next((line for words in self.commands if _runs_tests(line := shlex.join(words))), "")
        set_here = [f"{name}={shlex.quote(value)}" for name, value in self.variables.items() if name not in _OURS]
        if not line or (shlex.split(line) in _PLAIN and not set_here and not self.folder):
            return ""
        there = f"cd {shlex.quote(self.folder)} && " if self.folder else ""
        run = there + " ".join((*set_here, line))
        return f"mkdir -p {TEMPORARY} && {run}" if TEMPORARY in run else run

    @property
    def runs_tests(self) -> bool:
        """Whether one of the commands runs them."""
        return any(_runs_tests(shlex.join(words)) for words in self.commands)


def split_needs(words: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Arguments of pip's without the project itself, and the extras with which that is asked for."""
    needs, extras, left = list[str](), list[str](), iter(words)
    for word in left:
        if word in ("-e", "--editable"):
            target = next(left, "")
            extras += _extras(target)
            needs += [] if _is_project(target) else ["-e", target]
        elif _is_project(word):
            extras += _extras(word)
        else:
            needs.append(word)
    return tuple(needs), tuple(extras)


def folder_below(text: str) -> str | None:
    """The folder of the repository; None for one outside of it."""
    pure = PurePosixPath(text)
    return None if pure.is_absolute() or ".." in pure.parts else str(pure).removeprefix(".")


def _runs_tests(line: str) -> bool:
    use = use_of(line)
    return use.pytest or use.unittest


def _is_project(word: str) -> bool:
    return word.partition("[")[0] in (".", "./")


def _extras(word: str) -> list[str]:
    inner = word.partition("[")[2].rpartition("]")[0]
    return [part.strip() for part in inner.split(",") if part.strip()]
