"""Brings the work of a finished attempt onto the goal's branch, in one batch with the event that ends it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import msgspec

from agenthub_events.catalogue.task import MergeDone
from agenthub_events.catalogue.values import TaskResult, TestEvidence
from agenthub_events.context import WorkContext
from agenthub_events.ports import Conflict
from agenthub_events.redaction import as_shown, redact_text
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_runtime.file_lock import try_lock
from agenthub_runtime.repository.goal import Committed, Conflicted, GoalRepository, Merged
from agenthub_worker.domain.outcomes import (
    AttemptOutcome,
    Blocked,
    ConflictingMerge,
    Failed,
    RunSummary,
    completed_event,
)
from agenthub_worker.errors import SetupFailed, SetupInvalid
from agenthub_worker.evidence.layout import NoTestCommand
from agenthub_worker.lease.lease import Lease
from agenthub_worker.workspace.workspace import (
    GoalBranch,
    Workspace,
    has_tests,
    open_repository,
    read_branch,
    run_tests_at,
    test_command_of,
)

MERGE_TRIES = 5
_TURN_PAUSE_S = 0.05


class Merging:
    """The merge of one attempt's work."""

    def __init__(self, lease: Lease, workspace: Workspace, context: WorkContext) -> None:
        self._lease = lease
        self._workspace = workspace
        self._context = context

    async def land(self, done: Committed, result: TaskResult, run_summary: RunSummary) -> AttemptOutcome | None:
        """Append `merge.done` and `task.completed` together. None: they are in the log; else how it ends instead.

        When the branch moves meanwhile, the merge and its tests are made again. Raises `LeaseLost`.
        """
        async with my_turn(self._lease, self._workspace.repository):
            for _ in range(MERGE_TRIES):
                branch = await read_branch(self._lease.ports, self._lease.goal_id)
                await self._catch_up(branch)
                merged = await self._merge(branch, done, result)
                if isinstance(merged, Conflicted):
                    return await self._conflict(branch, done, merged, result)
                if await self._commit(branch, done, merged, result, run_summary):
                    return None
        return Failed(
            failure_class="workspace",
            reason=f"the branch moved {MERGE_TRIES} times while this work was being merged; it is saved",
        )

    async def _catch_up(self, branch: GoalBranch) -> None:
        await self._lease.ports.patiently(partial(self._workspace.repository.materialise, branch.links))

    async def _conflict(
        self, branch: GoalBranch, done: Committed, merged: Conflicted, result: TaskResult
    ) -> AttemptOutcome:
        return ConflictingMerge(
            files=merged.files,
            base=self._workspace.base,
            head=branch.head,
            commit=done.commit,
            bundle_ref=await self._workspace.bundle(self._workspace.base, done.commit),
            summary=result.summary,
        )

    async def _merge(self, branch: GoalBranch, done: Committed, result: TaskResult) -> Merged | Conflicted:
        message = f"Merge {self._lease.task_id}: {self._lease.order.title}\n\n{result.summary}\n"
        return await self._workspace.repository.merge(
            ours=branch.head,
            theirs=done.commit,
            message=redact_text(as_shown(message), self._lease.secrets),
            when=self._lease.ports.clock.now(),
        )

    async def _commit(
        self, branch: GoalBranch, done: Committed, merged: Merged, result: TaskResult, run_summary: RunSummary
    ) -> bool:
        lease, repository = self._lease, self._workspace.repository
        evidence = await self._test(merged)
        files = tuple(await repository.diffstat(branch.head, merged.commit))
        final = msgspec.structs.replace(
            result,
            commit=merged.commit,
            files=files,
            evidence=evidence,
            tests_run=_tests_run(evidence) or result.tests_run,
        )
        moved = MergeDone(
            task_id=lease.task_id,
            attempt=lease.order.attempt,
            base=branch.head,
            head=merged.commit,
            commit=done.commit,
            tree=merged.tree,
            bundle_ref=await self._workspace.bundle(branch.head, merged.commit),
            tests=evidence,
        )
        return await _append_both(lease, branch, moved, final, run_summary)

    async def _test(self, merged: Merged) -> TestEvidence | None:
        """Run the tests on the tree that the branch gets; a failing test is a result, the gate judges it."""
        repository, context = self._workspace.repository, self._context
        if not await has_tests(repository, merged.commit, context):
            return None
        command = await test_command_of(repository, merged.commit, context)
        if isinstance(command, NoTestCommand):
            return None
        _, evidence = await run_tests_at(self._workspace, merged.commit, command)
        return evidence


