"""The workspace of one attempt: made from the log's chain of commits, saved after each change, thrown away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path, PurePosixPath

import msgspec

from agenthub_events.base import Fence
from agenthub_events.catalogue.task import MergeDone
from agenthub_events.catalogue.values import LeftOut, TestEvidence
from agenthub_events.context import WorkContext
from agenthub_events.redaction import as_shown, redact_text
from agenthub_events.rules.authors import own
from agenthub_runtime.repository.cache import open_kept
from agenthub_runtime.repository.errors import RepositoryError
from agenthub_runtime.repository.goal import ROOT_COMMIT, Committed, GoalRepository, Link
from agenthub_runtime.repository.history import History
from agenthub_runtime.repository.left_out import OF_NESTED
from agenthub_runtime.repository.shown_paths import meant_paths
from agenthub_worker.environment.recipe import CONFIG, GivenSetup, folders_in
from agenthub_worker.evidence.layout import (
    NoTestCommand,
    TestCommand,
    detect_test_command,
    given_test_command,
    holds_tests,
)
from agenthub_worker.evidence.reports import stored_id
from agenthub_worker.evidence.test_history import outcomes_of
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.lease.lease import Lease
from agenthub_worker.ports import WorkerPorts
from agenthub_worker.projects.named import PluginTexts
from agenthub_worker.sandbox.port import Sandbox
from agenthub_worker.suites.detect import says_how
from agenthub_worker.suites.running import run_suites
from agenthub_worker.workspace.history import with_history
from agenthub_worker.workspace.pinned import with_pinned
from agenthub_worker.workspace.plugin_words import plugins_named

TEST_TIMEOUT_S = 900.0
"""Seconds that a run of the tests has at least; a suite that took longer before has three times that."""
FIRST_RUN_S = 3_000.0
"""Seconds for the first run of a suite, of which nobody knows how long it takes; an attempt has an hour."""
_TIMES_LONGER = 3.0
_FAILING_KEPT = 500
_ASKED_MAX = 500


class GoalBranch(msgspec.Struct, frozen=True, kw_only=True):
    """The branch of a goal as its `merge.done` events tell it.

    `fence` is the end of that family, `imported` the commit of others on which the goal's changes are: the one
    before its first change, or the base that was merged last. `tests_s` is how many
    seconds the longest whole run of its tests has taken (0: none is known).
    """

    links: tuple[Link, ...]
    fence: Fence
    imported: str = ROOT_COMMIT
    tests_s: float = 0.0

    @property
    def head(self) -> str:
        """The commit that the branch is at."""
        return self.links[-1].head if self.links else ROOT_COMMIT

    @property
    def test_limit_s(self) -> float:
        """How many seconds a run of all tests may take."""
        return max(TEST_TIMEOUT_S, _TIMES_LONGER * self.tests_s)


async def read_branch(ports: WorkerPorts, goal_id: str) -> GoalBranch:
    """The goal's branch now."""
    merges = await ports.grown(f"{goal_id}._.merge")
    orders = await ports.orders_of(goal_id)
    done = [recorded.event for recorded in own(merges, orders) if isinstance(recorded.event, MergeDone)]
    imported = [merge.commit for merge in done if merge.origin in ("prepare", "base")]
    runs = [merge.tests for merge in done if merge.tests is not None]
    return GoalBranch(
        links=tuple(Link(merge.bundle_ref, merge.head) for merge in done),
        fence=Fence().after(merges),
        imported=imported[-1] if imported else ROOT_COMMIT,
        tests_s=max((run.duration_s for run in runs if not run.partial), default=0.0),
    )


async def open_repository(ports: WorkerPorts, goal_id: str, branch: GoalBranch) -> GoalRepository:
    """This machine's repository of the goal, with everything of its branch in it."""
    repository = await open_kept(ports.folder / "repositories", goal_id, ports.artifacts)
    await ports.patiently(lambda: repository.materialise(branch.links))
    return repository


