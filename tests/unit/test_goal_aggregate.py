"""What people may do to a goal, and what has been done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue.values import Constraints, Estimates, PlanTask
from agenthub_events.errors import CommandRefused
from agenthub_events.rules import goal_aggregate, goal_commands
from agenthub_events.rules.goal_aggregate import EVENT_OF, TERMINAL, GoalAggregate
from agenthub_events.rules.goal_commands import (
    Approve,
    ApprovePlan,
    Cancel,
    EditPlan,
    GoalCommand,
    Pause,
    RaiseBudget,
    Reprioritize,
    RequestTests,
    Resume,
    Rework,
)
from agenthub_events.rules.requirements import DEFAULT_LLM_CALLS, DEFAULT_MAX_COST_USD
from tests.support.event_samples import GOAL, STAMP
from tests.support.event_strategies import structs
from tests.support.properties import untimed

HEAD = "b" * 40


class Goal:
    """A goal's own family as the log holds it, and its fold."""

    def __init__(self, *facts: Event) -> None:
        self.aggregate: GoalAggregate = goal_aggregate.initial(GOAL)
        self.log: list[Event] = []
        for number, fact in enumerate(facts):
            self.happens(fact, f"fact-{number}")

    def happens(self, fact: Event, ordinal: str) -> None:
        made = goal_aggregate.draft(self.aggregate, fact, ordinal)
        stored = made.sealed(STAMP.now, STAMP.metadata)
        self.log.append(stored)
        self.aggregate = goal_aggregate.evolve(self.aggregate, len(self.log), stored)

    def ask(self, command: GoalCommand) -> list[str]:
        """Carry a command out; the types of what it added. Raises `CommandRefused`."""
        drafts = goal_aggregate.decide(self.aggregate, command)
        for one in drafts:
            assert (one.expected, one.version) == (len(self.log), len(self.log) + 1)
            self.happens(one.event, one.ordinal)
        return [one.event.type for one in drafts]

    def refusal(self, command: GoalCommand) -> str:
        with pytest.raises(CommandRefused) as refused:
            self.ask(command)
        assert str(refused.value)
        return refused.value.code


ACCEPTED = g.GoalAccepted(goal="Build it")
PLANNED = g.GoalPlanned(
    revision=1, tasks=(), estimates=Estimates(tasks=0, minutes=0, minutes_low=0, minutes_high=0)
)
READY = g.GoalReadyForReview(revision=1, head=HEAD, summary="done")
COMPLETED = g.GoalCompleted(completion_summary="done", head=HEAD)
BY: dict[str, Any] = {"by": "ada", "request_id": "r1"}


def test_nobody_commands_a_goal_that_does_not_exist() -> None:
    assert Goal().refusal(Pause(**BY)) == "goal-unknown"


def test_pause_and_resume() -> None:
    goal = Goal(ACCEPTED)
    assert goal.ask(Resume(by="ada", request_id="r0")) == []
    assert goal.ask(Pause(**BY)) == ["goal.paused"]
    assert (goal.aggregate.paused, goal.aggregate.paused_by) == (True, "ada")
    assert goal.ask(Pause(by="bob", request_id="r2")) == []
    assert goal.ask(Resume(by="bob", request_id="r3")) == ["goal.resumed"]
    assert goal.aggregate.paused is False


def test_a_result_is_approved_by_who_saw_it() -> None:
    goal = Goal(ACCEPTED, PLANNED)
    assert goal.refusal(Approve(**BY, ready_seq=3)) == "not-ready"
    goal.happens(READY, "1")
    assert goal.refusal(Approve(**BY, ready_seq=2)) == "changed-since"
    assert goal.ask(Approve(**BY, ready_seq=3)) == ["goal.approved"]
    assert goal.ask(Approve(by="bob", request_id="r2", ready_seq=3)) == []
    goal.happens(COMPLETED, "1")
    assert goal.aggregate.phase == "completed"
    assert goal.ask(Approve(by="bob", request_id="r3", ready_seq=3)) == []


def test_a_new_plan_takes_back_what_was_ready() -> None:
    goal = Goal(ACCEPTED, PLANNED, READY, g.GoalReplanned(revision=2))
    assert goal.aggregate.phase == "open"
    assert goal.refusal(Approve(**BY, ready_seq=3)) == "changed-since"


def test_a_result_is_not_approved_over_what_somebody_else_said_since() -> None:
    paused = Goal(ACCEPTED, PLANNED, READY, g.GoalPaused(by="bob"))
    assert paused.refusal(Approve(**BY, ready_seq=3)) == "changed-since"
    assert paused.ask(Resume(by="ada", request_id="r2")) == ["goal.resumed"]
    assert paused.ask(Approve(**BY, ready_seq=3)) == ["goal.approved"]
    reworked = Goal(ACCEPTED, PLANNED, READY, g.GoalReworkRequested(rework_id="1", feedback="more", by="bob"))
    assert reworked.refusal(Approve(**BY, ready_seq=3)) == "changed-since"
    cancelled = Goal(ACCEPTED, PLANNED, READY, g.GoalCancelled(by="bob"))
    assert cancelled.refusal(Approve(**BY, ready_seq=3)) == "goal-closed"


