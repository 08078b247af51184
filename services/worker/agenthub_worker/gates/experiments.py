"""The experiments of a tests gate: what a green run is worth is tried on copies of the judged commit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from agenthub_events.catalogue.values import Finding, MutationEvidence
from agenthub_runtime.repository.history import FileEntry
from agenthub_worker.evidence.layout import TestCommand, run_folder
from agenthub_worker.evidence.patch import PATCH_BYTES, Touched, touched_lines
from agenthub_worker.evidence.reports import Outcome, stored_id
from agenthub_worker.evidence.source import plain_id
from agenthub_worker.evidence.test_history import some
from agenthub_worker.evidence.testing import SELECTING_PAYS_S, TestReport
from agenthub_worker.experiments import canary, judge_settings, mutants, never_run, protected, unaware
from agenthub_worker.experiments.foreign_canaries import ends_early, foreign_canaries, is_crate_root, why_none
from agenthub_worker.experiments.inline_tests import spliced_files
from agenthub_worker.experiments.neutral import neutral
from agenthub_worker.experiments.operators import Mutant
from agenthub_worker.experiments.own_tests.failing import Broken, never_red
from agenthub_worker.gates.copies import Copies
from agenthub_worker.gates.counted_canaries import canaries_by_counts
from agenthub_worker.gates.gate_round import GateRound
from agenthub_worker.gates.mutant_trials import MutantTrials
from agenthub_worker.gates.outside import NOT_PYTHON, TOO_SLOW, OutsideSaid, OutsideTrial
from agenthub_worker.gates.own_tests import OwnTests
from agenthub_worker.projects.test_environment import Watched

_SURVIVORS_KEPT = 20
_UNSEEN_MAX = 3
_NO_PLACE = "nobody knows where among these tests they belong"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What the experiments have shown: `refusals` speak against the run, `findings` name tests and mutants.

    `notes` belong into the verdict: experiments that could not be made, and changed settings of the tests.
    `outside`: what no test runs, and which calls of the tests were made again outside of them, or why none.
    """

    refusals: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    mutants: MutationEvidence | None = None
    notes: tuple[str, ...] = ()
    outside: str = ""


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
        self._copies = Copies(round_, command, report.still_red)
        self._own = OwnTests(round_, self._copies, report, self._token)

    async def run(self) -> Shown:
        """Canaries, then the earlier tests, then mutants; what has failed saves what comes after it."""
        if refused := await self._stand_ins():
            return Shown(refusals=(refused,))
        refused, why_not = await self._canaries()
        untried: tuple[str, ...] = (f"no canaries: {why_not}",) if why_not else ()
        if refused:
            return Shown(refusals=(refused,))
        shown = await self._protected()
        if not shown.refusals:
            outside = await self._unaware()
            if outside.refusal:
                return msgspec.structs.replace(shown, refusals=(outside.refusal,))
            tried = await self._mutants()
            shown = msgspec.structs.replace(
                tried,
                findings=(*tried.findings, *shown.findings, *outside.findings),
                notes=(*shown.notes, *tried.notes),
                outside="; ".join(said for said in (await self._never_run(), outside.note) if said),
            )
        return msgspec.structs.replace(shown, notes=(*untried, *shown.notes))

    async def _stand_ins(self) -> str:
        order = self._round.order
        paths = [entry.path for entry in await self._repository.files(order.commit)]
        changed = set(await self._repository.changed_files(order.base, order.commit))
        executed = self._report.executed or {}
        found = judge_settings.stand_ins(paths, executed, changed)
        if not found:
            return ""
        ran = [e for e in await self._repository.files(order.commit) if executed.get(e.path) and _is_plain(e)]
        texts = [data.decode("utf-8", "replace") for data in (await self._repository.contents(ran)).values()]
        return " ".join(str(one) for one in found if judge_settings.imports(texts, one.name))

    async def _canaries(self) -> tuple[str, str]:
        """Why nothing that this repository reports counts, or why that could not be tried; empty: it counts."""
        command, report, order = self._command, self._report, self._round.order
        if (command.foreign and report.cases is not None) or command.parts:
            return await self._canaries_of_suites()
        if report.cases is None and report.counts is not None:
            return await canaries_by_counts(self._round, self._copies, command, report, self._token())
        why = canary.why_not_asked(command, is_told=True)
        if command.unittest and (why := why or canary.why_not_found(await self._files(order.base))):
            return await self._own.refusal(), why
        if why:
            return "", why
        files = [entry.path for entry in await self._repository.files(order.commit)]
        changed = await self._loaded()
        ran = [case.id for case in report.cases or () if case.outcome == "passed"]
        planted = canary.python_canaries(command, ran, changed, self._token())
        if not planted:
            return await self._own.refusal(), _NO_PLACE
        at = run_folder({name.split("::", 1)[0] for name in ran}, set(files))
        early = canary.stops_early(command)
        made = Broken() if early else await self._own.made_to_fail(at)
        files_of_ours = {bird.path: bird.text for bird in planted} | dict(made.texts)
        paths = list(files_of_ours)
        work = self._copies.run(
            "canary",
            {at + path: text.encode() for path, text in files_of_ours.items()},
            paths=paths if command.takes_paths else (),
            options=(*canary.OPTIONS, *(() if command.takes_paths else paths)),
        )
        again = await self._round.lease.while_held(work)
        if not command.takes_paths and again.cases is None and again.exit_code:
            return "", "the test command takes no tests of our own"
        why = canary.distrust(planted, again, stops_early=early)
        why = why or never_red(made, again.cases or ())
        return why or await self._own.only_as_worded(), ""

    async def _canaries_of_suites(self) -> tuple[str, str]:
        """The same for suites in other languages, and for several suites in one run."""
        command, report, order = self._command, self._report, self._round.order
        if why := why_none(command):
            return "", why
        ran = [case.id for case in report.cases or () if case.outcome == "passed"]
        named = {name.split("::", 1)[0] for name in ran}
        files = await self._repository.files(order.commit)
        contents = await self._repository.contents(
            [e for e in files if _is_plain(e) and (e.path in named or is_crate_root(e.path))]
        )
        texts = {path: text for path, data in contents.items() if (text := _text(data))}
        planted, token, options = foreign_canaries(ran, texts, self._token()), self._token(), list[str]()
        if ours := [name for name in ran if name.split("::", 1)[0].endswith(".py")]:
            of_python = canary.python_canaries(command, ours, await self._loaded(), token)
            options += [*canary.OPTIONS, *(bird.path for bird in of_python)]
            planted += of_python
        if not planted:
            return "", _NO_PLACE
        work = self._copies.run(
            "canary", {bird.path: bird.text.encode() for bird in planted}, options=tuple(options)
        )
        again = await self._round.lease.while_held(work)
        early = ends_early(command) or any(canary.stops_early(part) for part in command.parts if not part.foreign)
        why = canary.distrust(planted, again, report, stops_early=early)
        return why or (await self._own.refusal() if ours else ""), ""

    async def _protected(self) -> Shown:
        """The earlier tests over the new code; then, with what only they read, as all of it was."""
        order = self._round.order
        base, delivered = await self._files(order.base), await self._files(self._delivered)
        own = {path: data for path, data in delivered.items() if path not in base}
        now = await self._files(order.commit)
        back = protected.restored({**base, **own}, now, order.changes_tests)
        inline = await self._inline()
        back = protected.Restored(write={**back.write, **inline}, remove=back.remove)
        changed = protected.changed_settings(base, now) if base else []
        shown = Shown(
            findings=tuple(
                _finding(name, "info", f"A setting of the tests was changed: {name}") for name in changed
            ),
            notes=(f"settings of the tests were changed ({some(changed)})",) if changed else (),
        )
        if back and (then := await self._as_before(back, base, own)).refusals:
            return then
        aids = await self._aids(base)
        more = protected.Restored(write={**back.write, **aids}, remove=back.remove)
        if aids and (then := await self._as_before(more, {**base, **aids}, own)).refusals:
            return then
        return shown

    async def _inline(self) -> dict[str, bytes]:
        """The changed code with the tests that stand in it as they were, unless the plan declares them."""
        order, repository = self._round.order, self._repository
        entries = [{e.path: e for e in await repository.files(c)} for c in (order.base, order.commit)]
        wanted = [
            [e for path, e in files.items() if path.endswith(".rs") and _is_plain(e) and others.get(path) != e]
            for files, others in (entries, entries[::-1])
        ]
        before, now = [await repository.contents(some) for some in wanted]
        found = spliced_files(before, now)
        return {path: data for path, data in found.items() if not protected.is_declared(path, order.changes_tests)}

    async def _aids(self, tests: Mapping[str, bytes]) -> dict[str, bytes]:
        """What the change has made of files of the base that nothing but its `tests` reads, as they were."""
        order, repository = self._round.order, self._repository
        before, now = [{e.path: e for e in await repository.files(c)} for c in (order.base, order.commit)]
        touched = [e for path, e in before.items() if path not in tests and now.get(path) != e and _is_plain(e)]
        texts = [data.decode("utf-8", "replace") for path, data in tests.items() if path.endswith(".py")]
        found = protected.aids(await repository.contents(touched), texts, order.changes_tests)
        if not found:
            return {}
        others = [
            data.decode("utf-8", "replace")
            for files in (before, now)
            for path, data in (await repository.contents([e for e in files.values() if _is_code(e)])).items()
            if path not in found
        ]
        return {path: data for path, data in found.items() if not protected.reads(others, path)}

    async def _as_before(
        self, back: protected.Restored, base: Mapping[str, bytes], own: Mapping[str, bytes]
    ) -> Shown:
        order = self._round.order
        report = await self._round.lease.while_held(self._copies.run("before", back.write, gone=back.remove))
        if report.cases is None:
            is_counted = self._report.cases is None and report.green
            return Shown() if is_counted else Shown(refusals=(self._unrun(report),))
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

    async def _unaware(self) -> OutsideSaid:
        """Why the code is only right as long as it is tested, or what calls outside of tests have shown."""
        context = self._round.context
        texts, touched = await self._changed_code()
        if not any(path.endswith(".py") for path in texts):
            return OutsideSaid(note=NOT_PYTHON if texts else "")
        if replaced := await self._own.replaced(texts, touched):
            return OutsideSaid(refusal=replaced)
        watch = unaware.watch_of(texts, touched, every=self._report.duration_s < SELECTING_PAYS_S)
        if watch is None:
            return OutsideSaid(note=TOO_SLOW)
        named = self._command.plugins
        if unaware.is_plugin(
            (context.goal, *context.requirements, *((named.words, named.declared) if named else ()))
        ):
            return OutsideSaid(note=unaware.OF_A_PLUGIN)
        return await self._watched(Watched(programs=unaware.programs(), told=msgspec.json.encode(watch)))

    async def _watched(self, watched: Watched) -> OutsideSaid:
        """Run all tests while the code cannot see them; where they hold, make their calls again."""
        report = await self._round.lease.while_held(self._copies.run("unaware", {}, watched=watched))
        if report.green and unaware.has_begun(report.seen):
            files = [entry.path for entry in await self._repository.files(self._round.order.commit)]
            trial = OutsideTrial(self._copies, self._report, files, self._token)
            return await self._round.lease.while_held(trial.said(report.seen))
        if report.green or report.timed_out:
            return OutsideSaid(note=unaware.UNTRIED)
        again = await self._round.lease.while_held(self._copies.run("unaware", {}))
        if again.green and unaware.looked(report.seen):
            return OutsideSaid(refusal=unaware.refusal(report.failing, report.seen))
        if again.green or again.timed_out:
            return OutsideSaid(note=unaware.UNTRIED)
        measured = await self._round.lease.while_held(self._copies.run("unaware", {}, measured=True))
        if measured.green:
            return OutsideSaid(refusal=unaware.of_coverage(again.failing))
        return OutsideSaid(note=unaware.UNTRIED)

    async def _never_run(self) -> str:
        texts, touched = await self._changed_code()
        return never_run.note(texts, touched, self._report.executed or {})

    async def _mutants(self) -> Shown:
        order, report = self._round.order, self._report
        if self._round.context.constraints.mutants == "off":
            return Shown(mutants=MutationEvidence(off=True))
        texts, touched = await self._changed_code()
        every = await asyncio.to_thread(mutants.candidates, texts, touched)
        if not every:
            return Shown(mutants=MutationEvidence(), notes=(mutants.NOTHING_TO_BREAK,) if texts else ())
        reached = every if report.executed is None else mutants.on_lines(every, report.executed)
        # Tests may run the code in processes of their own, where nobody sees which lines they come to.
        limit = mutants.MUTANTS_MAX if reached else _UNSEEN_MAX
        # Of what has to be compiled some cannot be: others take their place.
        spare = 1 if all(one.path.endswith(".py") for one in every) else 2
        chosen = await asyncio.to_thread(mutants.chosen, reached or every, order.commit, spare * limit)
        same = await asyncio.to_thread(_in_other_words, texts, self._token())
        trials = MutantTrials(self._copies, report, same, self._selections(chosen))
        tried = await self._round.lease.while_held(trials.run(chosen))
        if not tried.tried and tried.unbuilt:
            return Shown(mutants=MutationEvidence(), notes=(mutants.UNBUILT,))
        if tried.unusable or (not tried.tried and report.duration_s < mutants.LEAST_BUDGET_S / 2):
            return Shown(refusals=(mutants.RED_WITHOUT_REASON,))
        if not tried.tried:
            return Shown(mutants=MutationEvidence(), notes=(mutants.NO_TIME,))
        if not reached and len(tried.survivors) == tried.tried:
            return self._of_trials(MutationEvidence(unrun=True, survivors=tried.survivors))
        evidence = MutationEvidence(
            tried=tried.tried,
            noticed=tried.tried - len(tried.survivors),
            survivors=tried.survivors[:_SURVIVORS_KEPT],
        )
        shown = self._of_trials(evidence, tried.of_the_text)
        return msgspec.structs.replace(shown, notes=mutants.unnoticed_files(tried.survivors, tried.noticed))

    def _selections(self, chosen: Sequence[Mutant]) -> dict[tuple[str, int], tuple[str, ...]]:
        covering = self._report.covering if self._command.takes_paths else None
        known = {plain_id(case.id) for case in self._report.cases or ()}
        return {(m.path, m.line): mutants.selection(m, covering or {}, known) for m in chosen}

    async def _loaded(self) -> list[str]:
        order, executed = self._round.order, self._report.executed
        changed = await self._repository.changed_files(order.base, order.commit)
        return [path for path in changed if canary.is_loaded(path, executed)]

    def _token(self) -> str:
        return self._round.lease.ports.ids.token()[-12:]

    def _of_trials(self, evidence: MutationEvidence, of_the_text: Sequence[str] = ()) -> Shown:
        refused = mutants.refusal_of(evidence, of_the_text)
        severity = "high" if refused else "info"
        said = "No test runs this line" if evidence.unrun else "No test notices this change"
        lines = (
            _finding(name, severity, f"{said}: {name}", line=int(name.split(":", 2)[1].split(" ", 1)[0]))
            for name in evidence.survivors
        )
        looking = (_finding(name, severity, mutants.OF_THE_TEXT) for name in of_the_text)
        return Shown(
            refusals=(refused,) if refused else (),
            findings=(*lines, *looking),
            mutants=evidence,
        )

    async def _changed_code(self) -> tuple[dict[str, str], Touched]:
        """The changed files that can be broken, and their changed lines; none of a file: all of them."""
        order = self._round.order
        changed = set(await self._repository.changed_files(order.base, order.commit))
        patch = await self._repository.diff(order.base, order.commit, max_bytes=PATCH_BYTES)
        touched = touched_lines(patch) if len(patch.encode()) < PATCH_BYTES else {}
        # What runs the tests is the judge, not what is judged.
        changed -= {word.removeprefix("./") for word in self._command.text.split()}
        entries = [e for e in await self._repository.files(order.commit) if e.path in changed and _is_plain(e)]
        contents = await self._repository.contents([e for e in entries if mutants.can_be_broken(e.path)])
        return {path: text for path, data in contents.items() if (text := _text(data))}, touched

    async def _files(self, commit: str) -> dict[str, bytes]:
        """The protected files of a commit; none for an empty name."""
        if not commit:
            return {}
        entries = await self._repository.files(commit)
        return await self._repository.contents(
            [e for e in entries if protected.is_protected(e.path) and _is_plain(e)]
        )


def _finding(place: str, severity: str, message: str, *, line: int = 0) -> Finding:
    file = place.split(":", 1)[0]
    return Finding(file=file, line=line, severity=severity, message=message, source="tests")  # type: ignore[arg-type]


def _in_other_words(texts: Mapping[str, str], token: str) -> dict[str, bytes]:
    return {path: neutral(path, text, token).encode() for path, text in texts.items()}


def _is_plain(entry: FileEntry) -> bool:
    return entry.mode.startswith("100")


def _is_code(entry: FileEntry) -> bool:
    """Whether a file is code under test that can be read."""
    return entry.path.endswith(".py") and _is_plain(entry) and not protected.is_protected(entry.path)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""