class Workspace:
    """A checked out workspace. `base` is the commit on the branch that the work builds on.

    `pinned` are the places of submodules, which no commit changes.
    `left_out` is what its last commit does not hold and what was removed before it, `litter` what tools leave.
    `plugins` are the texts that may bring plugins into the tests.
    """

    def __init__(
        self,
        lease: Lease,
        repository: GoalRepository,
        branch: GoalBranch,
        path: Path,
        base: str,
        *,
        sandbox: Sandbox | None = None,
        pinned: tuple[str, ...] = (),
    ) -> None:
        self.lease = lease
        self.sandbox = sandbox or lease.ports.sandbox
        self.repository = repository
        self.branch = branch
        self.pinned = pinned
        self.path = path
        self.base = base
        self.commit = base
        self.bundle_ref = ""
        self.plugins: PluginTexts | None = None
        self.left_out: tuple[LeftOut, ...] = ()
        self.litter: tuple[LeftOut, ...] = ()
        # Whether the last look saw all that commands have left in the workspace.
        self._whole = True

    async def restore(self, commit: str, bundle_ref: str) -> None:
        """Put the workspace to a checkpoint, whoever made it and wherever."""
        ports = self.lease.ports
        if not await self.repository.has(commit):
            await ports.patiently(partial(self.repository.absorb, bundle_ref))
        self.base = await self._base_of(commit)
        await self.repository.checkout(commit, self.path, head=self.base)
        self.commit, self.bundle_ref, self._whole = commit, bundle_ref, True

    async def checkpoint(self, wrote: str = "") -> bool:
        """Save the workspace: commit, and its bundle in the object store. False: nothing has changed.

        `wrote`: the one file, as it is shown, that was written since the last time. Raises `WorkspaceRefused`.
        """
        message = f"Checkpoint of {self.lease.task_id}"
        committed = await self._commit_file(wrote, message) if wrote and self._whole else None
        if committed is None:
            committed = await self._commit(self.commit, message)
        if not committed.changed:
            return False
        self.commit = committed.commit
        self.bundle_ref = await self.bundle(self.base, committed.commit)
        return True

    async def finish(self, message: str, *, on: str = "") -> Committed:
        """The whole work as one commit `on` this one, by default its base; its message is shown where it goes."""
        return await self._commit(on or self.base, redact_text(as_shown(message), self.lease.secrets))

    async def bundle(self, base: str, head: str, *, fetched: bool = False) -> str:
        """Store what `head` has beyond `base`; the digest of the bundle."""
        return await self.lease.ports.patiently(partial(self.repository.bundle, base, head, fetched=fetched))

    async def close(self) -> None:
        """Throw the workspace away; what counts is in the log and in the object store."""
        await self.repository.discard_workspace(self.path)

    async def _commit_file(self, wrote: str, message: str) -> Committed | None:
        name = await asyncio.to_thread(_there, self.path, wrote)
        if not name:
            return None
        return await self.repository.commit_file(
            self.path, name, parent=self.commit, message=message, when=self.lease.ports.clock.now()
        )

    async def _commit(self, parent: str, message: str) -> Committed:
        self._whole = False
        done = await self.repository.commit_workspace(
            self.path, parent=parent, message=message, when=self.lease.ports.clock.now()
        )
        removed = (left for left in self.left_out if left.reason == OF_NESTED)
        self.left_out = tuple(dict.fromkeys((*removed, *done.left_out)))
        self.litter = done.litter
        self._whole = True
        return done

    async def _base_of(self, commit: str) -> str:
        for link in reversed(self.branch.links):
            if await self.repository.is_ancestor(link.head, commit):
                return link.head
        return ROOT_COMMIT


def _there(root: Path, shown: str) -> str:
    """The path of a file by its name as it is shown; empty when it is not there."""
    return next((name for name in meant_paths(shown) if os.path.lexists(root / name)), "")


def workspace_path(lease: Lease) -> Path:
    """Where the attempt's workspace is on this machine."""
    return lease.ports.workspaces / f"{lease.goal_id}-{lease.task_id}-{lease.claim}"


async def open_workspace(lease: Lease, context: WorkContext) -> Workspace:
    """The workspace in which the attempt begins: its checkpoint, the commit a gate judges, or the ordered head."""
    branch = await read_branch(lease.ports, lease.goal_id)
    repository = await open_repository(lease.ports, lease.goal_id, branch)
    path = workspace_path(lease)
    start = context.gate.commit if context.gate else lease.order.workspace_commit or ROOT_COMMIT
    sandbox = await sandbox_of(lease.ports, repository, branch.imported, context)
    pinned = await repository.submodules(branch.imported)
    workspace = Workspace(lease, repository, branch, path, start, sandbox=sandbox, pinned=pinned)
    workspace.plugins = await plugins_named(lease, repository, branch.imported, context)
    saved = context.checkpoint
    async with AsyncExitStack() as unfinished:
        unfinished.push_async_callback(lambda: asyncio.shield(workspace.close()))
        if saved is not None and saved.commit and lease.order.resumes:
            await workspace.restore(saved.commit, saved.bundle_ref)
        else:
            await repository.checkout(start, path)
        unfinished.pop_all()
    return workspace


async def sandbox_of(ports: WorkerPorts, repository: GoalRepository, base: str, context: WorkContext) -> Sandbox:
    """Where the commands of a goal run that began with the commit `base`: with the project's own environment."""
    sandbox: Sandbox = with_history(ports.sandbox, repository.objects)
    pinned = await repository.submodules(base)
    if pinned and sandbox.root:
        sandbox = with_pinned(sandbox, pinned)
    if ports.environments is None:
        return sandbox
    return ports.environments.sandbox(await given_setup(repository, base, context), sandbox)


