"""What must be true of goals that were forked: told from the log alone, beside the code that forks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from agenthub_events.catalogue.fork import Fork, InheritedMerge
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.task import MergeDone, TaskCancelled, TaskCompleted, TaskEnqueued, TaskSkipped
from agenthub_events.ports import Recorded
from agenthub_events.task_ids import kind_of
from tests.simulation.checks import Violated


def of_forks(log: Sequence[Recorded]) -> Iterator[Violated]:
    """A fork says once what its parent had, in the same words, and orders nothing before."""
    for recorded in log:
        if isinstance(recorded.event, GoalAccepted) and recorded.event.fork is not None:
            goal_id = recorded.subject.split(".")[1]
            own = [other for other in log if other.subject.split(".")[1] == goal_id]
            parents = [
                other
                for other in log[: recorded.event.fork.at_seq]
                if other.subject.split(".")[1] == recorded.event.fork.goal_id
            ]
            yield from _of_fork(recorded.event.fork, own, parents)


def _of_fork(fork: Fork, own: Sequence[Recorded], parents: Sequence[Recorded]) -> Iterator[Violated]:
    said = [_merge(r.event) for r in own if isinstance(r.event, MergeDone)]
    meant = [_merge(r.event) for r in _whole(parents) if isinstance(r.event, MergeDone)]
    if said[: len(meant)] != meant[: len(said)]:
        yield Violated("fork branch", f"{own[0].subject} has another branch than {fork.goal_id} at {fork.at_seq}")
    done = {r.subject.split(".")[2]: r.event for r in parents if isinstance(r.event, (TaskCompleted, TaskSkipped))}
    first_order = next((r.seq for r in own if isinstance(r.event, TaskEnqueued)), own[-1].seq + 1)
    if first_order > own[-1].seq:
        return
    if len(said) < len(meant):
        yield Violated("fork order", f"{own[0].subject} orders at {first_order} before its branch stands")
    for ended in fork.ended:
        event = next((r for r in own if _ends(r, ended.task_id)), None)
        if event is None or (event.seq > first_order and not isinstance(event.event, TaskCancelled)):
            yield Violated(
                "fork order", f"{own[0].subject} orders at {first_order} before {ended.task_id} is over"
            )
        elif isinstance(event.event, TaskCompleted):
            theirs = done.get(ended.task_id)
            if not isinstance(theirs, TaskCompleted) or theirs.result != event.event.result:
                yield Violated("fork result", f"{ended.task_id} of {own[0].subject} is not as in {fork.goal_id}")
    kept = {ended.task_id for ended in fork.ended}
    cancelled = any(isinstance(r.event, TaskCancelled) for r in parents)
    work = {task_id for task_id in done if kind_of(task_id) in ("work", "prepare")}
    if not cancelled and work - kept:
        yield Violated("fork lost", f"{own[0].subject} lacks {sorted(work - kept)} of {fork.goal_id}")


def _whole(parents: Sequence[Recorded]) -> Sequence[Recorded]:
    """Without a merge at the end whose task ends with the next event, of the same write: a fork makes it anew."""
    last = parents[-1] if parents else None
    if last is None or not isinstance(last.event, MergeDone) or last.event.origin == "base":
        return parents
    return parents if any(_ends(r, last.event.task_id) for r in parents) else parents[:-1]


def _merge(event: MergeDone) -> InheritedMerge:
    return msgspec.convert(msgspec.to_builtins(event), InheritedMerge)


def _ends(recorded: Recorded, task_id: str) -> bool:
    return recorded.subject.split(".")[2] == task_id and isinstance(
        recorded.event, (TaskCompleted, TaskSkipped, TaskCancelled)
    )
