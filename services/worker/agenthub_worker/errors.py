"""Errors of the worker.

AgenthubError
├── InvalidInput
│   ├── ProviderMissing      no model provider is configured, or one only in part: names the setting to make
│   ├── InvalidTestPath      a test run was asked for with paths that are none
│   └── SetupInvalid         the repository's own settings for its setup cannot be used
├── ToolRefused              a tool cannot do what a model asked: tells the model what to change
├── HeartbeatLost        nobody keeps this worker's orders from going to others any more: it must stop
├── SetupFailed              the repository's dependencies could not be installed: carries the end of the log
├── ScanFailed               a security scan gave no result, so nothing is known about the code
├── AdvisoriesUnknown        a source of advisories has not said what it was asked about dependencies
└── SandboxUnavailable       this machine cannot run commands closed off: says what is missing
"""

from __future__ import annotations

from collections.abc import Sequence

from agenthub_events.errors import AgenthubError, InvalidInput


class ProviderMissing(InvalidInput):
    """The worker cannot reach a model with these settings; `field` is the setting to make."""


class SandboxUnavailable(AgenthubError):
    """Commands cannot be run closed off on this machine; the message says what the operator can do."""


class HeartbeatLost(AgenthubError):
    """The heartbeat has ended, and others take over what this worker holds; the message says why."""


class InvalidTestPath(InvalidInput):
    """What was named for a test run is no test file, folder or id of the workspace."""


class SetupInvalid(InvalidInput):
    """The repository says in a way that cannot be used how it is set up; the message names the file."""


class SetupFailed(AgenthubError):
    """A command of the setup failed.

    `log` is the end of what it printed, `refused` are the hosts that it asked for in vain.
    """

    def __init__(self, message: str, *, log: str = "", refused: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = log
        self.refused = tuple(refused)


class ScanFailed(AgenthubError):
    """The scanner gave no result; without one the code does not count as clean."""


class ToolRefused(AgenthubError):
    """A tool cannot do what it was asked; the message tells the model what to change."""


class AdvisoriesUnknown(AgenthubError):
    """A source of advisories has not said what it was asked; the message says why, as a part of a sentence."""