def test_a_goal_of_noop_tasks_has_nothing_to_test() -> None:
    workflow = (PlanTask(key="n", title="Nothing", agent="noop"),)
    measuring = Goal(g.GoalAccepted(goal="x", workflow=workflow), PLANNED)
    assert measuring.refusal(RequestTests(**BY)) == "nothing-to-test"
    assert Goal(ACCEPTED, PLANNED).ask(RequestTests(**BY)) == ["goal.tests_requested"]


def test_rework_opens_a_finished_goal_again() -> None:
    goal = Goal(ACCEPTED, PLANNED, READY, COMPLETED)
    assert goal.ask(Rework(**BY, feedback="use Argon2", priority="high")) == ["goal.rework_requested"]
    assert (goal.aggregate.phase, goal.aggregate.rework_round, goal.aggregate.priority) == ("open", 1, "high")
    assert goal.ask(Rework(by="ada", request_id="r2", feedback="and salt")) == ["goal.rework_requested"]
    assert goal.aggregate.priority == "high", "what is not said stays as it is"


def test_rework_needs_something_to_work_on() -> None:
    assert Goal(ACCEPTED).refusal(Rework(**BY, feedback="?")) == "not-planned"
    assert Goal(ACCEPTED, PLANNED, g.GoalFailed(reason="?")).refusal(Rework(**BY, feedback="?")) == "goal-closed"


def test_a_limit_is_only_ever_raised() -> None:
    goal = Goal(g.GoalAccepted(goal="x", constraints=Constraints(max_llm_calls=100, max_cost_usd=5.0)))
    assert goal.refusal(RaiseBudget(**BY, max_llm_calls=99)) == "budget-lowered"
    assert goal.refusal(RaiseBudget(**BY, max_cost_usd=4.99)) == "budget-lowered"
    assert goal.ask(RaiseBudget(**BY, max_llm_calls=100, max_cost_usd=5.0)) == []
    assert goal.ask(RaiseBudget(by="ada", request_id="r2", max_llm_calls=200)) == ["goal.budget_raised"]
    assert (goal.aggregate.max_llm_calls, goal.aggregate.max_cost_usd) == (200, 5.0)
    assert goal.aggregate.money_limit_set


@pytest.mark.parametrize("given", [None, 0])
def test_no_limit_means_the_default_which_can_be_raised(
    given: int | None,
) -> None:
    goal = Goal(g.GoalAccepted(goal="x", constraints=Constraints(max_llm_calls=given, max_cost_usd=given)))
    assert (goal.aggregate.max_llm_calls, goal.aggregate.max_cost_usd) == (DEFAULT_LLM_CALLS, DEFAULT_MAX_COST_USD)
    assert goal.refusal(RaiseBudget(**BY, max_cost_usd=1.0)) == "budget-lowered"
    assert goal.ask(RaiseBudget(by="ada", request_id="r2", max_cost_usd=80.0)) == ["goal.budget_raised"]
    assert (goal.aggregate.max_cost_usd, goal.aggregate.money_limit_set) == (80.0, False)


def test_priority_moves_once() -> None:
    goal = Goal(ACCEPTED)
    assert goal.ask(Reprioritize(**BY, priority="urgent")) == ["goal.reprioritized"]
    assert goal.ask(Reprioritize(by="bob", request_id="r2", priority="urgent")) == []


def test_a_plan_waits_for_approval_only_where_it_was_asked_for() -> None:
    assert Goal(ACCEPTED, PLANNED).refusal(ApprovePlan(**BY, revision=1)) == "plan-approved"
    careful = g.GoalAccepted(goal="x", autonomy="approve_plan")
    assert Goal(careful).refusal(ApprovePlan(**BY, revision=1)) == "not-planned"
    goal = Goal(careful, PLANNED)
    assert goal.refusal(ApprovePlan(**BY, revision=2)) == "changed-since"
    assert goal.ask(EditPlan(**BY, revision=1, tasks=(), dropped=("t-a",))) == ["goal.replanned"]
    assert goal.refusal(ApprovePlan(by="ada", request_id="r2", revision=1)) == "changed-since"
    assert goal.ask(ApprovePlan(by="ada", request_id="r3", revision=2)) == ["goal.plan_approved"]
    assert goal.ask(ApprovePlan(by="ada", request_id="r4", revision=2)) == []
    assert goal.refusal(EditPlan(by="a", request_id="r5", revision=2, tasks=(), dropped=())) == "plan-approved"


