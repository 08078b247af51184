"""Which mutants of a change are tried, and what it means when the tests do not notice them."""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from pathlib import PurePosixPath

import msgspec

from agenthub_events.catalogue.values import MutationEvidence
from agenthub_worker.evidence.covered import Covering
from agenthub_worker.evidence.layout import bears_on_tests, belongs_to_tests, sets_tests
from agenthub_worker.evidence.patch import Touched
from agenthub_worker.evidence.testing import is_no_test_path
from agenthub_worker.experiments.inline_tests import lines_of_tests
from agenthub_worker.experiments.operators import LAST, OTHER_LANGUAGES, Mutant, is_valid, mutants_of

MUTANTS_MAX = 10
LEAST_BUDGET_S = 120.0
"""Seconds that the mutants of a round may take where the suite itself takes less."""
_NAMED = 5
_LINE_MAX = 20_000


OF_THE_TEXT = (
    "This test fails as soon as the text of the code is another one, though what the code does is the same: it"
    " does not count as one that notices."
)
NOTHING_TO_BREAK = "no mutants: nothing in the changed lines can be broken"
UNBUILT = "no mutants: with none of the changes that were tried could the code be built"
NO_TIME = "no mutants: no run of the tests ended in the time that is left for them"
RED_WITHOUT_REASON = (
    "The tests fail, or do not end, as soon as they run again or as the text of the code is another one, though"
    " what it does is the same: nothing can be learned from them. Test what the code does."
)


def refusal_of(evidence: MutationEvidence, of_the_text: Sequence[str] = ()) -> str:
    """Why a change does not pass with these mutants; empty when nothing speaks against it.

    `of_the_text` are tests that do not count.
    """
    if evidence.off or evidence.noticed or not evidence.survivors:
        return ""
    why = "none of them runs a changed line" if evidence.unrun else "all of them stay green"
    apart = (
        f" (apart from those that fail whatever is changed: {_some(tuple(of_the_text))})" if of_the_text else ""
    )
    return (
        f"The tests do not notice when this code is broken: {why}{apart} with {_some(evidence.survivors)}. Test"
        " what was changed."
    )


def unnoticed_files(survivors: Iterable[str], noticed: Collection[str]) -> tuple[str, ...]:
    """Files of which several mutants were tried and not one was noticed, though some of other files were."""
    left = Counter(name.split(":", 1)[0] for name in survivors)
    known = {name.split(":", 1)[0] for name in noticed}
    found = [
        f"none of {count} in {path}" for path, count in sorted(left.items()) if count > 1 and path not in known
    ]
    return (f"of these {_some(tuple(found))}",) if found and noticed else ()


def can_be_broken(path: str) -> bool:
    """Whether a file holds code under test in a language whose lines we can break."""
    known = path.endswith((".py", *OTHER_LANGUAGES))
    is_said = ".config." in path or ".d." in path or sets_tests(path)
    return known and not is_said and not bears_on_tests(path) and not belongs_to_tests(path)


def candidates(texts: Mapping[str, str], touched: Touched) -> list[Mutant]:
    """Every mutant of the changed lines; a file that is not in `touched` counts as changed in all its lines."""
    found: list[Mutant] = []
    for path in sorted(texts):
        if can_be_broken(path):
            own = lines_of_tests(texts[path]) if path.endswith(".rs") else ()
            found += [one for one in mutants_of(path, texts[path], touched.get(path)) if one.line not in own]
    return found


def on_lines(mutants: Iterable[Mutant], executed: Mapping[str, Set[int]]) -> list[Mutant]:
    """Those on lines that the tests execute, by path; in a language that nobody has measured they may all be."""
    measured = {PurePosixPath(path).suffix for path in executed}
    found = (
        mutant
        for mutant in mutants
        if mutant.line in executed.get(mutant.path, ()) or PurePosixPath(mutant.path).suffix not in measured
    )
    return [msgspec.structs.replace(mutant, guarded=False) for mutant in found]


def chosen(mutants: Iterable[Mutant], seed: str, limit: int = MUTANTS_MAX) -> list[Mutant]:
    """At most `limit` of them, spread over files and lines; the same for the same `seed`."""
    every = list(mutants)
    # What any test notices is tried where there is nothing else.
    wanted = [mutant for mutant in every if mutant.rank < LAST and not mutant.guarded] or every
    left = sorted(
        wanted, key=lambda m: hashlib.sha256(f"{seed}\n{m.path}\n{m.line}\n{m.old}\n{m.new}".encode()).digest()
    )
    found: list[Mutant] = []
    while left and len(found) < limit:
        uses: dict[tuple[str, int], int] = {}
        files: dict[str, int] = {}
        for mutant in found:
            uses[mutant.path, mutant.line] = uses.get((mutant.path, mutant.line), 0) + 1
            files[mutant.path] = files.get(mutant.path, 0) + 1
        best = min(left, key=lambda m: (m.rank, uses.get((m.path, m.line), 0), files.get(m.path, 0)))
        left.remove(best)
        if is_valid(best):
            found.append(best)
    return found


def selection(mutant: Mutant, covering: Covering, known: Set[str]) -> tuple[str, ...]:
    """Arguments for pytest that run the tests of a mutant's line; none where it has to be all of them.

    `known` are the ids of the tests that have run, without parameters. What runs outside of tests, as a module is
    imported, may matter to any of them.
    """
    tests = covering.get(mutant.path, {}).get(mutant.line, set[str]())
    if not tests or not tests <= known:
        return ()
    for words in (sorted(tests), sorted({name.split("::", 1)[0] for name in tests})):
        if len(shlex.join(words)) <= _LINE_MAX:
            return () if any(is_no_test_path(word) for word in words) else tuple(words)
    return ()


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
