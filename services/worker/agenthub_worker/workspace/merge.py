"""Brings the work of a finished attempt onto the goal's branch, in one batch with the event that ends it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path, PurePosixPath

import msgspec

from agenthub_events.catalogue.task import MergeDone
from agenthub_events.catalogue.values import TaskResult, TestEvidence
from agenthub_events.context import WorkContext
from agenthub_events.ports import Conflict
from agenthub_events.redaction import as_shown, redact_text
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_runtime.file_lock import try_lock
from agenthub_runtime.remotes.address import is_remote, local_source, parse_remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.git_remote import RemoteGit, Resolved
from agenthub_runtime.repository.goal import Committed, Conflicted, GoalRepository, Merged
from agenthub_worker.domain.outcomes import (
    AttemptOutcome,
    Blocked,
    ConflictingMerge,
    Failed,
    RunSummary,
    completed_event,
)
from agenthub_worker.lease.lease import Lease
from agenthub_worker.workspace.set_up import set_up
from agenthub_worker.workspace.workspace import (
    GoalBranch,
    Workspace,
    open_repository,
    read_branch,
    sandbox_of,
    tests_shown_at,
)

MERGE_TRIES = 5
_TURN_PAUSE_S = 0.05
_NAMED = 5


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
        evidence = await tests_shown_at(lease, self._workspace.sandbox, repository, merged.commit, self._context)
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
    """Bring the repository that a goal works on into its branch, set it up, and show what its tests do before.

    None: done; raises `RepositoryError`.
    """
    for _ in range(MERGE_TRIES):
        branch = await read_branch(lease.ports, lease.goal_id)
        repository = await open_repository(lease.ports, lease.goal_id, branch)
        head = await lease.while_held(bring_source(lease.ports.git, repository, context))
        prepared = await lease.while_held(set_up(lease, repository, head, context))
        if isinstance(prepared, Blocked):
            return prepared
        data = await lease.while_held(repository.bundle(None, head))
        sandbox = await sandbox_of(lease.ports, repository, head, context)
        evidence = await tests_shown_at(lease, sandbox, repository, head, context)
        moved = MergeDone(
            task_id=lease.task_id,
            attempt=lease.order.attempt,
            base=branch.head,
            head=head,
            commit=head,
            tree=await repository.tree_of(head),
            bundle_ref=await lease.ports.patiently(partial(lease.ports.artifacts.put, data)),
            origin="prepare",
            tests=evidence,
        )
        result = TaskResult(
            summary=f"Imported {_name(context)} at {head[:12]}{prepared.said}{_before_the_goal(evidence)}",
            setup_log_ref=prepared.log_ref,
            tests_run=_tests_run(evidence) or "N/A",
            commit=head,
            evidence=evidence,
        )
        if await _append_both(lease, branch, moved, result, run_summary):
            return None
    return Failed(failure_class="workspace", reason="the branch kept moving while the repository was imported")


async def bring_source(access: GitAccess, repository: GoalRepository, context: WorkContext) -> str:
    """Fetch what the goal begins with, and return its commit. Raises `RepositoryError`."""
    source = context.repository
    if not context.base_commit:
        return await repository.import_local(Path(source))
    remote = parse_remote(source) if is_remote(source) else local_source(source)
    wanted = Resolved(context.base_commit, context.ref)

    async def fetched(git: Git) -> str:
        await RemoteGit(remote, access).fetch(git, wanted)
        return wanted.commit

    return await repository.exclusively(fetched)


def _name(context: WorkContext) -> str:
    name = PurePosixPath(context.repository).name.removesuffix(".git") or context.repository
    short = context.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    return f"{name} ({short})" if short else name


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


def _before_the_goal(evidence: TestEvidence | None) -> str:
    """What a reader must know of the tests as they were: those that fail block nobody."""
    if evidence is None or not evidence.failing:
        return ""
    named = ", ".join(evidence.failing[:_NAMED])
    more = f" and {len(evidence.failing) - _NAMED} more" if len(evidence.failing) > _NAMED else ""
    return f"; {len(evidence.failing)} failed before your goal: {named}{more}"


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
