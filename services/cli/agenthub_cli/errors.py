"""Errors of the command line.

AgenthubError
└── CommandFailed            what happened, what to type next, and the exit code
    ├── HubUnreachable       no hub answers
    ├── NotAHub              something answers that is no hub
    ├── ReadModelsBehind     the hub does not know an event yet that it was asked about
    └── SourceUnreachable    a package client reaches nothing that it fetches from
"""

from __future__ import annotations

from agenthub_cli import exit_codes
from agenthub_cli.program import program
from agenthub_events.errors import AgenthubError


class CommandFailed(AgenthubError):
    """A command that could not be carried out; `hint` is the next command to type."""

    def __init__(self, message: str, *, hint: str = "", code: int = exit_codes.FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def reason_of(error: OSError | ValueError) -> str:
    """Why something with a file failed, without numbers and without the name again."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class HubUnreachable(CommandFailed):
    """No hub answers at the address."""

    def __init__(self, url: str, why: str = "") -> None:
        super().__init__(
            f"No hub answers at {url}{f': {why}' if why else ''}",
            hint=f"start one with `{program()} up`, or name another with --url",
            code=exit_codes.UNREACHABLE,
        )


class NotAHub(CommandFailed):
    """Something answers at the address, and it is no hub."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"What answers at {url} is no agenthub of this version: {why}",
            hint="look at the address, and name the hub's with --url",
            code=exit_codes.UNREACHABLE,
        )


class ReadModelsBehind(CommandFailed):
    """The read models have not reached an event: they will, or it does not exist."""


class SourceUnreachable(CommandFailed):
    """A package client of this machine reaches no source of its packages."""

    def __init__(self, client: str, said: str) -> None:
        super().__init__(
            f"{client} reaches no source of packages from here: {said}",
            hint=f"check the network, and where {client} of this machine is set up to fetch from",
        )
