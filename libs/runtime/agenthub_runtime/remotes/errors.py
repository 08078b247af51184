"""What can go wrong with a repository at an address.

AgenthubError
├── RemoteRefused        asking again changes nothing: the message says what a person has to change
└── RemoteUnavailable    the host could not be reached, or broke off; asking again may help
"""

from __future__ import annotations

from agenthub_events.errors import AgenthubError


class RemoteRefused(AgenthubError):
    """The host, or a rule of the hub, says no; the message names the cause and the remedy."""


class RemoteUnavailable(AgenthubError):
    """No answer from the host, or none that makes sense; another try may succeed."""
