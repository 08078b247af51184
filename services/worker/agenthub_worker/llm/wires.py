"""The wire of each provider: which client speaks it."""

from __future__ import annotations

from agenthub_worker.domain.model import OpenModelClient
from agenthub_worker.llm.client import MessagesClient
from agenthub_worker.llm.providers import Provider


def open_client(provider: Provider, *, idle_timeout_s: float | None = None) -> OpenModelClient:
    """A client of the provider.

    `idle_timeout_s`: how long the server may send nothing before a call counts as hung; None: as it is usual.
    """
    match provider.name:
        case "anthropic" | "local" | "rehearsal":
            return MessagesClient(provider, idle_timeout_s=idle_timeout_s)
