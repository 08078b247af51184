"""Errors of replay.

InvalidInput
├── HistoryMissing        no such goal, or nothing of it at this position
├── ExportUnreadable      a file that is no export, or is damaged; says where
└── SchemaRefused         a schema that replay must not touch
"""

from __future__ import annotations

from agenthub_events.errors import InvalidInput


class HistoryMissing(InvalidInput):
    """There is nothing to replay."""


class ExportUnreadable(InvalidInput):
    """A file that is no export of a goal, or is damaged."""


class SchemaRefused(InvalidInput):
    """A schema that replay has not made, and so neither fills nor drops."""
