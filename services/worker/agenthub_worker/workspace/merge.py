"""Brings the work of a finished attempt onto the goal's branch, in one batch with the event that ends it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import msgspec

from agenthub_events.base import Event
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
from agenthub_runtime.repository.goal import Committed, Conflicted, GoalRepository, Merged
from agenthub_runtime.repository.sources.beside import Beside, bring_beside
from agenthub_runtime.repository.sources.git_remote import RemoteGit, Resolved
from agenthub_runtime.repository.sources.source import origin_of
from agenthub_runtime.repository.sources.submodules import Whereabouts
from agenthub_runtime.telemetry.tracing import sending
from agenthub_worker.domain.outcomes import (
    AttemptOutcome,
    Blocked,
    ConflictingMerge,
    Failed,
    RunSummary,
    completed_event,
)
from agenthub_worker.lease.lease import Lease
from agenthub_worker.workspace.merge_tests import tests_at_merge
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
        lease, repository, order = self._lease, self._workspace.repository, self._context.merge
        evidence = await tests_at_merge(lease, self._workspace, merged.commit, self._context, branch)
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
            bundle_ref=await self._workspace.bundle(
                branch.head, merged.commit, fetched=bool(order and order.target)
            ),
            tests=evidence,
        )
        if order is not None and order.target:
            moved = await onto(lease, repository, moved, order.commit, self._context)
        return await append_with_merge(lease, branch, moved, completed_event(final, lease.order, run_summary))


async def onto(
    lease: Lease, repository: GoalRepository, moved: MergeDone, base: str, context: WorkContext
) -> MergeDone:
    """The same merge as one that brings in `base`, against which the goal's changes are measured from then on."""
    sandbox = await sandbox_of(lease.ports, repository, base, context)
    tests = await tests_shown_at(lease, sandbox, repository, base, context, base=base)
    return msgspec.structs.replace(moved, origin="base", commit=base, tests=tests)


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
        head, brought = await lease.while_held(bring_source(lease.ports.git, repository, context))
        prepared = await lease.while_held(set_up(lease, repository, head, context))
        if isinstance(prepared, Blocked):
            return prepared
        bundle_ref = await lease.while_held(lease.ports.patiently(partial(repository.bundle, None, head)))
        sandbox = await sandbox_of(lease.ports, repository, head, context)
        evidence = await tests_shown_at(lease, sandbox, repository, head, context, base=head)
        moved = MergeDone(
            task_id=lease.task_id,
            attempt=lease.order.attempt,
            base=branch.head,
            head=head,
            commit=head,
            tree=await repository.tree_of(head),
            bundle_ref=bundle_ref,
            origin="prepare",
            tests=evidence,
        )
        result = TaskResult(
            summary=(
                f"Imported {_name(context)} at {head[:12]}{await _said_of(repository, head, brought)}"
                f"{prepared.said}{_before_the_goal(evidence)}"
            ),
            setup_log_ref=prepared.log_ref,
            tests_run=_tests_run(evidence) or "N/A",
            commit=head,
            evidence=evidence,
        )
        if await append_with_merge(lease, branch, moved, completed_event(result, lease.order, run_summary)):
            return None
    return Failed(failure_class="workspace", reason="the branch kept moving while the repository was imported")


async def bring_source(access: GitAccess, repository: GoalRepository, context: WorkContext) -> tuple[str, Beside]:
    """Fetch what the goal begins with; its commit, and what came along.

    Raises `RepositoryError`, `RemoteRefused` and `RemoteUnavailable`.
    """
    source = context.repository
    elsewhere = is_remote(source)
    remote = RemoteGit(parse_remote(source) if elsewhere else local_source(source), access)
    wanted = Resolved(context.base_commit, context.ref)
    is_named = bool(wanted.commit or wanted.ref)
    if not is_named and not elsewhere:
        wanted = Resolved(await repository.import_local(Path(source)), "")
    elif not wanted.commit:
        # The goal of a schedule starts from what its ref stands for now.
        wanted = await remote.resolve(wanted.ref)
    origin = Whereabouts(url=source) if elsewhere else await origin_of(Path(source))
    found: list[Beside] = []

    async def fetched(git: Git) -> str:
        if is_named or elsewhere:
            await remote.fetch(git, wanted)
        found.append(await bring_beside(git, wanted.commit, origin, access))
        return wanted.commit

    return await repository.exclusively(fetched), found[0]


async def _said_of(repository: GoalRepository, head: str, brought: Beside) -> str:
    """What people have to know of how a repository was imported."""
    parts = []
    if count := await repository.commits_before_the_cut(head):
        parts.append(f"with the newest {count} commits of its history")
    if brought.submodules:
        parts.append(f"with the submodules {_few(brought.submodules)}, read-only")
    if brought.lfs:
        parts.append(f"with {_few(brought.lfs)} out of Git LFS")
    return "".join(f", {part}" for part in parts)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _name(context: WorkContext) -> str:
    name = PurePosixPath(context.repository).name.removesuffix(".git") or context.repository
    short = context.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    return f"{name} ({short})" if short else name


async def append_with_merge(lease: Lease, branch: GoalBranch, moved: MergeDone, closing: Event) -> bool:
    """Move the branch and end the attempt, both or neither. False: one of them moved. Raises `LeaseLost`."""
    landing = await lease.set_aside(moved)
    ordinal = f"{lease.task_id}-{lease.claim}"
    merge_draft = branch.fence.draft(lease.goal_id, GOAL_AS_A_WHOLE, landing, ordinal, route=lease.author)
    lease.ports.crash_point("before-merge-batch")
    ending = await lease.set_aside(closing)
    drafts = (merge_draft, lease.draft(ending))
    with sending(ending.type):
        landed = await lease.ports.append(drafts, lease.stamp())
    if isinstance(landed, Conflict):
        await lease.look()
        return False
    lease.ports.crash_point("after-merge-batch")
    return True


def _before_the_goal(evidence: TestEvidence | None) -> str:
    """What a reader must know of the tests as they were: those that fail block nobody."""
    if evidence is None or not (evidence.failing or evidence.exit_code):
        return ""
    if not evidence.failing:
        return f"; before your goal the tests ended with exit code {evidence.exit_code} ({_tests_run(evidence)})"
    return f"; {len(evidence.failing)} failed before your goal: {_few(evidence.failing)}"


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
    some = " (those that the change bears on: the gate runs all)" if evidence.partial else ""
    return ", ".join(parts) + some
