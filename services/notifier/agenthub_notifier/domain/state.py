"""The fold: what people are still to be told of, and who has been."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue import agent as a
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import money as m
from agenthub_events.catalogue import notification as n
from agenthub_events.errors import InvalidInput
from agenthub_events.notifications.recipients import Recipient, parse_recipient
from agenthub_events.ports import Recorded
from agenthub_events.rules.authors import Authors
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB, parse_subject
from agenthub_notifier.domain.standing import changes_check, commit_brought, follows_ref

SUBJECTS = (
    "evt.*._.goal.>",
    "evt.*.*.agent.>",
    "evt.*.*.task.enqueued.>",
    "evt.*.*.task.completed",
    "evt.*.*.task.completed.>",
    "evt.*._.budget.exceeded",
    "evt.*.*.notification.>",
)
"""What the fold has to see of the log. Orders say who may ask about which task."""

CHANNELS = f"{HUB}.{GOAL_AS_A_WHOLE}.notification"
"""The aggregate that says who is told by the hub."""

_OF_CHANNELS = (n.NotificationChannelOpened, n.NotificationChannelClosed)

WAITING: frozenset[n.NotificationKind] = frozenset({"question", "reminder", "plan", "review"})
"""Kinds that stop mattering once a person has acted."""

FOR_CHECKS: frozenset[n.NotificationKind] = frozenset({"progress", "cancelled"})
"""Kinds of which people are told nothing: they change the check of a commit."""


@dataclass(slots=True)
class Matter:
    """Something that people are to be told. `question` is the sequence of the question that it is about (0: none),
    `told` the names of those for whom a notification is planned."""

    occasion: n.Occasion
    at: datetime
    question: int = 0
    level: int = 0
    told: set[str] = field(default_factory=set)

    @property
    def waits(self) -> bool:
        """Whether work stands still until a person acts."""
        return self.occasion.kind in WAITING


@dataclass(slots=True)
class FollowedGoal:
    """What is known of a goal: its own recipients, how urgent it is, and its `matters` by sequence.

    `authors` knows of the orders of its tasks. `has_commit`: it began with a commit that a check can be about;
    `follows`: it will be known which, once its repository has been brought in.
    """

    recipients: tuple[Recipient, ...] = ()
    urgent: bool = False
    approves_plan: bool = False
    has_commit: bool = False
    follows: bool = False
    matters: dict[int, Matter] = field(default_factory=dict)
    authors: Authors = field(default_factory=Authors)

    def of(self, kind: n.NotificationKind) -> list[Matter]:
        """The matters of one kind."""
        return [matter for matter in self.matters.values() if matter.occasion.kind == kind]

    def forget(self, matters: Iterable[Matter]) -> None:
        """Nobody needs to be told of these any more."""
        for matter in list(matters):
            del self.matters[matter.occasion.seq]


@dataclass(slots=True)
class NotifierState:
    """`open` are the goals with matters. `opened` says since which sequence a recipient of the hub is told,
    `closed` who is told nothing more, `channels` where the record of both ends."""

    goals: dict[str, FollowedGoal] = field(default_factory=dict)
    open: dict[str, FollowedGoal] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    channels: Fence = field(default_factory=Fence)
    last_seq: int = 0


def apply(state: NotifierState, recorded: Recorded) -> None:
    """Take one more message in; what cannot be read says nothing to people."""
    if recorded.seq <= state.last_seq:
        return
    state.last_seq = recorded.seq
    subject = parse_subject(recorded.subject)
    event = recorded.event
    if isinstance(event, Unreadable):
        if subject.originator_id == CHANNELS:
            state.channels = state.channels.moved(recorded.seq)
        return
    if isinstance(event, g.GoalAccepted):
        state.goals[subject.goal_id] = _followed(event)
    if subject.goal_id in state.goals:
        goal = state.goals[subject.goal_id]
        if not goal.authors.takes(recorded):
            return
        _about_goal(goal, _Place(subject.goal_id, subject.task_id, recorded.seq), event)
        if goal.matters:
            state.open[subject.goal_id] = goal
        else:
            state.open.pop(subject.goal_id, None)
    note(state, recorded.seq, event)


class _Place(NamedTuple):
    goal_id: str
    task_id: str
    seq: int


def _followed(event: g.GoalAccepted) -> FollowedGoal:
    return FollowedGoal(
        recipients=tuple(_readable(event.notify)),
        urgent=event.priority == "urgent",
        approves_plan=event.autonomy == "approve_plan",
        has_commit=bool(event.base_commit),
        follows=follows_ref(event),
    )


def _readable(texts: tuple[str, ...]) -> Iterator[Recipient]:
    for text in texts:
        try:
            yield parse_recipient(text)
        except InvalidInput:
            continue  # the gateway refuses such; an old log may hold one all the same


def _about_goal(goal: FollowedGoal, place: _Place, event: Event) -> None:  # noqa: C901, PLR0912  one line a fact
    match event:
        case a.AgentBlocked():
            _add(goal, "question", place, event, question=place.seq)
        case a.AgentEscalated(blocked_seq=asked, level=level):
            goal.forget([reminder for reminder in goal.of("reminder") if reminder.question == asked])
            _add(goal, "reminder", place, event, question=asked, level=level)
        case a.AgentAnswered(blocked_seq=asked):
            goal.forget([matter for matter in goal.matters.values() if matter.question == asked])
        case g.GoalPlanned() | g.GoalReplanned():
            goal.forget(goal.of("review"))
            if goal.approves_plan and not goal.of("plan"):
                _add(goal, "plan", place, event)
        case g.GoalPlanApproved():
            goal.approves_plan = False
            goal.forget(goal.of("plan"))
        case g.GoalReadyForReview():
            goal.forget(goal.of("review"))
            _add(goal, "review", place, event)
        case g.GoalApproved():
            goal.forget(goal.of("review"))
        case g.GoalReworkRequested(priority=priority):
            goal.forget(goal.of("review"))
            goal.urgent = priority == "urgent"
        case g.GoalReprioritized(priority=priority):
            goal.urgent = priority == "urgent"
        case g.GoalStalled():
            _add(goal, "stalled", place, event)
        case m.BudgetExceeded():
            _add(goal, "budget", place, event)
        case g.GoalCompleted() | g.GoalFailed() | g.GoalCancelled():
            _end(goal, place, event)
        case _:
            pass
    begins = goal.follows and not goal.has_commit and bool(commit_brought(place.task_id, event))
    goal.has_commit = goal.has_commit or begins
    if begins or (goal.has_commit and changes_check(place.task_id, event)):
        goal.forget(goal.of("progress"))
        if place.seq not in goal.matters:
            _add(goal, "progress", place, event)


def _end(goal: FollowedGoal, place: _Place, event: Event) -> None:
    goal.forget(goal.matters.values())
    goal.authors.types.clear()
    if isinstance(event, g.GoalCompleted):
        _add(goal, "completed", place, event)
    elif isinstance(event, g.GoalFailed):
        _add(goal, "failed", place, event)
    elif goal.has_commit:
        _add(goal, "cancelled", place, event)


def note(state: NotifierState, seq: int, event: Event) -> None:
    """Take in what was planned, and whose channel was opened or closed; the same once more changes nothing."""
    if isinstance(event, _OF_CHANNELS) and seq > state.channels.seq:
        state.channels = state.channels.moved(seq)
    match event:
        case n.NotificationPlanned(occasions=occasions, recipient=recipient):
            for occasion in occasions:
                goal = state.open.get(occasion.goal_id)
                if goal is not None and (matter := goal.matters.get(occasion.seq)):
                    matter.told.add(recipient)
        case n.NotificationChannelOpened(recipient=recipient):
            state.opened[recipient] = seq
            state.closed.discard(recipient)
        case n.NotificationChannelClosed(recipient=recipient):
            state.closed.add(recipient)
        case _:
            pass


def _add(
    goal: FollowedGoal,
    kind: n.NotificationKind,
    place: _Place,
    event: Event,
    *,
    question: int = 0,
    level: int = 0,
) -> None:
    occasion = n.Occasion(kind=kind, goal_id=place.goal_id, seq=place.seq, task_id=place.task_id)
    goal.matters[place.seq] = Matter(occasion, event.timestamp, question, level)
