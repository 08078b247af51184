"""The workspace of one attempt: made from the log's chain of commits, saved after each change, thrown away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import msgspec

from agenthub_events.base import Fence
from agenthub_events.catalogue.task import MergeDone
from agenthub_events.catalogue.values import LeftOut, TestEvidence
from agenthub_events.context import WorkContext
from agenthub_events.ports import Recorded
from agenthub_events.redaction import as_shown, redact_text
from agenthub_runtime.repository.cache import open_kept
from agenthub_runtime.repository.errors import RepositoryError
from agenthub_runtime.repository.goal import ROOT_COMMIT, Committed, GoalRepository, Link
from agenthub_runtime.repository.left_out import OF_NESTED
from agenthub_worker.environment.recipe import CONFIG, GivenSetup
from agenthub_worker.evidence.layout import (
    NoTestCommand,
    TestCommand,
    detect_test_command,
    given_test_command,
    is_test_file,
)
from agenthub_worker.evidence.reports import stored_id
from agenthub_worker.evidence.test_history import outcomes_of
from agenthub_worker.evidence.testing import TestReport, run_tests
from agenthub_worker.lease.lease import Lease
from agenthub_worker.ports import WorkerPorts
from agenthub_worker.sandbox.port import Sandbox

TEST_TIMEOUT_S = 900.0
_FAILING_KEPT = 500


class GoalBranch(msgspec.Struct, frozen=True, kw_only=True):
    """The branch of a goal as its `merge.done` events tell it.

    `fence` is the end of that family, `imported` the commit before the goal's first change.
    """

    links: tuple[Link, ...]
    fence: Fence
    imported: str = ROOT_COMMIT

    @property
    def head(self) -> str:
        """The commit that the branch is at."""
        return self.links[-1].head if self.links else ROOT_COMMIT


async def read_branch(ports: WorkerPorts, goal_id: str) -> GoalBranch:
    """The goal's branch now."""
    merges: Sequence[Recorded] = await ports.patiently(lambda: ports.events.read(f"{goal_id}._.merge"))
    done = [recorded.event for recorded in merges if isinstance(recorded.event, MergeDone)]
    imported = next((merge.head for merge in done if merge.origin == "prepare"), ROOT_COMMIT)
    return GoalBranch(
        links=tuple(Link(merge.bundle_ref, merge.head) for merge in done),
        fence=Fence().after(merges),
        imported=imported,
    )


async def open_repository(ports: WorkerPorts, goal_id: str, branch: GoalBranch) -> GoalRepository:
    """This machine's repository of the goal, with everything of its branch in it."""
    repository = await open_kept(ports.folder / "repositories", goal_id, ports.artifacts)
    await ports.patiently(lambda: repository.materialise(branch.links))
    return repository


