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

_PERCENT = r"(?P<{}>\d{{1,3}}(?:[.,]\d+)?)\s*(?:%|per\s?cent\b|pct\b)"
_OF_CODE = (
    r"(?:(?:all|the|our|its|your|new|changed|executable|source|existing)\s+){0,3}"
    r"(?:lines?|statements?|branch(?:es)?|functions?|methods?|conditions?|code(?:\s?base)?)\b"
)
_WHAT = r"(?:(?:of|test|tests|code|line|unit|branch|statement|overall|total)\s+){0,3}"
_COVERAGE = re.compile(
    rf"\bcoverage\b(?:(?!\band\b|,(?!\d))\D){{0,40}}?{_PERCENT.format('behind')}"
    rf"|{_PERCENT.format('before')}\s*\+?\s*{_WHAT}coverage\b"
    # A number without its sign: only where a name or a comparison leads to it, and nothing else is counted.
    r"|\bcoverage\b\s*(?:[:=]|[>\u2265]=?|(?:of\s+|is\s+|must\s+be\s+|should\s+be\s+)?at\s+least\b)\s*"
    r"(?P<bare>\d{2,3}(?:\.\d+)?|0\.\d+|1\.0+)(?=\s*(?:\+|or\s+(?:more|higher|better)\b)?\s*(?:[.,)!]*$|[,)]))"
    rf"|{_PERCENT.format('of')}\s+of\s+{_OF_CODE}[^%]{{0,40}}?\b(?:covered|exercised|tested)\b"
    rf"|\b(?:cover|covers|covering|exercise|exercises|exercising)\b[^%\d]{{0,30}}?"
    rf"{_PERCENT.format('covering')}\s+of\s+{_OF_CODE}",
    re.I,
)
_OF_BRANCHES = re.compile(r"\bbranch(?:es)?\b", re.I)
# A point ends a clause where a space follows it; a question keeps its mark, which says what it is.
_CLAUSE_END = re.compile(r"(?<=[.!?;])\s+|\n|;|,?\s+\b(?:but|however)\b", re.I)
_NO_LESS = re.compile(
    r"\b(?:no|not|never)\s+(?:less|lower|worse|fewer)\s+than\b"
    r"|\b(?:not|never|n['\u2019]t)\s+(?:\w+\s+)?(?:drop|fall|go|be|sink|decrease)\s+(?:below|under|less\s+than)\b"
    r"|\bmust\s*(?:not|n['\u2019]t)\s+(?:\w+\s+){0,3}(?:below|under)\b",
    re.I,
)
_BINDS_NOTHING = re.compile(
    r"\b(?:no|not|never|none|without|neither|nor|cannot|unnecessary|optional|optionally|needless|instead|skip|ignore)\b"
    r"|n['\u2019]t\b|\?\s*$"
    r"|\bat\s+most\b|\bup\s+to\b|\bno\s+more\s+than\b|\bmaximum\b|\bbelow\b|\bunder\b|<"
    r"|\bif\s+(?:possible|you\s+can|feasible|practical|time)\b|\bwhere\s+possible\b|\bideally\b|\bpreferabl[ye]\b"
    r"|\bnice\s+to\s+have\b|\b(?:would|could|might|may)\b|\btry\b|\baim\b|\bhop(?:e|ing)\b"
    r"|\b(?:currently|today|already|was|were|had|used\s+to|last\s+(?:year|month|week|time|release|sprint))\b",
    re.I,
)
# Narrower than the above: "security: no secrets in the code" asks for an audit.
_DENIES = re.compile(
    r"\b(?:no|without|skip)\s+(?:need\s+(?:for|of)\s+)?(?:(?:an?|the|any)\s+)?(?:security\s+)?audit\b"
    r"|(?:\bnot|n['\u2019]t)\s+(?:need|require|want)\w*\s+(?:(?:an?|the|any)\s+)?(?:security\s+)?audit\b"
    r"|\baudit\b.{0,30}(?:\bnot|n['\u2019]t)\s+(?:needed|required|necessary)\b|\baudit\s+is\s+optional\b|\?\s*$",
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
    """Read the gates' parameters out of a goal's requirements and constraints.

    Words win over a missing flag; a correction among the constraints wins over words.
    """
    return GateParameters(
        min_coverage=_min_coverage(requirements, constraints),
        required=tuple(gate.name for gate in GATES.values() if _required(gate, requirements, constraints)),
        blocking=frozenset(gate.name for gate in GATES.values() if _is_set(constraints, gate.blocks_by)),
    )


def _min_coverage(requirements: Sequence[str], constraints: Constraints) -> float | None:
    if constraints.min_coverage is not None:
        return constraints.min_coverage or None
    thresholds = [value for text in requirements if (value := coverage_threshold(text)) is not None]
    return max(thresholds, default=None)


def _required(gate: Gate, requirements: Sequence[str], constraints: Constraints) -> bool:
    corrected: bool | None = getattr(constraints, gate.corrected_by) if gate.corrected_by else None
    if corrected is not None:
        return corrected
    return _is_set(constraints, gate.required_by) or any(_asks_for(gate, text) for text in requirements)


def _is_set(constraints: Constraints, flag: str | None) -> bool:
    return flag is None or getattr(constraints, flag) is True


def _speaks_to(gate: Gate, text: str) -> bool:
    return gate.about is None or gate.about.search(text) is not None


def _asks_for(gate: Gate, text: str) -> bool:
    asking = (part for part in _clauses(text) if not _DENIES.search(part))
    return gate.about is None or any(_speaks_to(gate, part) for part in asking)


def coverage_threshold(text: str) -> float | None:
    """The percentage that a text such as `Unit tests >80% coverage` demands; None when it demands none.

    A negation, a question, a wish, an upper bound and a percentage that measures something else demand nothing.
    """
    found = [value for part in _clauses(text) if (value := _demanded(part)) is not None]
    return min(max(found), 100.0) if found else None


def _clauses(text: str) -> list[str]:
    return [part for part in _CLAUSE_END.split(text) if part.strip()]


def _demanded(clause: str) -> float | None:
    found = _COVERAGE.search(clause)
    if found is None or _BINDS_NOTHING.search(_NO_LESS.sub("at least", clause)):
        return None
    share = next(text for text in found.groups() if text is not None)
    value = float(share.replace(",", "."))
    return value * 100 if found["bare"] and value <= 1 else value


def demands_branches(requirements: Sequence[str]) -> bool:
    """Whether a coverage of branches is demanded. What the system measures is lines."""
    clauses = (part for text in requirements for part in _clauses(text))
    return any(_OF_BRANCHES.search(part) and _demanded(part) is not None for part in clauses)


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