@pytest.mark.parametrize("command", [Pause(**BY), Cancel(**BY), Rework(**BY, feedback="?"), RequestTests(**BY)])
def test_a_command_that_comes_again_does_nothing_whatever_happened_since(command: GoalCommand) -> None:
    goal = Goal(ACCEPTED, PLANNED)
    assert goal.ask(command) == [EVENT_OF[type(command)].__struct_config__.tag]
    goal.happens(g.GoalResumed(by="bob"), "other")
    assert goal.ask(command) == []


def test_every_command_names_its_event() -> None:
    assert set(EVENT_OF) == set(goal_commands.GoalCommand.__args__)


REQUESTS = st.sampled_from(["r1", "r2", "r3", "r4", "r5", "r6"])
SMALL = st.none() | st.integers(0, 1_000)
COMMANDS: st.SearchStrategy[GoalCommand] = st.one_of(
    structs(Approve, request_id=REQUESTS, ready_seq=st.integers(1, 12)),
    structs(Rework, request_id=REQUESTS),
    structs(Cancel, request_id=REQUESTS),
    structs(Pause, request_id=REQUESTS),
    structs(Resume, request_id=REQUESTS),
    structs(RequestTests, request_id=REQUESTS),
    structs(RaiseBudget, request_id=REQUESTS, max_llm_calls=SMALL, max_cost_usd=SMALL),
    structs(Reprioritize, request_id=REQUESTS),
    structs(ApprovePlan, request_id=REQUESTS, revision=st.integers(1, 3)),
    structs(EditPlan, request_id=REQUESTS, revision=st.integers(1, 3), tasks=st.just(()), dropped=st.just(())),
)
FACTS = st.sampled_from([PLANNED, READY, COMPLETED, g.GoalFailed(reason="?"), g.GoalReplanned(revision=2)])
STARTS = st.sampled_from(
    [
        [ACCEPTED],
        [ACCEPTED, PLANNED],
        [g.GoalAccepted(goal="x", autonomy="approve_plan"), PLANNED],
        [ACCEPTED, PLANNED, READY],
        [g.GoalAccepted(goal="x", constraints=Constraints(max_cost_usd=5.0)), PLANNED],
    ]
)
STORIES = st.lists(COMMANDS | FACTS, max_size=12)


def live(start: Sequence[Event], story: Sequence[GoalCommand | Event], deliveries: int) -> Goal:
    goal = Goal(*start)
    for number, step in enumerate(story):
        if isinstance(step, Event):
            goal.happens(step, f"step-{number}")
            continue
        for _ in range(deliveries):
            try:
                goal.ask(step)
            except CommandRefused:
                continue
    return goal


@untimed
@given(STARTS, STORIES)
def test_each_command_delivered_twice_gives_the_log_of_each_delivered_once(
    start: list[Event], story: list[GoalCommand | Event]
) -> None:
    assert live(start, story, deliveries=2).log == live(start, story, deliveries=1).log


@untimed
@given(STARTS, STORIES)
def test_a_command_once_carried_out_changes_nothing_when_it_comes_late(
    start: list[Event], story: list[GoalCommand | Event]
) -> None:
    goal = live(start, story, deliveries=1)
    before = list(goal.log)
    for command in story:
        if isinstance(command, Event) or goal_aggregate.asked_id(GOAL, command) not in goal.aggregate.seen:
            continue
        assert goal.ask(command) == []
    assert goal.log == before


@untimed
@given(STARTS, STORIES, COMMANDS)
def test_a_closed_goal_takes_nothing_but_a_rework_of_what_was_completed(
    start: list[Event], story: list[GoalCommand | Event], command: GoalCommand
) -> None:
    goal = live(start, story, deliveries=1)
    if goal.aggregate.phase not in TERMINAL:
        return
    phase = goal.aggregate.phase
    try:
        added = goal.ask(msgspec.structs.replace(command, request_id="late"))
    except CommandRefused:
        return
    assert added == [] or (phase == "completed" and added == ["goal.rework_requested"])


@untimed
@given(STARTS, STORIES)
def test_the_fold_counts_every_message_and_never_lowers_a_limit(
    start: list[Event], story: list[GoalCommand | Event]
) -> None:
    goal = live(start, story, deliveries=1)
    assert goal.aggregate.fence == Fence(len(goal.log), len(goal.log))
    assert len(goal.aggregate.seen) == len({event.event_id for event in goal.log})
    assert [event.originator_version for event in goal.log] == list(range(1, len(goal.log) + 1))
    aggregate, calls = goal_aggregate.initial(GOAL), 0
    for seq, event in enumerate(goal.log, 1):
        aggregate = goal_aggregate.evolve(aggregate, seq, event)
        assert aggregate.max_llm_calls >= calls
        calls = aggregate.max_llm_calls
    assert aggregate == goal.aggregate


@untimed
@given(STARTS, STORIES)
def test_no_two_events_of_a_goal_have_one_id(start: list[Event], story: list[GoalCommand | Event]) -> None:
    ids = [event.event_id for event in live(start, story, deliveries=2).log]
    assert len(ids) == len(set(ids))
