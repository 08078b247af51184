"""Which mutants of a change are tried, and what it means when the tests do not notice them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Set

from agenthub_events.catalogue.values import MutationEvidence
from agenthub_worker.evidence.layout import bears_on_tests, belongs_to_tests
from agenthub_worker.evidence.patch import Touched
from agenthub_worker.experiments.operators import OTHER_LANGUAGES, Mutant, mutants_of

MUTANTS_MAX = 10
LEAST_BUDGET_S = 120.0
"""Seconds that the mutants of a round may take where the suite itself takes less."""
_NAMED = 5


def refusal_of(evidence: MutationEvidence) -> str:
    """Why a change does not pass with these mutants; empty when nothing speaks against it."""
    if evidence.off or evidence.noticed or not evidence.survivors:
        return ""
    why = "none of them runs a changed line" if evidence.unrun else "all of them stay green"
    return (
        f"The tests do not notice when this code is broken: {why} with {_some(evidence.survivors)}. Test what was"
        " changed."
    )


def can_be_broken(path: str) -> bool:
    """Whether a file holds code under test in a language whose lines we can break."""
    known = path.endswith((".py", *OTHER_LANGUAGES))
    return known and not bears_on_tests(path) and not belongs_to_tests(path)


def candidates(texts: Mapping[str, str], touched: Touched) -> list[Mutant]:
    """Every mutant of the changed lines; a file that is not in `touched` counts as changed in all its lines."""
    found: list[Mutant] = []
    for path in sorted(texts):
        if can_be_broken(path):
            found += mutants_of(path, texts[path], touched.get(path))
    return found


def on_lines(mutants: Iterable[Mutant], executed: Mapping[str, Set[int]]) -> list[Mutant]:
    """Those on lines that the tests execute, by path."""
    return [mutant for mutant in mutants if mutant.line in executed.get(mutant.path, ())]


def chosen(mutants: Iterable[Mutant], seed: str, limit: int = MUTANTS_MAX) -> list[Mutant]:
    """At most `limit` of them, spread over files and lines; the same for the same `seed`."""
    left = sorted(
        mutants, key=lambda m: hashlib.sha256(f"{seed}\n{m.path}\n{m.line}\n{m.old}\n{m.new}".encode()).digest()
    )
    found: list[Mutant] = []
    while left and len(found) < limit:
        uses: dict[tuple[str, int], int] = {}
        files: dict[str, int] = {}
        for mutant in found:
            uses[mutant.path, mutant.line] = uses.get((mutant.path, mutant.line), 0) + 1
            files[mutant.path] = files.get(mutant.path, 0) + 1
        best = min(left, key=lambda m: (m.weak, uses.get((m.path, m.line), 0), files.get(m.path, 0)))
        left.remove(best)
        found.append(best)
    return found


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
