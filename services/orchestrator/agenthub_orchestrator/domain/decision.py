"""One decision in the making: its inputs, and the drafts that it has come to."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime

from agenthub_events.base import Draft, Event
from agenthub_events.rules import goal_aggregate
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_orchestrator.domain.due import Charge, Due, Fired
from agenthub_orchestrator.domain.policy import Policy
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.task import TaskState
from agenthub_orchestrator.domain.state.timer_refs import may_start


class Decision:
    """Collects what is due, at most one draft for each aggregate; an aggregate in flight takes none."""

    def __init__(
        self,
        state: GoalState,
        now: datetime,
        fired: AbstractSet[Fired],
        policy: Policy,
        in_flight: AbstractSet[str],
    ) -> None:
        self.state = state
        self.now = now
        self.fired = fired
        self.policy = policy
        self.dues: list[Due] = []
        self.may_start = may_start(state)
        self.room = policy.max_open_orders - len(state.open) - len(in_flight)
        self._taken = set(in_flight)

    def has_fired(self, kind: str, task_id: str, ref: str) -> bool:
        """Whether this very timer is among the inputs."""
        return bool(self.fired) and Fired(kind, task_id, ref) in self.fired

    def is_free(self, task_id: str) -> bool:
        """Whether the task's aggregate can still take a draft; one that nobody can read takes none."""
        known = self.state.tasks.get(task_id)
        if known is not None and known.unreadable_seq:
            return False
        return f"{self.state.goal_id}.{task_id}" not in self._taken

    def write(
        self,
        task_id: str,
        event: Event,
        ordinal: str,
        *,
        route: tuple[str, ...] = (),
        context: bytes | None = None,
    ) -> bool:
        """Put an event of a task into the decision; False when its aggregate takes none now."""
        if not self.is_free(task_id):
            return False
        fence = self.state.task_fence(task_id)
        return self._put(fence.draft(self.state.goal_id, task_id, event, ordinal, route=route), context)

    def write_goal(self, event: Event, ordinal: str) -> bool:
        """Put an event of the goal's own family into the decision; False when it takes none now."""
        if "goal" in self.state.unreadable:
            return False
        return self._put(goal_aggregate.draft(self.state.aggregate, event, ordinal))

    def write_family(
        self,
        family: str,
        event: Event,
        ordinal: str,
        *,
        charge: Charge | None = None,
        context: bytes | None = None,
    ) -> bool:
        """Put an event of another family; False when it takes none now.

        One that nobody can read takes none: what is written there is not folded, and would be due again for ever.
        """
        if family in self.state.unreadable:
            return False
        fence = self.state.fence(family)
        return self._put(fence.draft(self.state.goal_id, GOAL_AS_A_WHOLE, event, ordinal), context, charge)

    def _put(self, draft: Draft, context: bytes | None = None, charge: Charge | None = None) -> bool:
        aggregate = draft.originator_id
        if aggregate in self._taken:
            return False
        self._taken.add(aggregate)
        self.dues.append(Due(draft, context, charge))
        return True

    def tasks(self, ids: dict[str, None]) -> list[TaskState]:
        """The tasks of one of the state's ordered sets, in its order."""
        known = self.state.tasks
        return [known[task_id] for task_id in ids]
