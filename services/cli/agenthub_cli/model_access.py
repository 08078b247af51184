"""Which model the hub's workers would ask, known before any of them starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agenthub_runtime.settings import HubSettings
    from agenthub_worker.llm.providers import Provider


def rehearses(settings: HubSettings) -> bool:
    """Whether the scripted model plays: it was asked for, or there is no other."""
    if settings.provider:
        return settings.provider == "rehearsal"
    return not settings.api_key and not settings.base_url


def provider_for(settings: HubSettings, types: Iterable[str]) -> Provider:
    """The provider of the hub's workers, with a model for each of `types`.

    Raises `ProviderMissing` with the setting to make, instead of workers that die one after the other.
    """
    from agenthub_worker.llm.providers import ProviderSettings, choose_provider

    provider = choose_provider(
        ProviderSettings(
            provider=settings.provider,
            api_key=settings.api_key,
            base_url=settings.base_url,
            model=settings.model,
            models=settings.models,
        )
    )
    for agent_type in types:
        provider.model_for(agent_type)
    return provider


def served_types(settings: HubSettings) -> list[str]:
    """The agent types whose workers will need a model."""
    named = {name for key in settings.workers for name in key.split("+")}
    return sorted(named - {"noop"})
