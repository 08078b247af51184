"""Orders that wait in the queues, judged by what the queues and the workers say of themselves.

Pure: what was seen comes in, inputs of the decider go out. None of this is written down but what the decider makes
of it, so a wrong guess costs a second copy of an order at most: who claims it shuts the other one out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

import msgspec

from agenthub_orchestrator.domain.due import Fired
from agenthub_orchestrator.domain.policy import Policy
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.timer_refs import order_ref

LOST_AFTER_S = 20.0

K = TypeVar("K")

Lane: TypeAlias = tuple[str, str]
"""Agent type and lane."""


class QueuedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order whose attempt is open. `claimed`: a worker has taken it. `ref` names the order and its claim.

    `attempt_key` is the attempt as workers name what they hold.
    """

    goal_id: str
    task_id: str
    agent_type: str
    lane: str
    seq: int
    at: datetime
    claimed: bool
    ref: str
    attempt_key: str


class LaneView(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of a lane: every order up to `acked` is acknowledged, up to `delivered` given out.

    `held` counts those given out and not acknowledged. While it is `paused` it gives nothing out.
    """

    acked: int
    delivered: int
    held: int
    paused: bool = False


class Workers(msgspec.Struct, frozen=True, kw_only=True):
    """The agent types that are served, the attempts that living workers hold, and why others could not start."""

    served: frozenset[str]
    holding: frozenset[str] = frozenset()
    problems: Mapping[str, str] = {}


class QueueWatch:
    """Remembers since when an order looks lost or unserved: one look proves nothing."""

    def __init__(self) -> None:
        self._lost: dict[str, float] = {}
        self._unserved: dict[int, float] = {}
        self._paused_at: dict[Lane, float] = {}

    def look(
        self,
        orders: Sequence[QueuedOrder],
        lanes: Mapping[Lane, LaneView],
        workers: Workers,
        *,
        now: datetime,
        monotonic: float,
        policy: Policy,
    ) -> list[tuple[str, Fired]]:
        """By goal, what the decider has to know. `monotonic` are seconds on any clock that never goes back."""
        # A queue that people hold back is no reason to ask them why nobody takes its orders.
        self._paused_at.update({lane: monotonic for lane, view in lanes.items() if view.paused})
        waiting = [order for order in orders if not order.claimed and not _is_paused(order, lanes)]
        lost = {order.ref for order in _lost(orders, lanes, workers.holding)}
        unserved = {order.seq for order in waiting if order.agent_type not in workers.served}
        self._lost = _since(self._lost, lost, monotonic)
        self._unserved = _since(self._unserved, unserved, monotonic)
        found = []
        for order in orders:
            if monotonic - self._lost.get(order.ref, monotonic) >= LOST_AFTER_S:
                found.append((order.goal_id, Fired("lost", order.task_id, order.ref)))
            elif order.claimed or _is_paused(order, lanes):
                continue
            elif monotonic - self._unserved.get(order.seq, monotonic) >= policy.stall_after_s:
                hindered = workers.problems.get(order.agent_type, "")
                found.append((order.goal_id, Fired("unserved", order.task_id, str(order.seq), hindered)))
            elif self._waited(order, now, monotonic) >= timedelta(seconds=policy.queue_age_s):
                found.append((order.goal_id, Fired("queued", order.task_id, str(order.seq))))
        return found

    def _waited(self, order: QueuedOrder, now: datetime, monotonic: float) -> timedelta:
        """How long the order could have been taken: what it waited for a paused lane does not count."""
        age = now - order.at
        paused_at = self._paused_at.get((order.agent_type, order.lane))
        return age if paused_at is None else min(age, timedelta(seconds=monotonic - paused_at))


def _is_paused(order: QueuedOrder, lanes: Mapping[Lane, LaneView]) -> bool:
    view = lanes.get((order.agent_type, order.lane))
    return view is not None and view.paused


def queued_orders(state: GoalState) -> Iterator[QueuedOrder]:
    """The orders of a goal that no event has closed yet."""
    for task_id in state.open:
        task = state.tasks[task_id]
        if task.order is not None and not task.unreadable_seq:
            yield QueuedOrder(
                goal_id=state.goal_id,
                task_id=task_id,
                agent_type=task.order.agent_type,
                lane=task.order.lane,
                seq=task.order_seq,
                at=task.order.timestamp,
                claimed=task.word != "enqueued",
                ref=order_ref(task),
                attempt_key=f"{state.goal_id}.{task_id}.{task.attempt}",
            )


def _since(before: Mapping[K, float], now: Collection[K], at: float) -> dict[K, float]:
    return {key: before.get(key, at) for key in now}


def _lost(
    orders: Sequence[QueuedOrder], lanes: Mapping[Lane, LaneView], holding: Collection[str]
) -> Iterator[QueuedOrder]:
    """Orders that no living worker works on, and that their lane neither holds nor still has to give out.

    As far as its numbers tell. A worker that says nothing any more is dead or ends itself, and the log shuts it
    out of what is ordered again.
    """
    by_lane: dict[Lane, list[QueuedOrder]] = {}
    for order in orders:
        by_lane.setdefault((order.agent_type, order.lane), []).append(order)
    for lane, inside in by_lane.items():
        view = lanes.get(lane)
        if view is None:
            # Its consumer is gone and will be declared anew: then everything is given out again.
            continue
        left = [order for order in inside if not order.claimed or order.attempt_key not in holding]
        yield from (order for order in left if order.seq <= view.acked)
        given_out = [order for order in inside if view.acked < order.seq <= view.delivered]
        if view.held < len(given_out):
            # Some of them were acknowledged, and nobody can say which.
            yield from (order for order in left if view.acked < order.seq <= view.delivered)
