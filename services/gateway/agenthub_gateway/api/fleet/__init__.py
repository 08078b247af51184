"""Who works, at what, what came of it lately, and how much room it takes."""

from __future__ import annotations

from typing import Any

from agenthub_gateway.api.fleet import lately, storage, workers

HANDLERS: list[Any] = [*workers.HANDLERS, *lately.HANDLERS, *storage.HANDLERS]
