"""Errors of backups."""

from __future__ import annotations

from agenthub_events.errors import AgenthubError


class BackupFailed(AgenthubError):
    """A backup could not be made or given back; what was there before is as it was."""
