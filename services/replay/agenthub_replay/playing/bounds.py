"""Other bounds than the recorded ones, for asking what they would have decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agenthub_events.errors import InvalidInput
from agenthub_orchestrator.domain import Policy
from agenthub_replay.playing.decisions import PolicyChange

_CHANGEABLE = {field.name: field.type for field in msgspec.structs.fields(Policy) if field.type in (int, float)}


def change_of(settings: Sequence[str]) -> PolicyChange:
    """What `name=value` texts change in a policy. Raises `InvalidInput` that names the bounds there are."""
    values = dict(_setting(text) for text in settings)

    def change(policy: Policy) -> Policy:
        return msgspec.structs.replace(policy, **values)

    return change


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    kind = _CHANGEABLE.get(name)
    if kind is None or not equals:
        known = ", ".join(sorted(_CHANGEABLE))
        raise InvalidInput(f"`{text[:60]}` sets no bound: write name=value with one of {known}", field="set")
    try:
        return name, msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"`{value[:40]}` is no value of {name}: {error}", field="set") from error