@contextlib.asynccontextmanager
async def my_turn(lease: Lease, repository: GoalRepository) -> AsyncIterator[None]:
    """One merge of a goal at a time on this machine. It only saves work: the fence of the log decides."""
    lock = os.open(repository.path.with_suffix(".merge"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not try_lock(lock):
            await lease.look()
            await lease.ports.pause(_TURN_PAUSE_S)
        yield
    finally:
        os.close(lock)


async def land_import(lease: Lease, context: WorkContext, run_summary: RunSummary) -> AttemptOutcome | None:
    """Bring the repository that a goal works on into its branch, and set it up. None: done.

    Raises `RepositoryError`.
    """
    source = Path(context.repository)
    for _ in range(MERGE_TRIES):
        branch = await read_branch(lease.ports, lease.goal_id)
        repository = await open_repository(lease.ports, lease.goal_id, branch)
        head = await lease.while_held(repository.import_local(source))
        if unusable := await _set_up(lease, repository, head, context):
            return unusable
        data = await lease.while_held(repository.bundle(None, head))
        moved = MergeDone(
            task_id=lease.task_id,
            attempt=lease.order.attempt,
            base=branch.head,
            head=head,
            commit=head,
            tree=await repository.tree_of(head),
            bundle_ref=await lease.ports.patiently(partial(lease.ports.artifacts.put, data)),
            origin="prepare",
        )
        result = TaskResult(summary=f"Imported {source.name} at {head[:12]}", commit=head)
        if await _append_both(lease, branch, moved, result, run_summary):
            return None
    return Failed(failure_class="workspace", reason="the branch kept moving while the repository was imported")


async def _set_up(
    lease: Lease, repository: GoalRepository, commit: str, context: WorkContext
) -> AttemptOutcome | None:
    """Install what the repository needs, so that whoever can mend its setup is asked before anybody works."""
    environments = lease.ports.environments
    if environments is None:
        return None
    path = lease.ports.workspaces / f"{lease.goal_id}-setup-{lease.claim}"
    await repository.checkout(commit, path)
    try:
        await lease.while_held(environments.prepare(path, context.setup))
    except (SetupFailed, SetupInvalid) as error:
        return Blocked(
            question=f"The repository cannot be set up: {error} Edit its setup and try again.",
            options=("Try again",),
            evidence=error.log if isinstance(error, SetupFailed) else "",
            reason="setup",
        )
    finally:
        await repository.discard_workspace(path)
    return None


async def _append_both(
    lease: Lease, branch: GoalBranch, moved: MergeDone, result: TaskResult, run_summary: RunSummary
) -> bool:
    """Move the branch and end the task, both or neither. False: one of them moved. Raises `LeaseLost`."""
    landing = await lease.set_aside(moved)
    merge_draft = branch.fence.draft(lease.goal_id, GOAL_AS_A_WHOLE, landing, f"{lease.task_id}-{lease.claim}")
    lease.ports.crash_point("before-merge-batch")
    completed = await lease.set_aside(completed_event(result, lease.order, run_summary))
    drafts = (merge_draft, lease.draft(completed))
    landed = await lease.ports.append(drafts, lease.stamp())
    if isinstance(landed, Conflict):
        await lease.look()
        return False
    lease.ports.crash_point("after-merge-batch")
    return True


def _tests_run(evidence: TestEvidence | None) -> str:
    if evidence is None:
        return ""
    counts = evidence.counts
    if counts is None:
        return f"not counted, exit code {evidence.exit_code}"
    parts = [f"{counts.passed} passed", f"{counts.failed} failed"]
    if counts.errors:
        parts.append(f"{counts.errors} errors")
    if counts.skipped:
        parts.append(f"{counts.skipped} skipped")
    return ", ".join(parts)
