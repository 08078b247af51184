"""Runs the tests with one mutant after the other, and looks whether they notice for the right reason."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from agenthub_worker.evidence.source import plain_id
from agenthub_worker.evidence.testing import NOTHING_COLLECTED, TestReport, is_no_test_path
from agenthub_worker.experiments.mutants import LEAST_BUDGET_S, MUTANTS_MAX
from agenthub_worker.experiments.operators import Mutant
from agenthub_worker.gates.copies import Copies

_SIDE_BY_SIDE = 2
_LEAST_PATIENCE_S = 10.0
_TIMES_SLOWER = 4.0
_DESELECTED_MAX = 500
_CONTROLS_MAX = 6
_STOPPING = ("-x",)

Selection: TypeAlias = tuple[str, ...]
"""The tests that are run for a mutant; none: all of them."""

_WHOLE: Selection = ()


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried. `survivors` are the mutants that no test noticed.

    `of_the_text` are tests that are red as soon as the text of the code changes, and that therefore notice
    nothing; `unusable`: the whole suite is so, by tests that nobody can name. `unbuilt` could not be compiled,
    which says nothing of the tests. `noticed` are the others.
    """

    tried: int
    survivors: tuple[str, ...]
    noticed: tuple[str, ...] = ()
    of_the_text: tuple[str, ...] = ()
    unusable: bool = False
    unbuilt: int = 0


class _Control(msgspec.Struct, frozen=True):
    """A selection with the code as it is, in another text: these tests are `red`; None: nobody knows which.

    `late`: the time was used up before it ended. `took_s` is how long the longest run took.
    """

    red: frozenset[str] | None
    took_s: float
    timed_out: bool = False
    late: bool = False


