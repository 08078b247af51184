"""The read models in a few numbers, for figures."""

from __future__ import annotations

from agenthub_runtime.readmodels.overview.queries import Overview, overview

__all__ = ["Overview", "overview"]
