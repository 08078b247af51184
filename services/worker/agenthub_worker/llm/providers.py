"""Chooses the provider of a worker, and the model of an agent, from settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import msgspec

from agenthub_runtime.settings.records import HubSettings, WorkerSettings
from agenthub_worker.errors import ProviderMissing

ProviderName: TypeAlias = Literal["anthropic", "local", "rehearsal"]

ANTHROPIC_URL = "https://api.anthropic.com"
REHEARSAL_MODEL = "rehearsal"
REHEARSAL_LABEL = "the rehearsal model (scripted)"

# Names in agent files that stand for the vendor's current model of that size.
MODEL_ALIASES: Mapping[str, str] = {
    "opus": "claude-opus-5-5",
    "sonnet": "claude-sonnet-5-5",
    "haiku": "claude-haiku-5-5",
}

DEFAULT_MODELS: Mapping[str, str] = {
    "planner": "claude-opus-5-5",
    "architect": "claude-opus-5-5",
    "security": "claude-opus-5-5",
    "review": "claude-opus-5-5",
    "coding": "claude-sonnet-5-5",
    "debug": "claude-sonnet-5-5",
    "testing": "claude-haiku-5-5",
}


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the composition root read from the settings; empty texts mean that nothing was set.

    `model` holds for every agent type, `models` for single ones (type → model id or alias); both win over the
    agents' files.
    """

    provider: str = ""
    api_key: str = ""
    base_url: str = ""
    model: str = ""
    models: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"ProviderSettings(provider={self.provider!r}, base_url={self.base_url!r}, model={self.model!r})"


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """Where calls go. `api_key` never leaves this record but to the client; its text form hides it."""

    name: ProviderName
    base_url: str
    api_key: str
    model: str = ""
    models: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Provider(name={self.name!r}, address={self.address!r}, model={self.model!r})"

    @property
    def label(self) -> str:
        """The provider's name in messages for people."""
        match self.name:
            case "anthropic":
                return "Anthropic" if self.base_url == ANTHROPIC_URL else f"the provider at {self.address}"
            case "local":
                return f"the local model server at {self.address}"
            case "rehearsal":
                return REHEARSAL_LABEL

    @property
    def address(self) -> str:
        """Where calls go, without the credentials that an address can hold."""
        parts = urlsplit(self.base_url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))

    @property
    def place(self) -> str:
        """Name and address, for messages about what came from there."""
        return self.label if self.address in self.label else f"{self.label} at {self.address}"

    @property
    def caches_prompts(self) -> bool:
        """Whether requests should ask for prompt caching; other servers may not know the parameter."""
        return self.name == "anthropic"

    def model_for(self, agent_type: str, agent_file_model: str = "", *, ordered: str = "") -> str:
        """The model id for one agent: that of its type's setting, the setting for all, its file, the default.

        Before all these comes what its order names: a person asked for it when they forked the goal.

        Raises `ProviderMissing` when a local server is used and no setting says which model it serves.
        """
        if self.name == "rehearsal":
            return REHEARSAL_MODEL
        chosen = ordered or self.models.get(agent_type) or self.model
        if self.name == "local" and not chosen:
            raise ProviderMissing(
                f"the local model server serves agents of type {agent_type} only when it is told which model: set"
                f" AGENTHUB_MODEL, or AGENTHUB_MODEL_{agent_type.upper()} for this type alone",
                field="AGENTHUB_MODEL",
            )
        if not chosen and agent_file_model != "inherit":
            chosen = agent_file_model
        chosen = chosen or DEFAULT_MODELS.get(agent_type, DEFAULT_MODELS["coding"])
        return MODEL_ALIASES.get(chosen, chosen)


def provider_for(settings: WorkerSettings | HubSettings, types: Iterable[str]) -> Provider:
    """The provider of these settings, with a model for each of `types`. Raises `ProviderMissing`."""
    provider = choose_provider(msgspec.convert(settings, ProviderSettings, from_attributes=True))
    for agent_type in types:
        if agent_type != "noop":
            provider.model_for(agent_type)
    return provider


def choose_provider(settings: ProviderSettings) -> Provider:
    """The provider that `settings` name, or imply: a key means Anthropic, an address alone a local server.

    Raises `ProviderMissing` with the setting to make when nothing usable, or not enough, is configured.
    """
    _check_key(settings.api_key)
    _check_address(settings.base_url)
    name = settings.provider or ("anthropic" if settings.api_key else "local" if settings.base_url else "")
    match name:
        case "anthropic":
            return _anthropic(settings)
        case "local":
            return _at_address(settings, "local", "http://127.0.0.1:11434 for Ollama")
        case "rehearsal":
            return _at_address(settings, "rehearsal", "the one that `python -m agenthub_worker.rehearsal` prints")
        case "":
            raise ProviderMissing(
                "no model is configured for this worker: set ANTHROPIC_API_KEY to use Anthropic, or"
                " ANTHROPIC_BASE_URL and AGENTHUB_MODEL to use a local server; `agenthub up` brings a scripted"
                " rehearsal model with it",
                field="ANTHROPIC_API_KEY",
            )
        case _:
            raise ProviderMissing(
                f"AGENTHUB_PROVIDER is `{name[:40]}`: it must be anthropic, local or rehearsal",
                field="AGENTHUB_PROVIDER",
            )


def _check_key(key: str) -> None:
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ProviderMissing(
            "the key holds characters that no key has, often from copying it: set ANTHROPIC_API_KEY again",
            field="ANTHROPIC_API_KEY",
        )


def _check_address(url: str) -> None:
    if not url:
        return
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise ProviderMissing(
            "the address of the model server is none: set ANTHROPIC_BASE_URL to one like http://127.0.0.1:11434",
            field="ANTHROPIC_BASE_URL",
        )


def _anthropic(settings: ProviderSettings) -> Provider:
    if not settings.api_key:
        raise ProviderMissing(
            "the provider is anthropic, but there is no key: set ANTHROPIC_API_KEY", field="ANTHROPIC_API_KEY"
        )
    return Provider(
        name="anthropic",
        base_url=settings.base_url or ANTHROPIC_URL,
        api_key=settings.api_key,
        model=settings.model,
        models=settings.models,
    )


def _at_address(settings: ProviderSettings, name: ProviderName, example: str) -> Provider:
    if not settings.base_url:
        raise ProviderMissing(
            f"the provider is {name}, but there is no address: set ANTHROPIC_BASE_URL (for example {example})",
            field="ANTHROPIC_BASE_URL",
        )
    return Provider(
        name=name,
        base_url=settings.base_url,
        # The SDK wants a key; servers on one's own machine do not look at it.
        api_key=settings.api_key or name,
        model=settings.model,
        models=settings.models,
    )
