"""Which model the hub's workers would ask, known before any of them starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agenthub_runtime.settings.records import HubSettings
    from agenthub_worker.llm.providers import Provider


def rehearses(settings: HubSettings) -> bool:
    """Whether the scripted model plays: it was asked for, or there is no other."""
    if settings.provider:
        return settings.provider == "rehearsal"
    return not settings.api_key and not settings.base_url


def provider_of(settings: HubSettings) -> Provider:
    """The provider of the hub's workers, with a model for each of their agent types.

    Raises `ProviderMissing` with the setting to make, instead of workers that die one after the other.
    """
    from agenthub_worker.llm.providers import provider_for

    return provider_for(settings, _served_types(settings))


def _served_types(settings: HubSettings) -> list[str]:
    """The agent types whose workers will need a model."""
    named = {name for key in settings.workers for name in key.split("+")}
    return sorted(named - {"noop"})
