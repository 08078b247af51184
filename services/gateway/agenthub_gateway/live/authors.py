"""Whether what passes in the live feed was written by a worker that does the task which it is about."""

from __future__ import annotations

from collections import OrderedDict

from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.errors import InvalidSubject
from agenthub_events.ports import EventLog, Recorded
from agenthub_events.rules.authors import author_of, is_foreign
from agenthub_events.subjects import GOAL_AS_A_WHOLE, parse_subject

_KEPT = 10_000


class TaskTypes:
    """The agent types of tasks that were ordered lately; of any other the log is asked."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._types: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def takes(self, recorded: Recorded) -> bool:
        """Take one more message in, in the order of the log; False for a foreign one.

        Raises `StoreUnavailable`.
        """
        try:
            subject = parse_subject(recorded.subject)
        except InvalidSubject:
            return True
        if isinstance(recorded.event, TaskEnqueued):
            self._keep((subject.goal_id, subject.task_id), recorded.event.agent_type)
        if not author_of(subject):
            return True
        task_id = subject.task_id
        if task_id == GOAL_AS_A_WHOLE:
            task_id = getattr(recorded.event, "task_id", "")
        return not is_foreign(recorded, {task_id: await self._type_of(subject.goal_id, task_id, recorded.seq)})

    async def _type_of(self, goal_id: str, task_id: str, before: int) -> str:
        place = (goal_id, task_id)
        if place not in self._types:
            orders = [
                told.event.agent_type
                for told in await self._log.read(f"{goal_id}.{task_id}.task.enqueued")
                if told.seq < before and isinstance(told.event, TaskEnqueued)
            ]
            self._keep(place, orders[-1] if orders else "")
        return self._types[place]

    def _keep(self, place: tuple[str, str], agent_type: str) -> None:
        self._types[place] = agent_type
        self._types.move_to_end(place)
        while len(self._types) > _KEPT:
            self._types.popitem(last=False)
