"""Tries the tests that a change has written or changed: made to fail, and in other words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from agenthub_worker.evidence.layout import run_folder
from agenthub_worker.evidence.patch import Touched
from agenthub_worker.evidence.reports import Case
from agenthub_worker.evidence.source import plain_id
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.experiments import never_run
from agenthub_worker.experiments.own_tests import rewording
from agenthub_worker.experiments.own_tests.failing import Broken, broken, never_red
from agenthub_worker.gates.copies import Copies
from agenthub_worker.gates.gate_round import GateRound

_WHOLE_WITHIN_S = 60.0
"""A suite whose tests cannot be named is run whole; one that takes longer is not run for them alone."""


class OwnTests:
    """The tests of the change behind one green run; `token` gives names that nobody knows."""

    def __init__(self, round_: GateRound, copies: Copies, report: TestReport, token: Callable[[], str]) -> None:
        self._round = round_
        self._copies = copies
        self._report = report
        self._token = token

    @property
    def _is_affordable(self) -> bool:
        return self._copies.takes_paths or self._report.duration_s < _WHOLE_WITHIN_S

    async def made_to_fail(self, at: str) -> Broken:
        """The test files of the change in which every test must be red; `at` is the folder in which they run."""
        passed = {plain_id(case.id) for case in self._report.cases or () if case.outcome == "passed"}
        texts, earlier = await self._texts(at), await self._earlier(at)
        return await asyncio.to_thread(broken, texts, passed, self._token(), earlier)

    async def refusal(self) -> str:
        """Why these tests count for nothing, by runs of their own; empty: nothing speaks against them."""
        if not self._is_affordable:
            return ""
        made = await self.made_to_fail("")
        if not made.texts:
            return ""
        texts = {path: text.encode() for path, text in made.texts.items()}
        report = await self._round.lease.while_held(self._copies.run("canary", texts))
        return never_red(made, report.cases or ()) or await self.only_as_worded()

    async def replaced(self, code: Mapping[str, str], touched: Touched) -> str:
        """Why these tests count for nothing that call a changed function which does not run; empty: none does."""
        texts = await self._texts("")
        return await asyncio.to_thread(never_run.replaced, code, touched, self._report.executed or {}, texts)

    async def only_as_worded(self) -> str:
        """Why tests count for nothing that fail in other words; empty: none does, or nobody can tell."""
        if not self._is_affordable:
            return ""
        files = {entry.path for entry in await self._round.workspace.repository.files(self._round.order.commit)}
        at = run_folder({case.id.split("::", 1)[0] for case in self._report.cases or ()}, files)
        own, earlier = await self._texts(at), await self._earlier(at)
        texts = await asyncio.to_thread(rewording.reworded, own, self._token(), earlier)
        if not texts:
            return ""
        red, ran = await self._red(at, texts, texts)
        if ran and not red:
            return ""
        # What is red in its own words, too, or now and then, says nothing of them.
        plain, is_told = await self._red(at, texts, {})
        again, ran_again = await self._red(at, texts, texts)
        if not is_told or ran != ran_again:
            return ""
        if not ran:
            return rewording.refusal(())
        red = (red & again) - plain
        return rewording.refusal({plain_id(name) for name in red}) if red else ""

    async def _red(
        self, at: str, files: Mapping[str, str], texts: Mapping[str, str]
    ) -> tuple[frozenset[str], bool]:
        """The tests of these files that are red with `texts` though they passed, and whether a run told of any."""
        paths = sorted(files) if self._copies.takes_paths else ()
        given = {at + path: text.encode() for path, text in texts.items()}
        report = await self._round.lease.while_held(self._copies.run("canary", given, paths=paths))
        passed = {case.id for case in self._report.cases or () if case.outcome == "passed"}
        red = {case.id for case in report.cases or () if _is_red(case) and case.id in passed}
        return frozenset(red), report.cases is not None and not report.timed_out

    async def _texts(self, at: str) -> dict[str, str]:
        """The changed files in which tests passed, by the paths under which they are reported."""
        return await self._texts_of(self._round.order.commit, at)

    async def _earlier(self, at: str) -> dict[str, str]:
        """The same files as they were before the change."""
        return await self._texts_of(self._round.order.base, at)

    async def _texts_of(self, commit: str, at: str) -> dict[str, str]:
        order, repository = self._round.order, self._round.workspace.repository
        ran = {at + case.id.split("::", 1)[0] for case in self._report.cases or () if case.outcome == "passed"}
        changed = {p for p in await repository.changed_files(order.base, order.commit) if p.endswith(".py")} & ran
        entries = [e for e in await repository.files(commit) if e.path in changed]
        contents = await repository.contents([e for e in entries if e.mode.startswith("100")])
        return {path.removeprefix(at): text for path, data in contents.items() if (text := _text(data))}


def _is_red(case: Case) -> bool:
    return case.outcome in ("failed", "error")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""
