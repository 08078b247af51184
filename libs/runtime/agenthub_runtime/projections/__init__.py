"""Projections of the log into Postgres, with the names of the eventsourcing library."""

from __future__ import annotations

from agenthub_runtime.projections.generations import Generations, is_ruin
from agenthub_runtime.projections.runner import AsyncProjection, AsyncProjectionRunner, Changes
from agenthub_runtime.projections.tracking import AsyncpgTrackingRecorder, Generation

__all__ = [
    "AsyncProjection",
    "AsyncProjectionRunner",
    "AsyncpgTrackingRecorder",
    "Changes",
    "Generation",
    "Generations",
    "is_ruin",
]
