"""Errors of the language.

AgenthubError
├── InvalidInput          the caller's data is wrong: names the field and the remedy
│   ├── InvalidSubject
│   └── InvalidPlan
├── CommandRefused        the command does not fit the state that the caller saw
├── ArtifactMissing       an object that an event names is not in the store
└── StoreUnavailable      the log did not answer or could not store; nothing is lost, try again
"""

from __future__ import annotations


class AgenthubError(Exception):
    """Base of every error that agenthub raises on purpose."""


class InvalidInput(AgenthubError):
    """Data from outside does not fit; `field` names where, the message names the remedy."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class InvalidSubject(InvalidInput):
    """A subject or an id does not follow the grammar of the log."""


class InvalidPlan(InvalidInput):
    """A task list breaks the rules of plans; `reasons` lists the violations at once."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons), field="tasks")
        self.reasons = reasons


class CommandRefused(AgenthubError):
    """A command does not fit what has happened; `code` is stable, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ArtifactMissing(AgenthubError):
    """No object is stored under this digest."""


class StoreUnavailable(AgenthubError):
    """The event store did not answer, or its disk is full; the command may be sent again as it is."""
