"""The experiments of a tests gate: what a green run is worth is tried on copies of the judged commit."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agenthub_events.catalogue.values import Finding, MutationEvidence
from agenthub_runtime.repository.history import FileEntry
from agenthub_worker.evidence.layout import TestCommand, run_folder
from agenthub_worker.evidence.patch import PATCH_BYTES, touched_lines
from agenthub_worker.evidence.reports import Outcome, stored_id
from agenthub_worker.evidence.testing import TestReport, run_tests
from agenthub_worker.experiments import canary, judge_settings, mutants, protected
from agenthub_worker.experiments.operators import Mutant
from agenthub_worker.gates.gate_round import GateRound
from agenthub_worker.workspace.workspace import TEST_TIMEOUT_S

_SIDE_BY_SIDE = 2
_LEAST_PATIENCE_S = 10.0
_TIMES_SLOWER = 4.0
_DESELECTED_MAX = 500
_SURVIVORS_KEPT = 20


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What the experiments have shown: `refusals` speak against the run, `findings` name tests and mutants."""

    refusals: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    mutants: MutationEvidence | None = None


class Experiments:
    """The experiments on one green run, `report`, of the ordered commit.

    `before` is how the tests of the goal's base ended, `delivered` the commit in which the goal's own tests were
    handed in (empty: none).
    """

    def __init__(
        self,
        round_: GateRound,
        command: TestCommand,
        report: TestReport,
        before: Mapping[str, Outcome],
        delivered: str,
    ) -> None:
        self._round = round_
        self._command = command
        self._report = report
        self._before = before
        self._delivered = delivered
        self._repository = round_.workspace.repository

    async def run(self) -> Shown:
        """Canaries, then the earlier tests, then mutants; what has failed saves what comes after it."""
        if refused := await self._stand_ins() or await self._canaries():
            return Shown(refusals=(refused,))
        shown = await self._protected()
        if shown.refusals:
            return shown
        return await self._mutants()

    async def _stand_ins(self) -> str:
        order = self._round.order
        paths = [entry.path for entry in await self._repository.files(order.commit)]
        changed = set(await self._repository.changed_files(order.base, order.commit))
        return " ".join(judge_settings.stand_ins(paths, self._report.executed or {}, changed))

    async def _canaries(self) -> str:
        if not canary.can_be_asked(self._command):
            return ""
        ran = [case.id for case in self._report.cases or () if case.outcome == "passed"]
        executed = self._report.executed or {}
        changed = await self._repository.changed_files(self._round.order.base, self._round.order.commit)
        modules = [path for path in changed if mutants.can_be_broken(path) and executed.get(path)]
        planted = canary.canaries(ran, modules, self._round.lease.ports.ids.token()[-12:])
        paths = {entry.path for entry in await self._repository.files(self._round.order.commit)}
        at = run_folder({name.split("::", 1)[0] for name in ran}, paths)
        async with self._copy("canary") as folder:
            await asyncio.to_thread(_put_all, folder, {at + bird.path: bird.text.encode() for bird in planted})
            work = self._run(folder, paths=[bird.path for bird in planted], options=canary.OPTIONS)
            report = await self._round.lease.while_held(work)
        return canary.distrust(planted, report)

    async def _protected(self) -> Shown:
        order = self._round.order
        base, delivered = await self._files(order.base), await self._files(self._delivered)
        own = {path: data for path, data in delivered.items() if path not in base}
        now = await self._files(order.commit)
        back = protected.restored({**base, **own}, now, order.changes_tests)
        if not back:
            return Shown()
        async with self._copy("before") as folder:
            await asyncio.to_thread(_put_all, folder, back.write, back.remove)
            report = await self._round.lease.while_held(self._run(folder))
        if report.cases is None:
            return Shown(refusals=(self._unrun(report),))
        at = run_folder({case.id.split("::", 1)[0] for case in report.cases}, {*base, *own})
        handed_in = {stored_id(c.id): "passed" for c in report.cases if at + c.id.split("::", 1)[0] in own}
        before: dict[str, Outcome] = {**self._before, **handed_in}  # type: ignore[dict-item]
        tests = protected.contradicted(before, report.cases, self._report.cases or (), order.changes_tests)
        if not tests:
            return Shown()
        changed = sorted((*back.write, *back.remove))
        when = "before this goal" if set(back.write) & set(base) or back.remove else "when they were handed in"
        message = "This test fails on the new code as it was before it was changed."
        return Shown(
            refusals=(protected.refusal(tests, changed, when),),
            findings=tuple(_finding(name, "high", message) for name in tests),
        )

    def _unrun(self, report: TestReport) -> str:
        return (
            "The tests and their settings as they were before do not run over the new code (exit code"
            f" {report.exit_code}): leave them as they were, or declare the change in the plan (`changes_tests`)."
        )

    async def _mutants(self) -> Shown:
        order = self._round.order
        if self._round.context.constraints.mutants == "off":
            return Shown(mutants=MutationEvidence(off=True))
        every = await self._candidates()
        executed = self._report.executed
        reached = every if executed is None else mutants.on_lines(every, executed)
        if not reached:
            missed = tuple(str(mutant) for mutant in mutants.chosen(every, order.commit, _SURVIVORS_KEPT))
            return self._of_trials(MutationEvidence(unrun=bool(every), survivors=missed))
        waiting = deque(mutants.chosen(reached, order.commit))
        verdicts: dict[str, bool] = {}
        lanes = min(_SIDE_BY_SIDE, len(waiting))
        work = _together([self._try(lane, waiting, verdicts, lanes) for lane in range(lanes)])
        await self._round.lease.while_held(work)
        survivors = tuple(sorted(name for name, noticed in verdicts.items() if not noticed))
        tried = len(verdicts)
        return self._of_trials(
            MutationEvidence(tried=tried, noticed=tried - len(survivors), survivors=survivors[:_SURVIVORS_KEPT])
        )

    def _of_trials(self, evidence: MutationEvidence) -> Shown:
        refused = mutants.refusal_of(evidence)
        severity = "high" if refused else "info"
        said = "No test runs this line" if evidence.unrun else "No test notices this change"
        return Shown(
            refusals=(refused,) if refused else (),
            findings=tuple(
                _finding(name, severity, f"{said}: {name}", line=int(name.split(":", 2)[1].split(" ", 1)[0]))
                for name in evidence.survivors
            ),
            mutants=evidence,
        )

    async def _candidates(self) -> list[Mutant]:
        """The ways to break the changed lines of the judged commit."""
        order = self._round.order
        changed = set(await self._repository.changed_files(order.base, order.commit))
        patch = await self._repository.diff(order.base, order.commit, max_bytes=PATCH_BYTES)
        touched = touched_lines(patch) if len(patch.encode()) < PATCH_BYTES else {}
        # What runs the tests is the judge, not what is judged.
        changed -= {word.removeprefix("./") for word in self._command.text.split()}
        entries = [e for e in await self._repository.files(order.commit) if e.path in changed and _is_plain(e)]
        contents = await self._repository.contents([e for e in entries if mutants.can_be_broken(e.path)])
        texts = {path: text for path, data in contents.items() if (text := _text(data))}
        return await asyncio.to_thread(mutants.candidates, texts, touched)

    async def _try(self, lane: int, waiting: deque[Mutant], verdicts: dict[str, bool], lanes: int) -> None:
        """Try mutants until none waits or the time is used up."""
        suite = self._report.duration_s
        left = max(suite, mutants.LEAST_BUDGET_S)
        patience = _LEAST_PATIENCE_S + _TIMES_SLOWER * suite * lanes
        async with self._copy(f"mutants-{lane}") as folder:
            while waiting and left > 0:
                mutant = waiting.popleft()
                original = await asyncio.to_thread((folder / mutant.path).read_bytes)
                await asyncio.to_thread(_put_all, folder, {mutant.path: mutant.text.encode()})
                options = ("-x", *self._without_red())
                report = await self._run(folder, options=options, timeout_s=min(patience, left))
                if report.timed_out and left < patience:
                    return
                verdicts[str(mutant)] = not report.green
                left -= report.duration_s
                await asyncio.to_thread(_put_all, folder, {mutant.path: original})

    def _without_red(self) -> list[str]:
        """What failed before the goal would end every run."""
        return [word for name in self._report.still_red[:_DESELECTED_MAX] for word in ("--deselect", name)]

    async def _run(
        self,
        folder: Path,
        *,
        paths: Sequence[str] = (),
        options: Sequence[str] = (),
        timeout_s: float = TEST_TIMEOUT_S,
    ) -> TestReport:
        report = await run_tests(
            self._round.workspace.sandbox,
            folder,
            self._command,
            timeout_s=timeout_s,
            paths=paths,
            measured=False,
            options=options,
        )
        return report.beside(dict.fromkeys(self._report.still_red, "failed"))

    async def _files(self, commit: str) -> dict[str, bytes]:
        """The protected files of a commit; none for an empty name."""
        if not commit:
            return {}
        entries = await self._repository.files(commit)
        return await self._repository.contents(
            [e for e in entries if protected.is_protected(e.path) and _is_plain(e)]
        )

    @contextlib.asynccontextmanager
    async def _copy(self, name: str) -> AsyncIterator[Path]:
        """A clean checkout of the judged commit beside the workspace."""
        path = self._round.workspace.path.with_name(f"{self._round.workspace.path.name}-{name}")
        await self._repository.checkout(self._round.order.commit, path)
        try:
            yield path
        finally:
            await self._repository.discard_workspace(path)


async def _together(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run them side by side; when one fails, or this is cancelled, none goes on."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _finding(place: str, severity: str, message: str, *, line: int = 0) -> Finding:
    file = place.split(":", 1)[0]
    return Finding(file=file, line=line, severity=severity, message=message, source="tests")  # type: ignore[arg-type]


def _is_plain(entry: FileEntry) -> bool:
    return entry.mode.startswith("100")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def _put_all(root: Path, files: Mapping[str, bytes], gone: Iterable[str] = ()) -> None:
    """Write and remove files of a checkout in which untrusted code may have put links anywhere."""
    for path, data in files.items():
        target = _place(root, path)
        target.unlink(missing_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    for path in gone:
        _place(root, path).unlink(missing_ok=True)


def _place(root: Path, path: str) -> Path:
    """Where a path of the repository is, with every folder on the way a real one."""
    at = root
    for part in path.split("/")[:-1]:
        at /= part
        if at.is_symlink() or (at.exists() and not at.is_dir()):
            at.unlink()
        at.mkdir(exist_ok=True)
    return at / path.rsplit("/", 1)[-1]
