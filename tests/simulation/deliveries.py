"""What workers do without a model in the simulation: the import of a repository, and the delivery of a result.

The repository elsewhere has a branch `main` on which others work, and takes the branches of goals. What is written
into the log is written by the worker's own code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from agenthub_events.catalogue.task import MergeDone, TaskCompleted
from agenthub_events.catalogue.values import Delivered, TaskResult
from agenthub_events.context import DeliveryOrder
from agenthub_events.ports import Recorded
from agenthub_runtime.repository.goal import Conflicted
from agenthub_worker.attempt import Preparation
from agenthub_worker.delivery.moved_target import MOVES_MAX
from agenthub_worker.domain.outcomes import (
    AttemptOutcome,
    Blocked,
    Completed,
    ConflictingMerge,
    Failed,
    Parked,
    RunSummary,
    closing_event,
    completed_event,
)
from agenthub_worker.lease.lease import AttemptOver, Lease
from agenthub_worker.workspace.merge import append_with_merge
from agenthub_worker.workspace.workspace import read_branch
from tests.simulation.branch import ChangeSets
from tests.simulation.script import Script

ADDRESS = "https://example.org/ada/service.git"


class Elsewhere:
    """The repository elsewhere: the branch of each goal, and how often it came to a commit."""

    def __init__(self) -> None:
        self.branches: dict[str, str] = {}
        self.pushes: Counter[tuple[str, str]] = Counter()

    def push(self, goal_id: str, commit: str) -> None:
        """Put the goal's branch to a commit. As with git, a push of what is there already changes nothing."""
        if self.branches.get(goal_id) != commit:
            self.branches[goal_id] = commit
            self.pushes[goal_id, commit] += 1


class SystemTask:
    """One attempt at an import or a delivery."""

    def __init__(self, lease: Lease, repository: ChangeSets, script: Script, elsewhere: Elsewhere) -> None:
        self._lease = lease
        self._repository = repository
        self._script = script
        self._elsewhere = elsewhere
        self._summary = RunSummary(worker=lease.ports.worker)

    async def run(self, ready: Preparation) -> None:
        """Work until the attempt is closed. Raises `LeaseLost`."""
        try:
            await self._lease.look()
            order = ready.context.delivery
            outcome = await (self._import() if order is None else self._deliver(order))
        except AttemptOver as over:
            outcome = over.outcome
        if outcome is not None:
            await self._lease.append(closing_event(outcome, self._lease.order, self._summary))

    async def _import(self) -> AttemptOutcome | None:
        branch = await read_branch(self._lease.ports, self._lease.goal_id)
        head = self._repository.begin()
        moved = await self._merge_done(branch.head, head, head, "prepare")
        result = TaskResult(summary="imported", commit=head)
        if await append_with_merge(
            self._lease, branch, moved, completed_event(result, self._lease.order, self._summary)
        ):
            return None
        return Failed(failure_class="workspace", reason="the branch moved")

    async def _deliver(self, order: DeliveryOrder) -> AttemptOutcome | None:
        lease, task_id = self._lease, self._lease.task_id
        there = self._elsewhere.branches.get(lease.goal_id)
        found = self._script.target_of(task_id, order.moves, lease.order.attempt)
        if there != order.commit and found and not order.as_it_is:
            return await self._bring_in(order, clash=found == "clash")
        await lease.while_held(lease.ports.clock.sleep(1.0))
        if there != order.commit:
            self._elsewhere.push(lease.goal_id, order.commit)
        await lease.while_held(lease.ports.clock.sleep(1.0))
        delivered = Delivered(repository=ADDRESS, branch=order.branch, commit=order.commit, target="main")
        return Completed(result=TaskResult(summary="pushed", commit=order.commit, delivered=delivered))

    async def _bring_in(self, order: DeliveryOrder, *, clash: bool) -> AttemptOutcome | None:
        lease, repository = self._lease, self._repository
        if order.moves >= MOVES_MAX:
            return Blocked(question="main moves on", options=("Try again", "Go on without it"), reason="delivery")
        branch = await read_branch(lease.ports, lease.goal_id)
        if branch.head != order.commit:
            return Failed(failure_class="workspace", reason="the branch has moved")
        theirs = repository.others(order.base, f"{lease.task_id}-{order.moves}", lease.task_id if clash else "")
        when = lease.ports.clock.now()
        merged = await repository.merge(ours=order.commit, theirs=theirs, message="", when=when)
        if isinstance(merged, Conflicted):
            return ConflictingMerge(
                files=merged.files,
                base=order.base,
                head=order.commit,
                commit=theirs,
                bundle_ref=await repository.bundle(order.commit, theirs),
                summary="main has become it",
                target="main",
            )
        moved = await self._merge_done(branch.head, merged.commit, theirs, "base")
        closing = closing_event(Parked(reason="moved", detail="main has become it"), lease.order, self._summary)
        if await append_with_merge(lease, branch, moved, closing):
            return None
        return Failed(failure_class="workspace", reason="the branch moved")

    async def _merge_done(self, base: str, head: str, commit: str, origin: str) -> MergeDone:
        lease, repository = self._lease, self._repository
        return MergeDone(
            task_id=lease.task_id,
            attempt=lease.order.attempt,
            base=base,
            head=head,
            commit=commit,
            tree=await repository.tree_of(head),
            bundle_ref=await lease.ports.patiently(lambda: repository.bundle(base, head)),
            origin=origin,
        )


def wrong_deliveries(log: Sequence[Recorded], elsewhere: Elsewhere) -> Iterator[str]:
    """What is wrong with what went out: it is there, and it went once."""
    last: dict[str, str] = {}
    for recorded in log:
        event, goal_id = recorded.event, recorded.subject.split(".")[1]
        if isinstance(event, TaskCompleted) and event.result.delivered is not None:
            last[goal_id] = event.result.delivered.commit
    for goal_id, commit in last.items():
        if elsewhere.branches.get(goal_id) != commit:
            yield f"{goal_id} says that {commit} is there, which has {elsewhere.branches.get(goal_id)}"
    for (goal_id, commit), count in elsewhere.pushes.items():
        if count > 1:
            yield f"{commit} of {goal_id} was pushed {count} times"
