"""Which model the hub's workers would ask, known before any of them starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agenthub_runtime.jetstream.fleet import ModelReport
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


async def look_at_model(settings: HubSettings, *, rehearsal_url: str = "", probe: bool) -> ModelReport:
    """What the workers of these settings ask; with `probe` also what one cheap call shows.

    `rehearsal_url`: where the scripted model answers. Raises `ProviderMissing`.
    """
    from agenthub_worker.llm.probe import probed, report_of
    from agenthub_worker.llm.providers import ProviderSettings, choose_provider

    types = tuple(_served_types(settings))
    if rehearses(settings):
        provider = choose_provider(ProviderSettings(provider="rehearsal", base_url=rehearsal_url))
    else:
        provider = provider_of(settings)
    report = report_of(provider, types, settings.data_dir)
    return await probed(report, provider) if probe and types else report


def named(models: Mapping[str, str]) -> str:
    """The models of the agent types, each model once with the types that ask it."""
    types: dict[str, list[str]] = {}
    for agent_type, name in models.items():
        types.setdefault(name, []).append(agent_type)
    return "; ".join(f"{name}: {', '.join(asking)}" for name, asking in types.items())


def _served_types(settings: HubSettings) -> list[str]:
    """The agent types whose workers will need a model."""
    named = {name for key in settings.workers for name in key.split("+")}
    return sorted(named - {"noop"})
