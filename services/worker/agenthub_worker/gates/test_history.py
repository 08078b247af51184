"""The test runs of a goal before the one that a gate judges: those of the log, and that of the goal's base."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from functools import partial
from typing import Self

import msgspec

from agenthub_events.catalogue.gate import GatePassed, GateVerdict
from agenthub_events.catalogue.task import MergeDone
from agenthub_events.context import GateOrder, WorkContext
from agenthub_events.errors import ArtifactMissing
from agenthub_events.ports import Recorded
from agenthub_events.task_ids import gate_task_id
from agenthub_runtime.repository.history import FileEntry, History
from agenthub_worker.evidence.layout import NoTestCommand, bears_on_tests, may_hold_tests
from agenthub_worker.evidence.reports import Outcome
from agenthub_worker.evidence.test_history import Outcomes, PastTestRun
from agenthub_worker.lease.lease import Lease
from agenthub_worker.workspace.workspace import FIRST_RUN_S, Workspace, run_tests_at, test_command_of


class Base(msgspec.Struct, frozen=True):
    """What the tests of the goal's base showed; `report_ref` is empty, and `run` None, when it has none."""

    run: PastTestRun | None = None
    report_ref: str = ""


class TestHistory:
    """What speaks for the tests of one gate order: `rounds` since the gate last passed, that one included."""

    def __init__(self, lease: Lease, workspace: Workspace, order: GateOrder) -> None:
        self._lease = lease
        self._workspace = workspace
        self._order = order
        self._rounds: list[tuple[int, GateVerdict]] = []
        self._merges: list[Recorded] = []

    async def read(self) -> Self:
        """The same with the merges and the rounds of the log."""
        self._merges = await self._read(f"{self._lease.goal_id}._.merge")
        for round_ in range(self._order.round - 1, 0, -1):
            found = await self._verdict(round_)
            if found is not None:
                self._rounds.append(found)
                if isinstance(found[1], GatePassed):
                    break
        return self

    @property
    def base_report_ref(self) -> str:
        """The stored outcomes of the base; empty when nobody has run its tests yet."""
        fetched = next((merge for _, merge in reversed(self._bases) if merge.commit == self._order.base), None)
        if fetched is not None and fetched.tests is not None:
            return fetched.tests.report_ref
        return next((verdict.base_report_ref for _, verdict in self._rounds if verdict.base_report_ref), "")

    @property
    def _bases(self) -> list[tuple[int, MergeDone]]:
        """What was fetched for the goal: its beginning, and what that has become when it was merged again."""
        merges = ((m.seq, m.event) for m in self._merges if isinstance(m.event, MergeDone))
        return [(seq, merge) for seq, merge in merges if merge.origin in ("prepare", "base")]

    async def _theirs_to_say(self, seq: int) -> frozenset[str]:
        """Files that others have changed since a run at `seq`: whether their tests still run is up to them."""
        before = next((merge.commit for at, merge in reversed(self._bases) if at < seq), "")
        newest = self._bases[-1][1].commit if self._bases else ""
        if not before or before == newest:
            return frozenset()
        return frozenset(await self._workspace.repository.changed_files(before, newest))

    @property
    def failed_commits(self) -> list[str]:
        """Commits of the rounds that failed since the gate last passed and the base last moved, newest first."""
        since = self._bases[-1][0] if self._bases else 0
        rounds = (verdict for seq, verdict in self._rounds if seq > since)
        return [verdict.commit for verdict in rounds if not isinstance(verdict, GatePassed)]

    @property
    def delivered(self) -> str:
        """The commit that handed in the goal's own tests: that of the order, else of the oldest failed round."""
        return self._order.tests_from or (self.failed_commits[-1] if self.failed_commits else "")

    async def of_rounds(self) -> list[PastTestRun]:
        """The runs of the rounds, the newest first."""
        return [
            PastTestRun(
                when=f"in round {verdict.round}",
                files=await test_texts(self._workspace.repository, verdict.commit),
                outcomes=await self._outcomes(verdict.report_ref, verdict.failing),
            ).without(await self._theirs_to_say(seq))
            for seq, verdict in self._rounds
        ]

    async def of_merges(self) -> list[PastTestRun]:
        """The runs at the merges since the gate last passed, the newest first."""
        since = next((seq for seq, verdict in self._rounds if isinstance(verdict, GatePassed)), 0)
        found = []
        for message in reversed(self._merges):
            merge = message.event
            if not isinstance(merge, MergeDone) or merge.origin != "task":
                continue
            if message.seq > since and merge.tests is not None:
                run = PastTestRun(
                    when=f"when {merge.task_id} was merged",
                    files=await test_texts(self._workspace.repository, merge.head),
                    outcomes=await self._outcomes(merge.tests.report_ref, merge.tests.failing),
                    draft=True,
                )
                found.append(run.without(await self._theirs_to_say(message.seq)))
        return found

    async def of_base(self, context: WorkContext) -> Base:
        """The run of the goal's base: the stored one, else it is run now."""
        repository, commit = self._workspace.repository, self._order.base
        files = await test_texts(repository, commit)
        if not any(may_hold_tests(entry.path) for entry in await repository.files(commit)):
            return Base()
        reference = self.base_report_ref
        outcomes = await self._stored(reference) if reference else None
        if outcomes is None:
            command = await test_command_of(repository, commit, context)
            if isinstance(command, NoTestCommand):
                return Base()
            _, evidence = await run_tests_at(
                self._lease, self._workspace.sandbox, repository, commit, command, timeout_s=FIRST_RUN_S
            )
            reference = evidence.report_ref
            outcomes = await self._outcomes(reference, ())
        return Base(PastTestRun(when="before this goal", files=files, outcomes=outcomes), reference)

    async def _verdict(self, round_: int) -> tuple[int, GateVerdict] | None:
        recorded = await self._read(f"{self._lease.goal_id}.{gate_task_id(self._order.gate, round_)}")
        verdicts = ((m.seq, m.event) for m in reversed(recorded) if isinstance(m.event, GateVerdict))
        return next(verdicts, None)

    async def _outcomes(self, reference: str, failing: tuple[str, ...]) -> Outcomes:
        """The stored outcomes; where they are gone, the event itself still says which tests failed."""
        stored = await self._stored(reference) if reference else None
        return dict.fromkeys(failing, "error") if stored is None else stored

    async def _stored(self, reference: str) -> Mapping[str, Outcome] | None:
        try:
            data = await self._lease.ports.patiently(partial(self._lease.ports.artifacts.get, reference))
        except ArtifactMissing:
            return None
        return msgspec.json.decode(data, type=dict[str, Outcome])

    async def _read(self, prefix: str) -> list[Recorded]:
        return list(await self._lease.ports.patiently(partial(self._lease.ports.events.read, prefix)))


async def test_texts(repository: History, commit: str) -> dict[str, str]:
    """The files of a commit that bear on tests, as text by path."""
    return await _texts(repository, [e for e in await repository.files(commit) if bears_on_tests(e.path)])


async def other_texts(repository: History, commit: str, changed: Set[str]) -> dict[str, str]:
    """Those of the `changed` Python files that do not bear on tests, as text by path."""
    entries = [e for e in await repository.files(commit) if e.path in changed and e.path.endswith(".py")]
    return await _texts(repository, [e for e in entries if not bears_on_tests(e.path)])


async def _texts(repository: History, entries: Iterable[FileEntry]) -> dict[str, str]:
    contents = await repository.contents([entry for entry in entries if entry.mode.startswith("100")])
    return {path: data.decode("utf-8", "replace") for path, data in contents.items()}
