"""Errors of the shell that the services share.

AgenthubError
├── SettingsInvalid       values from the environment do not fit; lists every one with its remedy
├── DataDirBusy           another hub runs on this data folder
├── DataDirUnusable       the data folder cannot be used: written by a newer agenthub, or not ours to write
├── BinaryMissing         a server that the embedded stack needs is not installed
├── ServerFailed          an embedded server did not come up; carries the last lines of its log
├── ServiceFailed         a service of the stack died again and again before the hub was ready
├── BusError              the NATS server refused a declaration of the nats/ folder
└── InvalidInput
    └── AgentFileInvalid  an agent's Markdown file cannot be used: names the file and what to change
"""

from __future__ import annotations

from agenthub_events.errors import AgenthubError, InvalidInput


class SettingsInvalid(AgenthubError):
    """Settings do not fit; `problems` holds one sentence for each, with the remedy."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("Settings do not fit:\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = problems


class DataDirBusy(AgenthubError):
    """Another hub runs on this data folder."""


class DataDirUnusable(AgenthubError):
    """The data folder cannot be used by this agenthub."""


class BinaryMissing(AgenthubError):
    """A server program that the embedded stack needs is not on this machine."""


class ServerFailed(AgenthubError):
    """An embedded server did not come up, or did not come up again."""


class ServiceFailed(AgenthubError):
    """A service of the stack keeps dying before the hub is ready."""


class BusError(AgenthubError):
    """The NATS server refused a stream or a consumer as it is declared in `nats/`."""


class DatabaseUnavailable(AgenthubError):
    """Postgres does not answer; everything in it can be derived from the log again."""


class MigrationRefused(AgenthubError):
    """The migrations on disk and those in the database do not fit together."""


class ReadModelsMissing(AgenthubError):
    """The projector has not yet made the read models in this database."""


class AgentFileInvalid(InvalidInput):
    """An agent's file does not follow the format; the message names the file, `field` the key in it."""
