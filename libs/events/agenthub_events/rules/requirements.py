"""What plain words bind: requirements to gate parameters, durations to seconds."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from agenthub_events.catalogue.values import Constraints
from agenthub_events.errors import InvalidInput
from agenthub_events.gates import GATES, Gate, GateName

DEFAULT_LLM_CALLS = 500
"""Model calls of a goal whose submission names no limit, or 0."""
DEFAULT_MAX_COST_USD = 50.0
"""Money of such a goal, in USD; it bounds calls whose price is known, the others are bounded by their number."""
DEFAULT_MAX_TIME_S = 7 * 86_400
"""Seconds after which a person is asked how such a goal goes on."""

_COVERAGE = re.compile(
    r"(?:coverage\D{0,20}?(\d{1,3}(?:\.\d+)?)\s*%)|(?:(\d{1,3}(?:\.\d+)?)\s*%\s*(?:\w+\s+){0,2}coverage)",
    re.I,
)
_PARTS = re.compile(
    r"(\d+(?:\.\d+)?)\s*(d(?:ays?)?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)\b", re.I
)
_ISO = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$", re.I)
_UNIT_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
MAX_DURATION_S = 365 * 86_400


class GateParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What a goal demands: the least coverage in percent, the gates to pass, and those whose failure blocks."""

    min_coverage: float | None
    required: tuple[GateName, ...]
    blocking: frozenset[GateName]


def gate_parameters(requirements: Sequence[str], constraints: Constraints) -> GateParameters:
    """Read the gates' parameters out of a goal's requirements and constraints; words win over a missing flag."""
    thresholds = [value for text in requirements if (value := coverage_threshold(text)) is not None]
    return GateParameters(
        min_coverage=max(thresholds, default=None),
        required=tuple(gate.name for gate in GATES.values() if _required(gate, requirements, constraints)),
        blocking=frozenset(gate.name for gate in GATES.values() if _is_set(constraints, gate.blocks_by)),
    )


def _required(gate: Gate, requirements: Sequence[str], constraints: Constraints) -> bool:
    return _is_set(constraints, gate.required_by) or any(_speaks_to(gate, text) for text in requirements)


def _is_set(constraints: Constraints, flag: str | None) -> bool:
    return flag is None or getattr(constraints, flag) is True


def _speaks_to(gate: Gate, text: str) -> bool:
    return gate.about is None or gate.about.search(text) is not None


def coverage_threshold(text: str) -> float | None:
    """The percentage that a text such as `Unit tests >80% coverage` demands; None when it demands none."""
    found = _COVERAGE.search(text)
    if found is None:
        return None
    value = float(found.group(1) or found.group(2))
    return min(value, 100.0)


def gates_for(text: str) -> tuple[GateName, ...]:
    """The gates whose evidence speaks to a requirement; the review speaks to every one."""
    return tuple(gate.name for gate in GATES.values() if _speaks_to(gate, text))


def parse_duration(text: str, *, field: str) -> int:
    """Seconds of `24 hours`, `4h`, `1h 30m`, `90` (seconds) or ISO 8601 `PT4H`. Raises `InvalidInput`."""
    seconds = _seconds(text.strip())
    if seconds is None:
        raise InvalidInput(
            f"`{text[:60]}` is no duration: write for example `24 hours`, `90 minutes`, `4h 30m` or `PT4H`",
            field=field,
        )
    if not 1 <= seconds <= MAX_DURATION_S:
        raise InvalidInput(f"`{text[:60]}` is out of range: 1 second to 365 days", field=field)
    return round(seconds)


def _seconds(text: str) -> float | None:
    if text.isdecimal():
        return float(text)
    iso = _ISO.match(text)
    if iso and any(iso.groups()):
        return sum(float(part or 0) * unit for part, unit in zip(iso.groups(), _UNIT_S.values(), strict=True))
    if _PARTS.sub("", text).replace("and", "").strip(" ,"):
        return None
    parts = _PARTS.findall(text)
    if not parts:
        return None
    return sum(float(number) * _UNIT_S[unit[0].lower()] for number, unit in parts)
