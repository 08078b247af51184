"""A goal's own events: what commands are checked against."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agenthub_events.base import UNWRITTEN, Event, type_of
from agenthub_events.catalogue.goal import GoalAccepted, GoalPlanned, GoalReplanned
from agenthub_events.catalogue.values import PlannedTask
from agenthub_events.errors import CommandRefused, InvalidSubject, StoreUnavailable
from agenthub_events.ports import EventLog, Recorded
from agenthub_events.rules import goal_aggregate
from agenthub_events.rules.goal_aggregate import GoalAggregate
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.subjects import GOAL_AS_A_WHOLE, check_goal_id
from agenthub_gateway.commands.append import Origin
from agenthub_gateway.errors import NotFound
from agenthub_runtime.telemetry.goal_trace import CALLER


class GoalEvents(msgspec.Struct, frozen=True):
    """The messages of `evt.<goal>._.goal.>` and their fold."""

    aggregate: GoalAggregate
    records: tuple[Recorded, ...] = ()

    @property
    def goal_id(self) -> str:
        """The goal."""
        return self.aggregate.goal_id

    @property
    def origin(self) -> Origin:
        """The trace that began with the goal."""
        first = self.records[0]
        since = first.event.timestamp if isinstance(first.event, Event) else UNWRITTEN
        secrets_ref = first.event.secrets_ref if isinstance(first.event, GoalAccepted) else ""
        caller = first.event.metadata.get(CALLER, "") if isinstance(first.event, Event) else ""
        return Origin(first.headers.get("traceparent", ""), since, secrets_ref, caller)

    def extended(self, tail: Sequence[Recorded]) -> GoalEvents:
        """The family after more messages. Raises `CommandRefused` when one cannot be read."""
        aggregate = self.aggregate
        for recorded in tail:
            if isinstance(recorded.event, Unreadable):
                raise CommandRefused(
                    "goal-frozen",
                    f"Event {recorded.seq} of goal `{self.goal_id}` cannot be read ({recorded.event.reason}): "
                    "nothing is decided about this goal until it can",
                )
            aggregate = goal_aggregate.evolve(aggregate, recorded.seq, recorded.event)
        return GoalEvents(aggregate, (*self.records, *tail))

    def tasks(self) -> dict[str, PlannedTask]:
        """The planned graph as it stands: task id to task."""
        graph: dict[str, PlannedTask] = {}
        for recorded in self.records:
            event = recorded.event
            if isinstance(event, GoalPlanned):
                graph = {task.task_id: task for task in event.tasks}
            elif isinstance(event, GoalReplanned):
                for task_id in event.dropped:
                    graph.pop(task_id, None)
                graph |= {task.task_id: task for task in event.added}
        return graph

    def last_of(self, kind: type) -> Recorded | None:
        """The newest event of a kind."""
        name = type_of(kind)
        return next((r for r in reversed(self.records) if getattr(r.event, "type", "") == name), None)


async def load_goal_events(log: EventLog, goal_id: str) -> GoalEvents:
    """Read a goal's own events.

    Raises `NotFound`, `CommandRefused` when the goal is frozen, and `StoreUnavailable`.
    """
    unknown = NotFound(f"There is no goal `{goal_id[:60]}`")
    try:
        check_goal_id(goal_id)
    except InvalidSubject:
        raise unknown from None
    family = f"{goal_id}.{GOAL_AS_A_WHOLE}.goal"
    records = await log.read(family)
    if not records:
        # A replica may lag behind; what the leader has is not unknown.
        if await log.last(family) is None:
            raise unknown
        raise StoreUnavailable(f"Goal `{goal_id}` is in the log and cannot be read at this moment: ask again")
    return GoalEvents(goal_aggregate.initial(goal_id)).extended(records)
