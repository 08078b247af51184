"""Laws of deciding: whatever workers, people, timers and twins do, in any order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import task as t
from agenthub_events.catalogue.values import Constraints, PlanTask
from agenthub_events.rules import goal_aggregate, goal_commands
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.task_ids import kind_of
from agenthub_orchestrator.domain import (
    GoalState,
    Policy,
    apply,
    decide,
    derived_status,
    initial,
    is_settled_by,
    timers_of,
)
from agenthub_orchestrator.domain.rules.gates import GOOD, required_gates, standing
from agenthub_orchestrator.domain.state.status import is_settled
from tests.support.minihub import Fenced
from tests.support.minihub_driver import Driver, is_at_rest
from tests.support.spec import Scenario, a_goal, step

GAMES = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
POLICY = Policy(max_retries=1, max_rounds=2, max_open_orders=3)


def long_game(seed: int) -> list[int]:
    rng = Random(seed)
    return [rng.randrange(2**16) for _ in range(seed % 500)]


# Short games shrink well; long ones reach what takes many steps.
numbers = st.one_of(
    st.lists(st.integers(0, 2**16), max_size=60),
    st.integers(0, 2**32).map(long_game),
)
shapes = st.sampled_from(
    [
        (),
        (step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c")),
        (step("a"), step("b"), step("c"), step("d"), step("e", "a", "b", "c", "d")),
        (step("n1", agent="noop"), step("n2", "n1", agent="noop")),
    ]
)
bounds = st.sampled_from(
    [
        Constraints(),
        Constraints(max_llm_calls=4),
        Constraints(must_pass_tests=False, require_security_audit=False),
        Constraints(max_time_s=60),
    ]
)
autonomies = st.sampled_from(["full", "full", "approve_plan"])
repositories = st.sampled_from(["", "", "https://example.org/repo.git"])


def played(
    workflow: tuple[PlanTask, ...], constraints: Constraints, *more: str, moves: list[int], hostile: bool = False
) -> Driver:
    autonomy, repository = more
    delivery = "branch" if repository else "none"
    told = {"autonomy": autonomy, "repository": repository, "delivery": delivery}
    goal = a_goal(*workflow, policy=POLICY, constraints=constraints, **told)
    driver = Driver(goal, moves, hostile=hostile)
    driver.play()
    return driver


@GAMES
@given(shapes, bounds, autonomies, repositories, numbers)
def test_i11_every_goal_ends_is_paused_is_offered_or_has_an_open_question(
    workflow: tuple[PlanTask, ...], constraints: Constraints, autonomy: str, repository: str, moves: list[int]
) -> None:
    driver = played(workflow, constraints, autonomy, repository, moves=moves)
    driver.finish()
    state = driver.hub.truth
    assert is_at_rest(state), driver.hub.story()[-20:]
    assert not driver.hub.events(g.GoalStalled), "the watchdog had to bark"
    if state.aggregate.phase in ("completed", "cancelled", "failed"):
        assert not state.unended


@GAMES
@given(shapes, bounds, autonomies, repositories, numbers)
def test_i11_messages_that_nobody_can_read_end_in_a_question_and_never_in_silence(
    workflow: tuple[PlanTask, ...], constraints: Constraints, autonomy: str, repository: str, moves: list[int]
) -> None:
    driver = played(workflow, constraints, autonomy, repository, moves=moves, hostile=True)
    driver.finish()
    state = driver.hub.truth
    assert is_at_rest(state), driver.hub.story()[-20:]
    if state.questions and state.aggregate.phase == "open" and not state.aggregate.paused:
        assert derived_status(state) == "awaiting_human"


@GAMES
@given(shapes, bounds, autonomies, repositories, numbers)
def test_what_was_decided_and_folded_is_never_decided_again(
    workflow: tuple[PlanTask, ...], constraints: Constraints, autonomy: str, repository: str, moves: list[int]
) -> None:
    hub = played(workflow, constraints, autonomy, repository, moves=moves, hostile=True).hub
    hub.receive()
    for _ in range(200):
        dues = hub.due()
        if not dues:
            return
        decided = {due.draft.event_id for due in dues}
        hub.act(dues)
        hub.receive()
        again = {due.draft.event_id for due in hub.due()}
        assert not decided & again
    raise AssertionError("deciding never comes to rest")


@GAMES
@given(shapes, bounds, autonomies, repositories, numbers)
def test_deciding_depends_on_the_log_alone_and_changes_no_state(
    workflow: tuple[PlanTask, ...], constraints: Constraints, autonomy: str, repository: str, moves: list[int]
) -> None:
    hub = played(workflow, constraints, autonomy, repository, moves=moves, hostile=True).hub
    fresh = hub.refolded()
    assert seen(fresh) == seen(hub.truth)
    fired = frozenset(hub.fired)
    before = repr(seen(hub.truth))
    first = decide(hub.truth, now=hub.now, fired=fired, policy=POLICY)
    assert repr(seen(hub.truth)) == before
    second = decide(fresh, now=hub.now, fired=fired, policy=POLICY)
    assert [(due.draft, due.context) for due in first] == [(due.draft, due.context) for due in second]
    assert seen(fresh) == seen(hub.truth)
    for recorded in hub.log:
        apply(fresh, recorded)
    assert seen(fresh) == seen(hub.truth), "a message that comes again changes something"


@GAMES
@given(shapes, bounds, autonomies, repositories, numbers)
def test_every_stored_order_was_due_and_every_attempt_is_ordered_once(
    workflow: tuple[PlanTask, ...], constraints: Constraints, autonomy: str, repository: str, moves: list[int]
) -> None:
    driver = played(workflow, constraints, autonomy, repository, moves=moves)
    driver.finish()
    state = initial(driver.hub.goal_id)
    attempts: dict[str, int] = defaultdict(int)
    for recorded in driver.hub.log:
        event = recorded.event
        assert not isinstance(event, Unreadable)
        if isinstance(event, t.TaskEnqueued):
            attempts[event.task_id] += 1
            assert event.attempt == attempts[event.task_id]
            assert all(state.tasks[dep].word in ("done", "skipped") for dep in event.depends_on)
        if isinstance(event, g.GoalReadyForReview):
            check_offer(state, event)
        apply(state, recorded)


@settings(GAMES, max_examples=40)
@given(shapes, bounds, autonomies, numbers)
def test_what_is_delivered_is_judged_as_it_is_and_nothing_of_an_agent_goes_out_that_nobody_has_approved(
    workflow: tuple[PlanTask, ...], constraints: Constraints, autonomy: str, moves: list[int]
) -> None:
    driver = played(workflow, constraints, autonomy, "https://example.org/repo.git", moves=moves)
    for _ in range(3):
        driver.finish()
        approve(driver.hub)
    state = initial(driver.hub.goal_id)
    for recorded in driver.hub.log:
        event = recorded.event
        assert not isinstance(event, Unreadable)
        if isinstance(event, t.TaskEnqueued) and kind_of(event.task_id) == "deliver":
            assert not state.changed_since_approval
            assert event.workspace_commit == state.head
            assert all(standing(state, gate) in GOOD for gate in required_gates(state))
        apply(state, recorded)


def approve(hub: Scenario) -> None:
    """A person looks at what is offered, and accepts it."""
    if hub.truth.aggregate.phase == "ready" and not hub.truth.aggregate.paused:
        seen = hub.truth.aggregate.ready_seq
        hub.command(goal_commands.Approve(by="ada", request_id=hub.request_id(), ready_seq=seen))


def check_offer(state: GoalState, event: g.GoalReadyForReview) -> None:
    assert event.head == state.head
    assert all(state.tasks[task_id].ended for task_id in state.graph)
    assert all(standing(state, gate) in GOOD for gate in required_gates(state))


@GAMES
@given(shapes, bounds, autonomies, repositories, numbers)
def test_i5_a_task_that_the_orchestrator_completes_names_a_commit_of_the_merge_chain(
    workflow: tuple[PlanTask, ...], constraints: Constraints, autonomy: str, repository: str, moves: list[int]
) -> None:
    driver = played(workflow, constraints, autonomy, repository, moves=moves)
    driver.finish()
    merged = {event.head for event in driver.hub.events(t.MergeDone) if isinstance(event, t.MergeDone)}
    for event in driver.hub.events(t.TaskCompleted):
        assert isinstance(event, t.TaskCompleted)
        assert event.result.commit in merged | {""}


@GAMES
@given(shapes, bounds, autonomies, repositories, numbers)
def test_after_a_cancellation_or_a_pause_nothing_stays_open(
    workflow: tuple[PlanTask, ...], constraints: Constraints, autonomy: str, repository: str, moves: list[int]
) -> None:
    hub = played(workflow, constraints, autonomy, repository, moves=moves).hub
    hub.run()
    if hub.truth.aggregate.paused or hub.truth.aggregate.phase in ("cancelled", "failed", "completed"):
        assert hub.open() == []


@GAMES
@given(shapes, bounds, numbers)
def test_a_fired_timer_is_answered_or_settled_once_everything_is_folded(
    workflow: tuple[PlanTask, ...], constraints: Constraints, moves: list[int]
) -> None:
    driver = played(workflow, constraints, "full", "", moves=moves, hostile=True)
    hub = driver.hub
    hub.run()
    for request in list(hub.requests()):
        hub.fire(request)
    asked = set(hub.fired)
    hub.run()
    assert {timer for timer in asked if not is_settled_by(timer, hub.truth)} == set()


@GAMES
@given(shapes, bounds, autonomies, repositories, numbers)
def test_a_goal_is_settled_exactly_when_it_is_over_and_no_rule_has_anything_to_say(
    workflow: tuple[PlanTask, ...], constraints: Constraints, autonomy: str, repository: str, moves: list[int]
) -> None:
    hub = over(played(workflow, constraints, autonomy, repository, moves=moves, hostile=True).hub)
    state, all_readable = initial(hub.goal_id), True
    for recorded in hub.log:
        apply(state, recorded)
        all_readable = all_readable and not isinstance(recorded.event, Unreadable)
        ended = state.aggregate.phase in goal_aggregate.TERMINAL
        if is_settled(state):
            assert ended
            for policy in (POLICY, Policy()):
                assert decide(state, now=hub.now, fired=frozenset(hub.fired), policy=policy) == []
                assert timers_of(state, policy) == []
        elif ended and all_readable:
            assert decide(state, now=state.last_at) != []
    assert is_settled(hub.truth) or not all_readable


def test_a_goal_that_is_over_is_not_settled_while_a_message_of_it_cannot_be_read() -> None:
    goal = a_goal(step("a"), step("b"))
    goal.garble("t-a", "task.started")
    goal = over(goal)
    assert decide(goal.truth, now=goal.now) == []
    assert not is_settled(goal.truth), "whoever can read it has a task to cancel"


ANYWHERE = ("goal.planned", "merge.done", "budget.reserved", "agent.blocked", "seal.recorded", "log.quarantined")
places = st.lists(st.one_of(st.sampled_from(ANYWHERE), st.integers(0, 2**16)), min_size=1, max_size=3)


@GAMES
@given(shapes, bounds, autonomies, repositories, numbers, places)
def test_deciding_settles_whatever_cannot_be_read_and_wherever_it_stands(
    workflow: tuple[PlanTask, ...],
    constraints: Constraints,
    autonomy: str,
    repository: str,
    moves: list[int],
    places: list[str | int],
) -> None:
    hub = played(workflow, constraints, autonomy, repository, moves=moves).hub
    for place in places:
        tasks = sorted(hub.truth.tasks)
        if isinstance(place, str):
            hub.garble("_", place)
        elif tasks:
            hub.garble(tasks[place % len(tasks)], "task.completed")
        rests(hub)
    for request in list(hub.requests()):
        hub.fire(request)
    rests(hub)


def rests(hub: Scenario) -> None:
    """Nothing is decided twice, and in the end nothing is due."""
    decided: set[str] = set()
    for _ in range(200):
        hub.receive()
        dues = hub.due()
        if not dues:
            return
        again = decided & {due.draft.event_id for due in dues}
        assert not again, [due.draft.subject for due in dues]
        decided |= {due.draft.event_id for due in dues}
        hub.act(dues)
    raise AssertionError("deciding never comes to rest")


def test_money_that_nobody_can_read_is_not_settled_for_ever() -> None:
    goal = a_goal(step("a"), step("b"))
    goal.claimed("t-a").reserved("t-a", calls=3)
    goal.garble("_", "budget.reserved")
    attempt = goal.task("t-a").attempt
    goal.tell("t-a", t.TaskFailed(task_id="t-a", attempt=attempt, failure_class="model", reason="x"), "1-1-i")
    rests(goal)
    assert [asked.asked.reason for asked in goal.truth.questions.values()] == ["unreadable"]


def test_questions_that_nobody_can_read_and_a_frozen_task_are_not_asked_about_for_ever() -> None:
    goal = a_goal(step("a"), step("b"))
    goal.garble("_", "agent.blocked")
    goal.garble("t-a", "task.started")
    rests(goal)
    assert not goal.truth.questions


def over(hub: Scenario) -> Scenario:
    """Let people accept what is ready and call off what is not, and let everything come to rest."""
    hub.run()
    aggregate = hub.truth.aggregate
    if aggregate.phase == "ready" and not aggregate.paused:
        hub.command(goal_commands.Approve(by="ada", request_id="end", ready_seq=aggregate.ready_seq))
    elif aggregate.phase not in goal_aggregate.TERMINAL:
        hub.command(goal_commands.Cancel(by="ada", request_id="end"))
    hub.run()
    return hub


def test_a_draft_made_on_an_older_fold_meets_the_fence() -> None:
    goal = Scenario()
    goal.accepted(step("a"))
    goal.claimed("t-a")
    old = goal.say("t-a", t.TaskCancelled(task_id="t-a", reason="late"), "1")
    goal.done("t-a")
    with pytest.raises(Fenced):
        goal.store(old)


def seen(state: GoalState) -> dict[str, object]:
    """Everything in a fold that can be compared."""
    return {field.name: getattr(state, field.name) for field in fields(state)}
