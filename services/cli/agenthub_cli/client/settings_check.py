"""Settings that would be passed over in silence: unknown names, and values that do not do what they seem to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from urllib.parse import urlsplit

from agenthub_cli.client.address import on_loopback
from agenthub_cli.client.model_access import rehearses
from agenthub_events.notifications.recipients import readable_on_the_way
from agenthub_runtime.settings.records import HubSettings, NotifierSettings
from agenthub_runtime.settings.table import (
    ALLOWED_HOSTS,
    ANTHROPIC_API_KEY,
    ANTHROPIC_BASE_URL,
    HOST,
    MODEL,
    NOTIFY,
    NOTIFY_DIGEST,
    NOTIFY_ESCALATION,
    PROVIDER,
    PUBLIC_URL,
    QUIET_HOURS,
    SETTINGS,
)

_PREFIX = "AGENTHUB_"
_LIKE_PREFIX = "AGEN"
_FILE = "_FILE"
# Read by builds, by the tests and by compose.yaml, and not by the hub.
_OF_OTHERS = frozenset(
    _PREFIX + name for name in ("SKIP_UI", "UI_OUT", "PICTURES", "TEST_GOALS", "IMAGE", "VERSION", "SECRETS_DIR")
)
_KNOWN = frozenset(setting.name for setting in SETTINGS)
_ALIKE, _ALIKE_PREFIX = 0.6, 0.85


def unknown_names(env: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for every variable that is meant for agenthub and that nothing reads."""
    return [sentence for name in sorted(env) if (sentence := _why_unknown(name))]


def _why_unknown(name: str) -> str:
    known = name in _KNOWN or name in _OF_OTHERS or name.removesuffix(_FILE) in _KNOWN
    if known or not name.upper().startswith(_LIKE_PREFIX):
        return ""
    meant = name.upper().startswith(_PREFIX)
    near = get_close_matches(
        name.upper().removesuffix(_FILE), _KNOWN, n=1, cutoff=_ALIKE if meant else _ALIKE_PREFIX
    )
    if not meant and not near:
        return ""  # of another program
    ending = _FILE if near and name.upper().endswith(_FILE) else ""
    hint = f": did you mean {near[0]}{ending}?" if near else ": see the list of settings, or take it out"
    return f"{name[:80]} is set, and no setting has this name{hint}"


def doubtful(env: Mapping[str, str], settings: HubSettings, told: NotifierSettings) -> list[str]:
    """A sentence for every setting that does not do what whoever set it must expect, with the remedy."""
    return [
        *_unasked_model(settings),
        *_readable_webhooks(told),
        *_for_nobody(env, told),
        *_public_address(env),
    ]


def _unasked_model(settings: HubSettings) -> Iterator[str]:
    named = settings.model or next(iter(settings.models.values()), "")
    if named and not settings.provider and rehearses(settings):
        yield (
            f"{MODEL.name} names {named[:60]}, and no provider is set: a script answers in its place; set"
            f" {ANTHROPIC_API_KEY.name}, or {PROVIDER.name} and {ANTHROPIC_BASE_URL.name}"
        )


def _readable_webhooks(told: NotifierSettings) -> Iterator[str]:
    named = ((NOTIFY, told.recipients), (NOTIFY_ESCALATION, told.escalation))
    for setting, recipients in named:
        for recipient in recipients:
            if words := readable_on_the_way(recipient):
                yield f"{setting.name} names {words}"


def _for_nobody(env: Mapping[str, str], told: NotifierSettings) -> Iterator[str]:
    if told.recipients or told.escalation:
        return
    for setting in (QUIET_HOURS, NOTIFY_DIGEST):
        if env.get(setting.name, "").strip():
            yield f"{setting.name} is set, and nobody is named who is told: set {NOTIFY.name}"


def _public_address(env: Mapping[str, str]) -> Iterator[str]:
    public = env.get(PUBLIC_URL.name, "").strip()
    if not public or on_loopback(public):
        return
    parts = urlsplit(public)
    if parts.scheme == "http":
        yield (
            f"{PUBLIC_URL.name} is plain http://: keys and links that sign in can be read on the way; put a proxy"
            " with TLS before the gateway and use https://"
        )
    allowed = {host.strip().lower() for host in env.get(ALLOWED_HOSTS.name, "").split(",")}
    if parts.hostname not in {*allowed, env.get(HOST.name, "").strip().lower()}:
        yield (
            f"{PUBLIC_URL.name} names {parts.hostname}, under which the gateway answers nobody: add it to"
            f" {ALLOWED_HOSTS.name}"
        )