class Workspace:
    """A checked out workspace. `base` is the commit on the branch that the work builds on.

    `left_out` is what its last commit does not hold and what was removed before it, `litter` what tools leave.
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
    ) -> None:
        self.lease = lease
        self.sandbox = sandbox or lease.ports.sandbox
        self.repository = repository
        self.branch = branch
        self.path = path
        self.base = base
        self.commit = base
        self.bundle_ref = ""
        self.left_out: tuple[LeftOut, ...] = ()
        self.litter: tuple[LeftOut, ...] = ()

    async def restore(self, commit: str, bundle_ref: str) -> None:
        """Put the workspace to a checkpoint, whoever made it and wherever."""
        ports = self.lease.ports
        if not await self.repository.has(commit):
            await self.repository.absorb(await ports.patiently(lambda: ports.artifacts.get(bundle_ref)))
        await self.repository.checkout(commit, self.path)
        self.commit, self.bundle_ref = commit, bundle_ref
        self.base = await self._base_of(commit)

    async def checkpoint(self) -> bool:
        """Save the workspace: commit, and its bundle in the object store. False: nothing has changed."""
        committed = await self._commit(self.commit, f"Checkpoint of {self.lease.task_id}")
        if not committed.changed:
            return False
        self.commit = committed.commit
        self.bundle_ref = await self.bundle(self.base, committed.commit)
        return True

    async def finish(self, message: str) -> Committed:
        """The whole work as one commit on its base; its message is shown wherever the commit goes."""
        return await self._commit(self.base, redact_text(as_shown(message), self.lease.secrets))

    async def bundle(self, base: str, head: str) -> str:
        """Store what `head` has beyond `base`; the digest of the bundle."""
        data = await self.repository.bundle(base, head)
        return await self.lease.ports.patiently(lambda: self.lease.ports.artifacts.put(data))

    async def close(self) -> None:
        """Throw the workspace away; what counts is in the log and in the object store."""
        await self.repository.discard_workspace(self.path)

    async def _commit(self, parent: str, message: str) -> Committed:
        done = await self.repository.commit_workspace(
            self.path, parent=parent, message=message, when=self.lease.ports.clock.now()
        )
        removed = (left for left in self.left_out if left.reason == OF_NESTED)
        self.left_out = tuple(dict.fromkeys((*removed, *done.left_out)))
        self.litter = done.litter
        return done

    async def _base_of(self, commit: str) -> str:
        for link in reversed(self.branch.links):
            if await self.repository.is_ancestor(link.head, commit):
                return link.head
        return ROOT_COMMIT


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
    workspace = Workspace(lease, repository, branch, path, start, sandbox=sandbox)
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
    if ports.environments is None:
        return ports.sandbox
    return ports.environments.sandbox(await given_setup(repository, base, context))


async def given_setup(repository: GoalRepository, base: str, context: WorkContext) -> GivenSetup:
    """What people say of the setup: the goal, and the repository before any agent has changed it."""
    config = None
    if base != ROOT_COMMIT:
        with suppress(RepositoryError):
            config = await repository.show(base, CONFIG)
    return GivenSetup(commands=context.setup, config=config)


async def test_command_of(
    repository: GoalRepository, commit: str, context: WorkContext
) -> TestCommand | NoTestCommand:
    """How the goal's tests are run at `commit`."""
    if context.test_command:
        return given_test_command(context.test_command)
    return detect_test_command([entry.path for entry in await repository.files(commit)])


async def has_tests(repository: GoalRepository, commit: str, context: WorkContext) -> bool:
    """Whether running the tests at `commit` can show anything."""
    return bool(context.test_command) or any(is_test_file(e.path) for e in await repository.files(commit))


async def run_system_tests(
    lease: Lease, sandbox: Sandbox, path: Path, command: TestCommand, *, contexts_of: Sequence[str] = ()
) -> tuple[TestReport, TestEvidence]:
    """Run the tests in a workspace as the system does it, and store the log and the outcomes.

    `contexts_of` are files of which the report says which tests run their lines.
    """
    ports = lease.ports
    work = run_tests(
        sandbox,
        path,
        command,
        timeout_s=TEST_TIMEOUT_S,
        measure_apart=True,
        contexts_of=contexts_of,
    )
    ran = await lease.while_held(work)
    report = ran.without(lease.secrets)
    log_ref = await ports.patiently(lambda: ports.artifacts.put(report.log))
    outcomes = msgspec.json.encode(outcomes_of(report.cases or ()))
    report_ref = await ports.patiently(partial(ports.artifacts.put, outcomes))
    return report, evidence_of(report, log_ref, report_ref)


async def run_tests_at(
    lease: Lease, sandbox: Sandbox, repository: GoalRepository, commit: str, command: TestCommand
) -> tuple[TestReport, TestEvidence]:
    """The same on a clean checkout of a commit, beside the workspace of the attempt."""
    path = workspace_path(lease).with_name(f"{workspace_path(lease).name}-at-{commit[:12]}")
    await repository.checkout(commit, path)
    try:
        return await run_system_tests(lease, sandbox, path, command)
    finally:
        await repository.discard_workspace(path)


async def tests_shown_at(
    lease: Lease, sandbox: Sandbox, repository: GoalRepository, commit: str, context: WorkContext
) -> TestEvidence | None:
    """What the tests of a commit show; None when it has none, or when nobody knows how they are run."""
    if not await has_tests(repository, commit, context):
        return None
    command = await test_command_of(repository, commit, context)
    if isinstance(command, NoTestCommand):
        return None
    _, evidence = await run_tests_at(lease, sandbox, repository, commit, command)
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
    )
