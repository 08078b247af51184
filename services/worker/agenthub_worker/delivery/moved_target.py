"""What the target of a delivery has become meanwhile: merged with the result, so that the whole is judged again.

Nobody's commit is lost: the merge has both as parents, and it goes onto the goal's own branch alone.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from agenthub_events.catalogue.task import MergeDone
from agenthub_events.context import DeliveryOrder, WorkContext
from agenthub_events.redaction import as_shown, redact_text
from agenthub_events.rules.answer_options import SKIP_IT, TRY_AGAIN
from agenthub_runtime.remotes.address import is_remote
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.goal import Conflicted, GoalRepository, Merged
from agenthub_runtime.repository.sources.beside import bring_beside
from agenthub_runtime.repository.sources.source import origin_of
from agenthub_runtime.repository.sources.submodules import Whereabouts
from agenthub_worker.domain.outcomes import (
    AttemptOutcome,
    Blocked,
    ConflictingMerge,
    Failed,
    Parked,
    RunSummary,
    closing_event,
)
from agenthub_worker.domain.prompt import sides_of
from agenthub_worker.lease.lease import Lease
from agenthub_worker.workspace.merge import append_with_merge, onto
from agenthub_worker.workspace.workspace import GoalBranch, read_branch

MOVES_MAX = 3
"""How often a delivery waits for a merge with its target before people are asked."""
_OPTIONS = (TRY_AGAIN, SKIP_IT)


class MovedTarget:
    """One attempt to bring a result up to date: `theirs` is the newest commit of the branch that it goes into."""

    def __init__(
        self, lease: Lease, repository: GoalRepository, context: WorkContext, order: DeliveryOrder, theirs: str
    ) -> None:
        self._lease = lease
        self._repository = repository
        self._context = context
        self._order = order
        self._theirs = theirs
        self._target = context.ref.removeprefix("refs/heads/")

    async def bring_in(self, run_summary: RunSummary) -> AttemptOutcome | None:
        """Merge it. None: it is on the goal's branch, and the attempt is closed; else how the attempt ends.

        Raises `RemoteRefused`, `RemoteUnavailable`, `RepositoryError` and `LeaseLost`.
        """
        asked = await self._asked()
        if asked is not None:
            return asked
        branch = await read_branch(self._lease.ports, self._lease.goal_id)
        if branch.head != self._order.commit:
            return Failed(failure_class="workspace", reason="the goal's branch has moved since this was ordered")
        await self._lease.while_held(self._repository.exclusively(self._beside))
        message = f"Merge {self._target} into {sides_of(self._lease.goal_id, self._target)[0]}\n"
        merged = await self._repository.merge(
            ours=self._order.commit,
            theirs=self._theirs,
            message=redact_text(as_shown(message), self._lease.secrets),
            when=self._lease.ports.clock.now(),
        )
        if isinstance(merged, Conflicted):
            return await self._conflict(merged)
        return await self._land(branch, merged, run_summary)

    async def _asked(self) -> Blocked | None:
        """The question that comes before another merge, if there is one."""
        target, where, theirs = self._target, self._context.repository, self._theirs[:12]
        if not await self._repository.is_ancestor(self._order.base, self._theirs):
            return _ask(
                f"The history of `{target}` at {where} was rewritten: it is at {theirs} now, which does not"
                f" build on {self._order.base[:12]} any more, as this goal does. A merge would bring back what was"
                " taken out there, so nothing was merged and nothing was delivered. Put the branch back and try"
                " again, or go on without the delivery and take the result with `agenthub goal pull`."
            )
        if self._order.moves >= MOVES_MAX:
            return _ask(
                f"`{target}` at {where} has moved again, to {theirs}, while the result was being judged: it was"
                f" merged and judged {self._order.moves} times, and each time others were faster. Nothing was"
                " delivered. Try again when it is quieter there, or go on without the delivery."
            )
        return None

    async def _beside(self, git: Git) -> str:
        source = self._context.repository
        origin = Whereabouts(url=source) if is_remote(source) else await origin_of(Path(source))
        await bring_beside(git, self._theirs, origin, self._lease.ports.git)
        return self._theirs

    async def _conflict(self, merged: Conflicted) -> ConflictingMerge:
        return ConflictingMerge(
            files=merged.files,
            base=self._order.base,
            head=self._order.commit,
            commit=self._theirs,
            bundle_ref=await self._bundle(self._theirs),
            summary=f"{self._target} has become {self._theirs[:12]}, which conflicts with the result",
            target=self._target,
        )

    async def _land(self, branch: GoalBranch, merged: Merged, run_summary: RunSummary) -> Failed | None:
        lease = self._lease
        moved = MergeDone(
            task_id=lease.task_id,
            attempt=lease.order.attempt,
            base=branch.head,
            head=merged.commit,
            commit=self._theirs,
            tree=merged.tree,
            bundle_ref=await self._bundle(merged.commit),
        )
        moved = await onto(lease, self._repository, moved, self._theirs, self._context)
        detail = f"{self._target} has become {self._theirs[:12]}: merged with the result, which is judged again"
        closing = closing_event(Parked(reason="moved", detail=detail), lease.order, run_summary)
        if await append_with_merge(lease, branch, moved, closing):
            return None
        return Failed(failure_class="workspace", reason="the goal's branch moved while its target was merged")

    async def _bundle(self, head: str) -> str:
        pack = partial(self._repository.bundle, self._order.commit, head, fetched=True)
        return await self._lease.while_held(self._lease.ports.patiently(pack))


def _ask(question: str) -> Blocked:
    return Blocked(question=question, options=_OPTIONS, reason="delivery")
