"""Who works, at what, and what came of it lately."""

from __future__ import annotations

from typing import Any

from agenthub_gateway.api.fleet import lately, metric_history, storage, workers

HANDLERS: list[Any] = [*workers.HANDLERS, *lately.HANDLERS, *storage.HANDLERS, *metric_history.HANDLERS]