async def given_setup(repository: History, base: str, context: WorkContext) -> GivenSetup:
    """What people say of the setup: the goal, and the repository before any agent has changed it."""
    network = context.constraints.network
    if base == ROOT_COMMIT:
        return GivenSetup(commands=context.setup, network=network)
    config = None
    with suppress(RepositoryError):
        config = await repository.show(base, CONFIG)
    folders = folders_in(entry.path for entry in await repository.files(base))
    return GivenSetup(commands=context.setup, config=config, folders=folders, network=network)


async def test_command_of(repository: History, commit: str, context: WorkContext) -> TestCommand | NoTestCommand:
    """How the goal's tests are run at `commit`."""
    if context.test_command:
        return given_test_command(context.test_command)
    files = await repository.files(commit)
    wanted = [entry for entry in files if entry.mode.startswith("100") and says_how(entry.path)][:_ASKED_MAX]
    contents = await repository.contents(wanted)
    texts = {path: data.decode("utf-8", "replace") for path, data in contents.items()}
    return detect_test_command([entry.path for entry in files], texts)


async def with_plugins(
    command: TestCommand, lease: Lease, repository: GoalRepository, base: str, context: WorkContext
) -> TestCommand:
    """The command, and what may bring plugins into its runs for a goal that began with the commit `base`."""
    plugins = await plugins_named(lease, repository, base, context)
    parts = tuple(msgspec.structs.replace(part, plugins=plugins) for part in command.parts)
    return msgspec.structs.replace(command, plugins=plugins, parts=parts)


async def has_tests(repository: GoalRepository, commit: str, context: WorkContext) -> bool:
    """Whether running the tests at `commit` can show anything."""
    return bool(context.test_command) or await _holds_tests(repository, commit)


async def _holds_tests(repository: GoalRepository, commit: str) -> bool:
    # Rust's unit tests stand in the code itself.
    paths = [entry.path for entry in await repository.files(commit)]
    return any(holds_tests(path) or PurePosixPath(path).name == "Cargo.toml" for path in paths)


async def run_system_tests(
    lease: Lease,
    sandbox: Sandbox,
    path: Path,
    command: TestCommand,
    *,
    timeout_s: float = TEST_TIMEOUT_S,
    paths: Sequence[str] = (),
    contexts_of: Sequence[str] = (),
) -> tuple[TestReport, TestEvidence]:
    """Run the tests (only `paths` of them) in a workspace as the system does it; store log and outcomes.

    `contexts_of` are files of which the report says which tests run their lines.
    """
    ports = lease.ports
    work = run_suites(
        sandbox,
        path,
        command,
        timeout_s=timeout_s,
        paths=paths,
        measured=not paths,
        measure_apart=True,
        contexts_of=contexts_of,
    )
    ran = await lease.while_held(work)
    report = ran.without(lease.secrets)
    log_ref = await ports.patiently(lambda: ports.artifacts.put(report.log))
    outcomes = msgspec.json.encode(outcomes_of(report.cases or ()))
    report_ref = await ports.patiently(partial(ports.artifacts.put, outcomes))
    evidence = evidence_of(report, log_ref, report_ref)
    return report, msgspec.structs.replace(evidence, partial=bool(paths))


async def run_tests_at(
    lease: Lease,
    sandbox: Sandbox,
    repository: GoalRepository,
    commit: str,
    command: TestCommand,
    *,
    timeout_s: float = TEST_TIMEOUT_S,
    paths: Sequence[str] = (),
) -> tuple[TestReport, TestEvidence]:
    """The same on a clean checkout of a commit, beside the workspace of the attempt."""
    path = workspace_path(lease).with_name(f"{workspace_path(lease).name}-at-{commit[:12]}")
    await repository.checkout(commit, path)
    try:
        return await run_system_tests(lease, sandbox, path, command, timeout_s=timeout_s, paths=paths)
    finally:
        await repository.discard_workspace(path)


async def tests_shown_at(
    lease: Lease, sandbox: Sandbox, repository: GoalRepository, commit: str, context: WorkContext, *, base: str
) -> TestEvidence | None:
    """What the tests of a commit show that nobody has run yet; None without any that can be run.

    `base` is the commit with which the goal began.
    """
    if not await has_tests(repository, commit, context):
        return None
    command = await test_command_of(repository, commit, context)
    if isinstance(command, NoTestCommand):
        return None
    command = await with_plugins(command, lease, repository, base, context)
    _, evidence = await run_tests_at(lease, sandbox, repository, commit, command, timeout_s=FIRST_RUN_S)
    return evidence


def evidence_of(report: TestReport, log_ref: str, report_ref: str) -> TestEvidence:
    """What goes into the log of a test run: every number, and as many names as an event has room for.

    The code under test makes up the names of its tests; how many and how long they are is up to it.
    """
    return TestEvidence(
        command=report.command,
        exit_code=report.exit_code,
        counts=report.counts,
        coverage_percent=report.coverage_percent,
        failing=tuple(stored_id(name) for name in report.failing[:_FAILING_KEPT]),
        log_ref=log_ref,
        report_ref=report_ref,
        duration_s=round(report.duration_s, 1),
    )
