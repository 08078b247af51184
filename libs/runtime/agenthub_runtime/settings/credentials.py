"""The credentials in an environment: what the hub itself holds and must show nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from agenthub_events.errors import InvalidInput
from agenthub_events.redaction import can_be_masked
from agenthub_runtime.settings.api_keys import read_api_key
from agenthub_runtime.settings.repositories import ADVISORIES, GIT_TOKENS, HOOKS
from agenthub_runtime.settings.setting import Setting
from agenthub_runtime.settings.stores import DATABASE_URL, NATS_URL, READER_PASSWORD
from agenthub_runtime.settings.table import (
    ANTHROPIC_API_KEY,
    ANTHROPIC_BASE_URL,
    API_KEYS,
    HUB_KEY,
    LINK_KEY,
    OTLP_ENDPOINT,
    OTLP_HEADERS,
    SEAL_KEY,
    SMTP_URL,
    WEBHOOK_SECRETS,
)

_KEYS = (ANTHROPIC_API_KEY, HUB_KEY, LINK_KEY, READER_PASSWORD, SEAL_KEY)
_LISTS = (API_KEYS, OTLP_HEADERS, WEBHOOK_SECRETS)
_ADDRESSES: tuple[Setting[Any], ...] = (
    *(NATS_URL, DATABASE_URL, ANTHROPIC_BASE_URL, OTLP_ENDPOINT, SMTP_URL, ADVISORIES),
)
T = TypeVar("T")
_USER_INFO = re.compile(r"://([^/@]*)@")


def credentials_in(env: Mapping[str, str]) -> tuple[str, ...]:
    """Keys, secrets of listed keys, values of headers, and passwords in addresses.

    Short ones, and short words of letters alone, are left out: masking them would destroy ordinary texts.
    """
    return tuple(dict.fromkeys(value for value in _held(env) if can_be_masked(value)))


def _held(env: Mapping[str, str]) -> Iterator[str]:
    for setting in _KEYS:
        yield env.get(setting.name, "").strip()
    for entries in _LISTS:
        for place, entry in enumerate(_listed(entries, env.get(entries.name, "").strip()), start=1):
            yield read_api_key(entry, place).secret if entries is API_KEYS else entry
    for given in _git_tokens(env.get(GIT_TOKENS.name, "").strip()):
        user, separator, token = given.partition(":")
        yield token if separator else user
    for held in _listed(HOOKS, env.get(HOOKS.name, "").strip()):
        yield held.secret
    for setting in _ADDRESSES:
        for info in _USER_INFO.findall(env.get(setting.name, "")):
            user, separator, password = info.partition(":")
            yield password if separator else user


def _git_tokens(text: str) -> tuple[str, ...]:
    # What does not fit is reported where the setting is read.
    with suppress(ValueError):
        return tuple(GIT_TOKENS.parse(text).values()) if text else ()
    return tuple(entry.partition("=")[2].strip() or entry.strip() for entry in text.split(","))


def _listed(setting: Setting[tuple[T, ...]], text: str) -> tuple[T, ...]:
    # What does not fit is reported where the setting is read.
    with suppress(ValueError, InvalidInput):
        return setting.parse(text)
    return ()
