"""The goals that a follower holds in memory: the fold, and what is on its way because of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from agenthub_events.base import Draft
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.errors import InvalidSubject
from agenthub_events.ports import FiredTimer, Recorded
from agenthub_events.rules.authors import is_foreign
from agenthub_events.rules.goal_aggregate import TERMINAL
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.subjects import HUB, parse_subject
from agenthub_orchestrator.domain import DecisionInputs, Fired, GoalState, apply, to_metadata
from agenthub_orchestrator.domain.quarantined import Quarantined
from agenthub_runtime.telemetry.goal_trace import CALLER

log = structlog.get_logger(__name__)

ACTOR = "orchestrator"


@dataclass(slots=True)
class Sent:
    """An event on its way. It counts as in flight until the fold has reached `until` (0: no answer yet)."""

    event_id: str
    until: int = 0


@dataclass(slots=True)
class HeldGoal:
    """One goal. Nobody decides for it while it is `broken`: its log cannot be folded by this code.

    `last_own` is the last event of ours in each aggregate that the fold has reached, `failures` how many decisions
    have failed in a row, and `given_up` what people were told about either. `began` is when the goal was accepted,
    `caller` the trace that the request for it came with.
    """

    state: GoalState
    in_flight: dict[str, Sent] = field(default_factory=dict)
    fired: dict[Fired, FiredTimer] = field(default_factory=dict)
    cause: str = ""
    traceparent: str = ""
    began: datetime | None = None
    caller: str = ""
    broken: bool = False
    last_own: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    given_up: Quarantined | None = None
    is_told: bool = False


def rests(goal: HeldGoal) -> bool:
    """Whether nothing is to be decided any more, or never was: foreign messages make no goal."""
    over = goal.state.aggregate.phase in TERMINAL or goal.state.aggregate.phase == "unknown"
    return over and not (goal.in_flight or goal.fired)


def is_repeated(goal: HeldGoal, draft: Draft) -> bool:
    """Whether the fold has reached this very event, and calls for it all the same: it would do so for ever."""
    return goal.last_own.get(draft.originator_id) == draft.event_id


def metadata_of(goal: HeldGoal, draft: Draft, inputs: DecisionInputs) -> dict[str, str]:
    """What is written beside a decided event: who decided, because of what, and from which inputs."""
    metadata = {
        "actor": ACTOR,
        "causation_id": goal.cause,
        "correlation_id": goal.state.goal_id,
        **to_metadata(inputs),
    }
    for fired in inputs.fired:
        if fired.task_id == draft.task_id:
            metadata["input"] = f"timer:{fired.kind}"
    return metadata


@contextmanager
def contained(what: str, **about: object) -> Iterator[list[Exception]]:
    """Keep what fails for one goal from stopping the others; afterwards it stands in the list."""
    failed: list[Exception] = []
    try:
        yield failed
    except Exception as error:
        failed.append(error)
        log.exception(what, **about)


def _begins(recorded: Recorded) -> bool:
    """Whether it is the first event of a goal, or one that nobody can read and that is marked as such."""
    return isinstance(recorded.event, GoalAccepted | Unreadable)


def fold(goal: HeldGoal, recorded: Recorded) -> None:
    """Take one more message in."""
    try:
        aggregate = parse_subject(recorded.subject).originator_id
    except InvalidSubject as error:
        log.warning("foreign_message", seq=recorded.seq, reason=str(error))
        return
    foreign = is_foreign(recorded, goal.state.authors.types)
    if foreign:
        log.warning(
            "foreign_event", seq=recorded.seq, subject=recorded.subject, why="no task of its writer's type"
        )
    if goal.state.aggregate.phase == "unknown" and goal.state.goal_id != HUB and not _begins(recorded):
        log.warning("foreign_event", seq=recorded.seq, subject=recorded.subject, why="nobody submitted its goal")
    if not goal.broken:
        with contained("goal_not_foldable", goal_id=goal.state.goal_id, seq=recorded.seq) as failed:
            apply(goal.state, recorded)
        if failed:
            # Nobody decides for it.
            goal.broken = True
            words = f"{type(failed[0]).__name__}: {failed[0]}"
            reason = f"the goal stands still, its log cannot be folded: {words}"
            goal.given_up = Quarantined(aggregate, goal.state.goal_id, recorded.seq, reason)
            return
    # A foreign one may carry any id, that of an event of ours among them.
    event_id = "" if foreign or isinstance(recorded.event, Unreadable) else recorded.event.event_id
    goal.cause = event_id or goal.cause
    if isinstance(recorded.event, GoalAccepted):
        goal.began = recorded.event.timestamp
        goal.caller = recorded.event.metadata.get(CALLER, "")
    if not foreign:
        goal.traceparent = recorded.headers.get("traceparent") or goal.traceparent
    sent = goal.in_flight.get(aggregate)
    if sent is not None and sent.event_id == event_id:
        goal.last_own[aggregate] = event_id
    if sent is not None and (sent.event_id == event_id or 0 < sent.until <= recorded.seq):
        del goal.in_flight[aggregate]
