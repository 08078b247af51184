"""The rows of one goal as a fold of its events: pure, so that rows are the same whenever they are made."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agenthub_events.base import Event
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import money
from agenthub_events.catalogue import notification as n
from agenthub_events.catalogue import operations as ops
from agenthub_events.catalogue import schedule as sch
from agenthub_events.catalogue import task as t
from agenthub_events.errors import InvalidSubject
from agenthub_events.ports import Recorded
from agenthub_events.rules.authors import is_foreign
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.subjects import GOAL_AS_A_WHOLE, parse_subject
from agenthub_orchestrator.domain.quarantined import Quarantined
from agenthub_orchestrator.domain.state.fold import apply
from agenthub_orchestrator.domain.state.status import derived_status, is_settled
from agenthub_orchestrator.projector import on_goal, on_hub, on_task
from agenthub_orchestrator.projector.rows import ID_MAX, GoalRows, Handlers
from agenthub_runtime.readmodels.rows import DeadLetterRow, Row, TimelineRow
from agenthub_runtime.timeline.renderer import TimelineRenderer

BODY_MAX = 64_000

HANDLERS: Handlers = {**on_goal.HANDLERS, **on_task.HANDLERS, **on_hub.HANDLERS}

IGNORED: frozenset[type[Event]] = frozenset(
    {
        # What they change is read off the fold.
        g.GoalPlanRejected,
        g.GoalPlanApproved,
        g.GoalApproved,
        g.GoalTestsRequested,
        g.GoalDeadlinePassed,
        g.GoalBudgetRaised,
        g.GoalReprioritized,
        g.GoalErased,
        # No row shows them but, for some, a line of the story.
        g.SealRecorded,
        t.TaskProposed,
        t.TaskNoted,
        money.BudgetReserved,
        money.BudgetSettled,
        money.BudgetExceeded,
        n.NotificationPlanned,
        n.NotificationSent,
        n.NotificationFailed,
        n.NotificationChannelOpened,
        n.NotificationChannelClosed,
        # Readers ask the log itself for them.
        ops.MaintenanceStarted,
        ops.MaintenanceEnded,
        ops.QueuePaused,
        ops.QueueResumed,
        sch.ScheduleAdded,
        sch.SchedulePaused,
        sch.ScheduleResumed,
        sch.ScheduleRemoved,
        sch.ScheduleRan,
        sch.ScheduleTriggered,
        sch.ScheduleSkipped,
    }
)
"""Events that no handler takes in."""

_NOTHING: Mapping[str, Quarantined] = MappingProxyType({})
_COUNTED = {
    "done": "tasks_done",
    "skipped": "tasks_done",
    "enqueued": "tasks_queued",
    "in_progress": "tasks_running",
    "blocked": "tasks_blocked",
    "failed": "tasks_failed",
    "timed_out": "tasks_failed",
    "dead_lettered": "tasks_failed",
}


class GoalProjection(GoalRows):
    """Everything that readers see of one goal. `apply` takes events in, `drain` gives the changed rows out.

    A message that cannot be read, or that the fold cannot take, parks its aggregate: it becomes a dead letter, and
    what follows in the same aggregate stays out of the rows, since it may build on what nobody has understood.
    So does one in `quarantine`, whose rows could not be written (by aggregate; a goal's id is all of the goal).
    """

    def __init__(self, goal_id: str, quarantine: Mapping[str, Quarantined] = _NOTHING) -> None:
        super().__init__(goal_id)
        self._narrator = TimelineRenderer()
        self._quarantine = quarantine

    def apply(self, recorded: Recorded) -> None:
        """Take one more message of the goal in, in the order of the log."""
        if self._is_out(recorded):
            return
        self.goal.events += 1
        self.goal.last_seq = recorded.seq
        try:
            subject = parse_subject(recorded.subject)
        except InvalidSubject as error:
            self._park(recorded, GOAL_AS_A_WHOLE, recorded.subject, str(error))
            return
        aggregate, event = subject.originator_id, recorded.event
        if parked := self.parked.get(aggregate):
            parked.skipped += 1
            self.touch(parked)
        foreign = is_foreign(recorded, self.state.authors.types)
        try:
            apply(self.state, recorded)
            if parked or foreign:
                pass
            elif isinstance(event, Unreadable):
                self._park(recorded, subject.task_id, aggregate, event.reason)
            elif unwritten := self._unwritten(aggregate, recorded.seq):
                self._park(recorded, subject.task_id, aggregate, unwritten.reason, kind="unwritable")
            else:
                self._take(recorded, event)
            self._follow_status(subject.task_id)
        except Exception as error:  # a fold that fails on one message must not stop all projections
            if aggregate not in self.parked:
                self._park(recorded, subject.task_id, aggregate, f"{type(error).__name__}: {error}")

    def _is_out(self, recorded: Recorded) -> bool:
        """Whether the goal as a whole stays as it was before this message."""
        unwritten = self._unwritten(self.goal.goal_id, recorded.seq)
        if unwritten is None:
            return False
        if parked := self.parked.get(unwritten.aggregate):
            parked.skipped += 1
            self.touch(parked)
        else:
            self._park(recorded, GOAL_AS_A_WHOLE, unwritten.aggregate, unwritten.reason, kind="unwritable")
        return True

    def _unwritten(self, aggregate: str, seq: int) -> Quarantined | None:
        found = self._quarantine.get(aggregate)
        return found if found is not None and seq >= found.seq else None

    def drain(self) -> list[Row]:
        """The rows that have changed since the last call."""
        self._close_questions()
        if self.goal.first_seq:
            self._sum_up()
            self.touch(self.goal)
        return self.changed()

    def _take(self, recorded: Recorded, event: Event) -> None:
        self.goal.updated_at = event.timestamp
        handler = HANDLERS.get(type(event))
        if handler is not None:
            handler(self, recorded.seq, event)
        line = self._narrator.tell(recorded)
        if line is not None:
            self.touch(
                TimelineRow(
                    seq=line.seq,
                    goal_id=self.goal.goal_id,
                    task_id=parse_subject(recorded.subject).task_id,
                    type=event.type,
                    at=line.time,
                    component=line.component,
                    text=line.text,
                    last_seq=line.last_seq,
                )
            )

    def _follow_status(self, task_id: str) -> None:
        task = self.state.tasks.get(task_id)
        row = self.tasks.get(task_id)
        if task is None or row is None or row.status == task.word:
            return
        self._count(row.status, -1)
        self._count(task.word, 1)
        row.status = task.word
        self.touch(row)

    def _count(self, word: str, by: int) -> None:
        name = _COUNTED.get(word)
        if name is not None:
            setattr(self.goal, name, getattr(self.goal, name) + by)

    def _close_questions(self) -> None:
        for seq in [seq for seq in self.questions if seq not in self.state.questions]:
            row = self.questions.pop(seq)
            if row.state == "open":
                row.state = "gone"
                self.touch(row)

    def _sum_up(self) -> None:
        goal, aggregate = self.goal, self.state.aggregate
        goal.status = derived_status(self.state)
        goal.paused_by = aggregate.paused_by
        goal.revision = aggregate.revision
        goal.plan_approved = aggregate.plan_approved
        goal.ready_seq = aggregate.ready_seq
        goal.rework_round = aggregate.rework_round
        goal.priority = aggregate.priority
        goal.max_llm_calls = aggregate.max_llm_calls
        goal.max_cost_usd = aggregate.max_cost_usd
        goal.head = self.state.head
        goal.open_questions = len(self.questions)
        goal.settled = is_settled(self.state)
        waits = goal.autonomy == "approve_plan" and aggregate.planned and not aggregate.plan_approved
        goal.needs_you = goal.status == "ready_for_review" or (
            self.state.alive and (waits or bool(self.questions))
        )

    def _park(
        self, recorded: Recorded, task_id: str, aggregate: str, reason: str, *, kind: str = "unreadable"
    ) -> None:
        event = recorded.event
        body = event.data.decode(errors="replace") if isinstance(event, Unreadable) else ""
        row = DeadLetterRow(
            dead_letter_id=f"dl-{recorded.seq}",
            kind=kind,
            goal_id=self.goal.goal_id,
            task_id=task_id[:ID_MAX],
            reason=reason,
            subject=recorded.subject[:BODY_MAX],
            aggregate=aggregate,
            body=body[:BODY_MAX],
            seq=recorded.seq,
            at=None if isinstance(event, Unreadable) else event.timestamp,
        )
        self.parked[aggregate] = row
        self.touch(row)
