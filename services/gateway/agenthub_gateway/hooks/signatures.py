"""Who has sent a webhook: found over the raw body, by the secrets of the hub, before anything of it is read."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from standardwebhooks import Webhook, WebhookVerificationError

from agenthub_gateway.errors import SignatureRefused
from agenthub_runtime.remotes.hooks import SIGNING_KEY, HookSecret

HookKind: TypeAlias = Literal["github", "gitlab"]


def who_signed(
    secrets: Iterable[HookSecret], kind: HookKind, headers: Mapping[str, str], body: bytes
) -> tuple[HookSecret, ...]:
    """The secrets by which the body is known. `headers` have names in small letters. Raises `SignatureRefused`."""
    fits = _github if kind == "github" else _gitlab
    # Each is tried, so that the time tells nothing about which one fits.
    found = tuple([held for held in secrets if fits(held.secret, headers, body)])
    if not found:
        raise SignatureRefused("No secret of AGENTHUB_HOOKS has signed this")
    return found


def is_signed(keys: Iterable[str], headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of these keys has signed the body as Standard Webhooks say, within the last five minutes."""
    return any([_by_standard(key, headers, body) for key in keys])


def _github(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    wanted = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
    return _same(headers.get("x-hub-signature-256", ""), wanted)


def _gitlab(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    if secret.startswith(SIGNING_KEY):
        return _by_standard(secret, headers, body)
    return _same(headers.get("x-gitlab-token", ""), secret)


def _by_standard(key: str, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        Webhook(key).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError, OverflowError):
        return False
    return True


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())
