"""Errors of the orchestrator and the projector.

AgenthubError
├── ReadModelsNewer       another version of agenthub has made the read models in this database
└── ReadModelsForeign     the read models in this database come from another log
"""

from __future__ import annotations

from agenthub_events.errors import AgenthubError


class ReadModelsNewer(AgenthubError):
    """Another version of agenthub has made the read models in this database."""


class ReadModelsForeign(AgenthubError):
    """The read models in this database are ahead of the log: they come from another one."""
