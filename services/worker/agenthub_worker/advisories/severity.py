"""How grave an advisory is: in its own words, or by the base score of a CVSS vector of version 3.

The formula is that of the CVSS 3.1 specification, section 7.1. A vector of version 4 gives a score by a long
table, and one of version 2 is held against other limits: neither is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agenthub_events.catalogue.values import Severity

_WORDS: Mapping[str, Severity] = {
    "critical": "critical",
    "high": "high",
    "important": "high",
    "moderate": "medium",
    "medium": "medium",
    "low": "low",
    "negligible": "info",
    "none": "info",
}
_FROM: tuple[tuple[float, Severity], ...] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))
_NUMBER = re.compile(r"\d{1,2}(?:\.\d{1,2})?")
_VECTOR = re.compile(r"CVSS:3\.[01]((?:/[A-Z]{1,3}:[A-Z])+)/?")

_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    **{impact: {"H": 0.56, "L": 0.22, "N": 0.0} for impact in ("C", "I", "A")},
}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}


def severity_of(said: str) -> Severity | None:
    """Of a word, a score or a vector; None where none of them is understood."""
    if word := _WORDS.get(said.strip().lower()):
        return word
    score = float(said) if _NUMBER.fullmatch(said) else _base_score(said)
    if score is None or score > 10:
        return None
    return next((severity for least, severity in _FROM if score >= least), "info")


def _base_score(vector: str) -> float | None:
    found = _VECTOR.fullmatch(vector)
    if found is None:
        return None
    metrics = dict(part.split(":") for part in found[1][1:].split("/"))
    try:
        scope = metrics["S"]
        reach = _PRIVILEGES[scope][metrics["PR"]]
        weights = {name: known[metrics[name]] for name, known in _WEIGHTS.items()}
    except KeyError:
        return None
    lost = 1 - (1 - weights["C"]) * (1 - weights["I"]) * (1 - weights["A"])
    if lost <= 0:
        return 0.0
    impact = 6.42 * lost if scope == "U" else 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15
    exploitability = 8.22 * weights["AV"] * weights["AC"] * reach * weights["UI"]
    return _rounded_up(min((1.0 if scope == "U" else 1.08) * (impact + exploitability), 10.0))


def _rounded_up(score: float) -> float:
    """To one decimal, up, without what floating point adds (appendix A)."""
    whole = round(score * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10
