"""The limits in an agent's file: what is missing, zero or unreadable is the default, and nothing is unlimited."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class AgentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one attempt: model turns, tokens of one reply. Its time is the order's to say."""

    max_turns: int = 60
    max_tokens: int = 16_000


_LARGEST: Mapping[str, int] = {"max_turns": 500, "max_tokens": 128_000}


def read_limits(written: object, max_turns: object) -> tuple[AgentLimits, tuple[str, ...]]:
    """The limits of the block `agenthub.limits`, or of Claude Code's `maxTurns`; with a sentence for each that is
    not taken as it stands."""
    values = dict(written) if isinstance(written, dict) else {}
    if max_turns is not None:
        values.setdefault("max_turns", max_turns)
    taken: dict[str, int] = {}
    warnings: list[str] = []
    if written is not None and not isinstance(written, dict):
        warnings.append("`agenthub.limits` must hold `name: number` lines; the defaults hold")
    for name, largest in _LARGEST.items():
        if name not in values:
            continue
        value = values.pop(name)
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            warnings.append(f"limit `{name}` must be a number above 0; the default holds")
        elif value > largest:
            warnings.append(f"limit `{name}` is more than is allowed; {largest} holds")
            taken[name] = largest
        else:
            taken[name] = value
    if values:
        warnings.append(f"unknown limits: {', '.join(sorted(map(str, values)))}")
    return AgentLimits(**taken), tuple(warnings)
