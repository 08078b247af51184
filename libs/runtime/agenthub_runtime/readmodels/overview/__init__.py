"""The read models in a few numbers: for figures, and what the last hour has brought."""

from __future__ import annotations

from agenthub_runtime.readmodels.overview.queries import (
    ModelLately,
    Overview,
    QueueLately,
    models_lately,
    overview,
    queues_lately,
)

__all__ = ["ModelLately", "Overview", "QueueLately", "models_lately", "overview", "queues_lately"]