class MutantTrials:
    """Trials on copies of the commit. `neutral` are the changed files in another text that means the same.

    `selections` are the tests to run by the path and line of a mutant; what is not in it is tried with all tests.
    """

    def __init__(
        self,
        copies: Copies,
        report: TestReport,
        neutral: Mapping[str, bytes],
        selections: Mapping[tuple[str, int], Selection],
    ) -> None:
        self._copies = copies
        self._neutral = neutral
        self._takes_paths = copies.takes_paths
        self._selections = selections
        self._limit_s = copies.limit_s
        self._suite_s = report.duration_s
        self._red_before = _without(report.still_red)
        self._controls: dict[Selection, asyncio.Task[_Control]] = {}
        self._left_s: dict[int, float] = {}
        self._verdicts: dict[str, bool] = {}
        self._unimportable: set[str] = set()
        self._unusable = False
        self._unbuilt: set[str] = set()

    async def run(self, chosen: Sequence[Mutant]) -> Trials:
        """Try them, two at a time, until the time is used up."""
        # Two runs of everything, side by side, would both come too late where one alone just has the time.
        is_long = self._suite_s > LEAST_BUDGET_S / 2 and not all(map(self._selection, chosen))
        is_short = self._suite_s < LEAST_BUDGET_S / 2
        lanes = 1 if is_long else min(_SIDE_BY_SIDE, len(chosen))
        self._left_s = dict.fromkeys(range(lanes), max(self._suite_s, LEAST_BUDGET_S))
        try:
            await self._all(chosen)
            # Before it is said that nothing notices, those that a few tests did not notice are tried with all.
            if not self._is_noticed():
                await self._all([mutant for mutant in chosen if self._selection(mutant)], whole=True)
            if is_short and not (self._verdicts or self._unbuilt or self._unusable):
                await self._again(chosen)
        finally:
            await _ended(list(self._controls.values()))
        controls = [task.result() for task in self._controls.values() if not task.cancelled()]
        survivors = sorted(name for name, noticed in self._verdicts.items() if not noticed)
        return Trials(
            tried=len(self._verdicts if self._is_noticed() or not survivors else survivors),
            survivors=tuple(survivors),
            noticed=tuple(sorted(self._verdicts.keys() - set(survivors))),
            of_the_text=tuple(sorted({name for control in controls for name in control.red or ()})),
            unusable=self._unusable,
            unbuilt=len(self._unbuilt),
        )

    @property
    def _patience_s(self) -> float:
        return _LEAST_PATIENCE_S + _TIMES_SLOWER * self._suite_s * len(self._left_s)

    def _is_noticed(self) -> bool:
        """Whether a test noticed one: that a module cannot be imported shows without any assertion, too."""
        return any(noticed and name not in self._unimportable for name, noticed in self._verdicts.items())

    async def _all(self, mutants: Sequence[Mutant], *, whole: bool = False) -> None:
        waiting = deque(mutants)
        await _together([self._lane(lane, waiting, whole) for lane in self._left_s])

    async def _again(self, chosen: Sequence[Mutant]) -> None:
        """Where the time was enough for none: try by the pace at which the tests run now, one run at a time.

        A run without a mutant tells a machine that has become slower from tests that do not end.
        """
        # One lane alone needs less patience than two side by side.
        self._left_s = {0: 0.0}
        self._left_s[0] = self._patience_s
        control = await self._run_control(0, _WHOLE)
        self._unusable = control.red is None
        self._suite_s = max(self._suite_s, control.took_s)
        self._left_s[0] = self._patience_s
        self._controls = {_WHOLE: asyncio.ensure_future(_settled(control))}
        await self._all(chosen, whole=True)

    async def _lane(self, lane: int, waiting: deque[Mutant], whole: bool) -> None:
        while waiting and self._left_s[lane] > 0 and not self._unusable and len(self._verdicts) < MUTANTS_MAX:
            mutant = waiting.popleft()
            selection = _WHOLE if whole else self._selection(mutant)
            noticed = await self._noticed(lane, mutant, selection)
            if noticed is None and selection:
                noticed = await self._noticed(lane, mutant, _WHOLE)
            if noticed is not None:
                self._verdicts[str(mutant)] = noticed

    async def _noticed(self, lane: int, mutant: Mutant, selection: Selection) -> bool | None:
        """Whether a test is red with the mutant that is green without; None: this cannot be told."""
        patience = self._patience_s
        report = await self._with(lane, mutant, selection, ())
        if report is None or report.green:
            return None if report is None else False
        if report.build_failed:
            self._unbuilt.add(str(mutant))
            return None
        control = await self._control(lane, self._affordable(lane, selection, report))
        if control.red is None:
            self._unusable = self._unusable or not (selection or control.late)
            return None
        if report.timed_out and self._patience_s > patience:
            # Without the mutant it took longer than anybody expected, too: the machine has become slower.
            return await self._noticed(lane, mutant, selection)
        if not control.red or set(report.failing) - control.red:
            if report.failing and not any("::" in name for name in report.failing):
                self._unimportable.add(str(mutant))
            return True
        # A run ends with the first test that is red: the others have not had their turn.
        again = await self._with(lane, mutant, selection, _without(control.red))
        if again is None:
            return None
        is_silent = again.green or _is_empty(again)
        return not is_silent and (not again.failing or bool(set(again.failing) - control.red))

    async def _with(
        self, lane: int, mutant: Mutant, selection: Selection, options: Sequence[str]
    ) -> TestReport | None:
        """A run with the mutant; None when the time was used up before it ended."""
        left = self._left_s[lane]
        if left <= 0:
            return None
        report = await self._copies.run(
            f"trial-{lane}",
            {mutant.path: mutant.text.encode()},
            paths=selection,
            options=(*_STOPPING, *self._red_before, *options),
            timeout_s=min(self._patience_s, left),
        )
        self._left_s[lane] -= report.duration_s
        return None if report.timed_out and left < self._patience_s else report

    def _affordable(self, lane: int, selection: Selection, report: TestReport) -> Selection:
        """What to run without a mutant: where the whole suite would take all that is left, what has noticed it."""
        names = sorted({plain_id(name) for name in report.failing})
        if selection or not names or self._suite_s < self._left_s[lane] / 2 or any(map(is_no_test_path, names)):
            return selection
        return tuple(names) if self._takes_paths else selection

    async def _control(self, lane: int, selection: Selection) -> _Control:
        """The run without a mutant, once for each selection and after it was red with one: not by the clock."""
        if selection not in self._controls:
            self._controls[selection] = asyncio.ensure_future(self._run_control(lane, selection))
        return await asyncio.shield(self._controls[selection])

    async def _run_control(self, lane: int, selection: Selection) -> _Control:
        """Run it until nothing is red any more, by the patience that there is for a mutant.

        That everything together does not end in it may be the machine, which has become slower: whoever says that
        it does not end at all has given it as long as the suite may take.
        """
        time = min(max(self._left_s[lane], _LEAST_PATIENCE_S), self._patience_s)
        control = await self._without_mutant(lane, selection, time)
        if not control.timed_out:
            return control
        if time < _LEAST_PATIENCE_S + 2 * self._suite_s:
            return msgspec.structs.replace(control, late=True)
        if not selection and time < self._limit_s:
            control = await self._without_mutant(lane, selection, self._limit_s)
            self._suite_s = max(self._suite_s, control.took_s)
        return control

    async def _without_mutant(self, lane: int, selection: Selection, within_s: float) -> _Control:
        """Run as a mutant is run, so that nothing but the code differs, each run in so many seconds."""
        red, took = set[str](), 0.0
        for _ in range(_CONTROLS_MAX):
            report = await self._copies.run(
                f"trial-{lane}",
                self._neutral,
                paths=selection,
                options=(*_STOPPING, *self._red_before, *_without(red)),
                timeout_s=within_s,
            )
            self._left_s[lane] -= report.duration_s
            took = max(took, report.duration_s)
            if report.timed_out:
                return _Control(None, took, timed_out=True)
            if report.green or (red and _is_empty(report)):
                return _Control(frozenset(red), took)
            if not set(report.failing) - red:
                break
            red |= set(report.failing)
        return _Control(None, took)

    def _selection(self, mutant: Mutant) -> Selection:
        return self._selections.get((mutant.path, mutant.line), _WHOLE)


async def _settled(control: _Control) -> _Control:
    return control


def _without(names: Iterable[str]) -> list[str]:
    """Options that leave these tests out; a file that cannot be imported would end a run before its first test."""
    kept = sorted(names)[:_DESELECTED_MAX]
    return [f"--deselect={name}" if "::" in name else f"--ignore={name}" for name in kept]


def _is_empty(report: TestReport) -> bool:
    return report.exit_code == NOTHING_COLLECTED and not report.failing


async def _together(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run them side by side; when one fails, or this is cancelled, none goes on."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        await _ended(tasks)


async def _ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
