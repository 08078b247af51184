"""What a forked goal begins with, and that it comes from there to the same state, whoever decides and dies."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import task as t
from agenthub_events.catalogue.fork import Fork
from agenthub_events.catalogue.values import Constraints, PlanTask, TaskEdits
from agenthub_events.errors import CommandRefused, InvalidPlan
from agenthub_events.rules import goal_commands
from agenthub_events.serialization.codec import encode
from agenthub_events.task_ids import kind_of
from agenthub_orchestrator.projector.view import GoalProjection
from agenthub_replay.errors import HistoryMissing
from agenthub_replay.forking import Different, forked
from agenthub_replay.history import GoalHistory
from tests.support.histories import stored
from tests.support.minihub import MiniHub
from tests.support.minihub_driver import Driver, is_at_rest
from tests.support.spec import Scenario, a_goal, step

CHILD = "g-01jd0000000000000000000001"
PLAIN = Constraints(require_security_audit=False)


def history_of(hub: MiniHub) -> GoalHistory:
    return GoalHistory(hub.goal_id, stored(hub.log))


def begun(hub: MiniHub, at_seq: int | None = None, **different: Any) -> g.GoalAccepted:
    return forked(history_of(hub), at_seq or len(hub.log), Different(**different))


def fork_of(accepted: g.GoalAccepted) -> Fork:
    assert accepted.fork is not None
    return accepted.fork


def goes_on(parent: MiniHub, accepted: g.GoalAccepted) -> Scenario:
    """The fork, once everything that it inherits is in its log."""
    child = Scenario(parent.policy, CHILD)
    child.tell("_", accepted, "accepted")
    child.settled()
    return child


def half_done() -> Scenario:
    goal = a_goal(step("a"), step("b", "a"), step("c", "b"), constraints=PLAIN)
    return goal.done("t-a", changes=True, insights=("mind the gap",)).done("t-b", changes=True).claimed("t-c")


def test_plan_results_and_branch_stand_in_the_fork_as_in_its_parent_and_the_rest_is_ordered_anew() -> None:
    parent = half_done()
    before = list(parent.log)
    child = goes_on(parent, begun(parent))
    assert parent.log == before
    assert child.story()[:6] == [
        "_ goal.accepted",
        "_ goal.planned",
        "_ merge.done",
        "_ merge.done",
        "t-a task.completed",
        "t-b task.completed",
    ]
    assert [child.task(name).word for name in ("t-a", "t-b", "t-c")] == ["done", "done", "enqueued"]
    assert (child.truth.head, child.truth.base) == (parent.truth.head, parent.truth.base)
    assert [m.bundle_ref for m in child.truth.merges] == [m.bundle_ref for m in parent.truth.merges]
    order = child.task("t-c").order
    assert order is not None
    assert (order.attempt, order.workspace_commit) == (1, parent.truth.head)
    assert [known.task_id for known in child.context("t-c").inherited] == ["t-b"]
    child.done("t-c").gates_pass()
    assert child.status == "ready_for_review"


def test_nothing_is_ordered_before_everything_inherited_is_said() -> None:
    parent = half_done()
    child = Scenario(parent.policy, CHILD)
    child.tell("_", begun(parent), "accepted")
    while child.truth.heritage or not child.truth.aggregate.planned:
        child.receive()
        assert not [due for due in child.due() if due.draft.event.type == "task.enqueued"]
        child.act(child.due()[:1])  # the orchestrator dies after one event, each time
    child.settled()
    assert child.story("task.enqueued") == ["t-c task.enqueued"]


def test_money_is_counted_anew_and_a_budget_of_its_own_replaces_the_parents() -> None:
    parent = a_goal(step("a"), step("b", "a"), constraints=Constraints(max_llm_calls=20))
    parent.claimed("t-a").reserved("t-a", calls=12).called("t-a").done("t-a")
    parent.command(goal_commands.RaiseBudget(by="ada", request_id="r1", max_llm_calls=30))
    child = goes_on(parent, begun(parent))
    assert child.truth.aggregate.max_llm_calls == 30
    assert child.truth.ledger.committed_calls == 0
    richer = begun(parent, max_llm_calls=7, max_cost_usd=2.5)
    assert (richer.constraints.max_llm_calls, richer.constraints.max_cost_usd) == (7, 2.5)
    assert begun(parent, 1).constraints.max_llm_calls == 20


def test_model_and_prompt_reach_every_order_of_the_fork_and_the_forks_of_it() -> None:
    parent = half_done()
    child = goes_on(parent, begun(parent, model="claude-haiku-4-5", prompt="Write less code"))
    order = child.task("t-c").order
    assert order is not None
    assert order.model == "claude-haiku-4-5"
    assert child.context("t-c").instructions == "Write less code"
    child.done("t-c")
    assert all(event.model == "claude-haiku-4-5" for event in child.events(t.TaskEnqueued))  # type: ignore[attr-defined]
    grandchild = fork_of(begun(child, prompt="Write more tests"))
    assert (grandchild.goal_id, grandchild.model, grandchild.prompt) == (
        CHILD,
        "claude-haiku-4-5",
        "Write more tests",
    )


def test_an_own_plan_takes_the_place_of_what_had_not_ended() -> None:
    parent = half_done()
    child = goes_on(parent, begun(parent, tasks=(step("d", "b"), step("e", "d"))))
    assert child.truth.graph == ["t-a", "t-b", "t-d", "t-e"]
    assert child.open() == ["t-d"]
    with pytest.raises(InvalidPlan, match="`f` depends on `c`, which is not in the plan") as refused:
        begun(parent, tasks=(step("f", "c"),))
    assert refused.value.field == "plan"
    with pytest.raises(InvalidPlan, match="an earlier task of the goal keeps its key"):
        begun(parent, tasks=(step("a"),))
    with pytest.raises(InvalidPlan, match="the plan is empty"):
        begun(parent, tasks=())


def test_before_the_plan_the_planner_is_asked_anew_or_an_own_plan_is_taken() -> None:
    parent = Scenario().accepted(requirements=("JWT",), constraints=PLAIN)
    parent.planned(PlanTask(key="x", title="X", requirement_ids=("R1",)))
    child = goes_on(parent, begun(parent, 2))
    assert child.open() == ["plan-1"]
    own = goes_on(parent, begun(parent, 1, tasks=(step("y"),)))
    assert own.open() == ["t-y"]


def test_what_was_given_up_is_left_out_and_what_was_skipped_stays_skipped() -> None:
    goal = a_goal(step("a"), step("b", "a"), step("c"), step("d", "c"), constraints=PLAIN)
    goal.asks("t-a").answered(goal.question(), "skip", "by hand")
    goal.asks("t-c").answered(goal.question(), "cancel")
    fork = fork_of(begun(goal))
    assert [task.task_id for task in fork.tasks] == ["t-a", "t-b"]
    child = goes_on(goal, begun(goal))
    assert child.task("t-a").word == "skipped"
    assert (child.task("t-a").ended_by, child.task("t-a").summary) == ("ada", "by hand")
    assert child.open() == ["t-b"]


def test_what_people_have_edited_is_ordered_as_edited() -> None:
    goal = a_goal(step("a"), step("b"), constraints=PLAIN)
    goal.asks("t-a")
    goal.answered(goal.question(), "edit", edits=TaskEdits(title="Do it well", agent="testing", timeout_s=77))
    child = goes_on(goal, begun(goal))
    order = child.task("t-a").order
    assert order is not None
    assert (order.title, order.agent_type, order.timeout_s) == ("Do it well", "testing", 77)
    goal.asks("t-b")
    goal.answered(goal.question(), "edit", edits=TaskEdits(agent="nobody", details="later"))
    again = next(task for task in fork_of(begun(goal)).tasks if task.task_id == "t-b")
    assert (again.agent, again.agent_type, again.details) == ("coding", "coding", "later")


def test_gates_and_repairs_are_made_again_and_what_repairs_have_merged_stays() -> None:
    goal = a_goal(step("a"), constraints=PLAIN).done("t-a", changes=True)
    goal.judged("gate-tests-1", passed=False, failing=("test_x",))
    goal.done("debug-tests-1", summary="found it")
    goal.done(goal.open()[0], changes=True)
    fork = fork_of(begun(goal))
    assert [task.task_id for task in fork.tasks] == ["t-a"]
    assert [merge.head for merge in fork.merges] == [merge.head for merge in goal.truth.merges]
    child = goes_on(goal, begun(goal))
    assert child.open() == ["gate-tests-1"]
    child.judged("gate-tests-1", passed=False, failing=("test_x",))
    assert child.open() == ["debug-tests-1"]
    child.done("debug-tests-1", summary="found it")
    assert [kind_of(name) for name in child.open()] == ["fix"]
    child.done(child.open()[0], changes=True).gates_pass()
    assert child.status == "ready_for_review"


@pytest.mark.parametrize("answered", [False, True])
def test_a_rework_is_planned_in_the_fork_unless_it_was_before(answered: bool) -> None:
    goal = a_goal(step("a"), constraints=PLAIN).done("t-a").gates_pass()
    goal.command(goal_commands.Rework(by="ada", request_id="r1", feedback="Also CSV"))
    goal.settled()
    if answered:
        goal.planned(step("csv"))
    child = goes_on(goal, begun(goal))
    assert child.open() == (["t-csv"] if answered else ["plan-1"])
    if not answered:
        plan = child.context("plan-1").plan
        assert plan is not None
        assert plan.feedback == "Also CSV"
        child.planned(step("csv"))
        assert child.open() == ["t-csv"]
    child.done("t-csv").gates_pass()
    assert child.status == "ready_for_review"


def test_the_repository_is_not_fetched_again_and_setup_and_knowledge_stay() -> None:
    goal = a_goal(step("a"), repository="https://example.org/r.git", delivery="branch", delivery_branch="mine")
    goal.asks("prepare", "How is it set up?", reason="setup", options=("Try again", "Give the goal up"))
    goal.answered(goal.question(), text="make deps")
    attempt = goal.claimed("prepare").task("prepare").attempt
    goal.tell("_", goal.merge_of("prepare", attempt, goal.commit(), origin="prepare"), "prepare")
    goal.done("prepare").claimed("t-a")
    goal.tell("t-a", t.KnowledgeRecorded(task_id="t-a", kind="fact", text="ports are odd"))
    accepted = begun(goal)
    child = goes_on(goal, accepted)
    assert child.open() == ["t-a"]
    context = child.context("t-a")
    assert context.setup == ("make deps",)
    assert [note.text for note in context.knowledge] == ["ports are odd"]
    assert child.truth.base == goal.truth.base != ""
    assert (accepted.delivery, accepted.delivery_branch) == ("branch", "")
    early = goes_on(goal, begun(goal, 1))
    assert early.open() == ["prepare"]


@pytest.mark.parametrize("own", [None, (step("z"),)])
def test_an_approved_plan_is_approved_in_the_fork_and_another_one_is_not(own: tuple[PlanTask, ...] | None) -> None:
    goal = a_goal(step("a"), autonomy="approve_plan")
    waiting = len(goal.log)
    goal.command(goal_commands.ApprovePlan(by="ada", request_id="r", revision=1))
    goal.settled()
    assert goal.open() == ["t-a"]
    child = goes_on(goal, begun(goal, tasks=own))
    assert child.open() == (["t-a"] if own is None else [])
    assert goes_on(goal, begun(goal, waiting)).open() == []


def test_an_event_that_is_none_of_the_goal_is_refused_with_the_nearest_ones() -> None:
    goal = half_done()
    log = [record for record in goal.log if record.seq != 4]
    history = GoalHistory(goal.goal_id, stored(log[1:]))
    for at_seq, told in (
        (1, "Event 1 lies before this goal: its first event is 2"),
        (4, "Event 4 is none of this goal: the nearest ones are 3 and 5"),
        (10_000, f"Event 10000 lies behind this goal: its last event is {log[-1].seq}"),
    ):
        with pytest.raises(HistoryMissing, match=told):
            forked(history, at_seq, Different())


def test_an_erased_goal_and_one_that_nobody_can_read_are_refused() -> None:
    goal = half_done()
    goal.garble("t-c", "task.completed")
    assert fork_of(begun(goal, len(goal.log) - 1)).tasks
    with pytest.raises(CommandRefused, match=f"Event {len(goal.log)} .* fork from an event before it"):
        begun(goal)
    erased = half_done()
    erased.command(goal_commands.Cancel(by="ada", request_id="r1"))
    erased.settled()
    assert fork_of(begun(erased)).goal_id == erased.goal_id
    erased.command(goal_commands.Erase(by="ada", request_id="r2"))
    with pytest.raises(CommandRefused, match="is erased"):
        begun(erased, 3)


def test_a_fork_is_forked_once_it_has_all_that_it_inherits() -> None:
    parent = half_done()
    child = goes_on(parent, begun(parent))
    whole = next(r.seq for r in child.log if isinstance(r.event, t.TaskEnqueued))
    for at_seq in range(1, whole - 1):
        with pytest.raises(CommandRefused, match=f"fork that goal from its event {len(parent.log)}, or this one"):
            begun(child, at_seq)
    child.done("t-c", changes=True)
    assert [ended.task_id for ended in fork_of(begun(child)).ended] == ["t-a", "t-b", "t-c"]
    assert [ended.task_id for ended in fork_of(begun(child, whole)).ended] == ["t-a", "t-b"]


def test_readers_see_the_parent_and_no_attempt_of_what_was_done_there() -> None:
    parent = half_done()
    child = goes_on(parent, begun(parent))
    rows = GoalProjection(CHILD)
    for recorded in child.log:
        rows.apply(recorded)
    rows.drain()
    assert (rows.goal.forked_from, rows.goal.forked_at_seq) == (parent.goal_id, len(parent.log))
    assert (rows.goal.tasks_done, rows.goal.tasks_total) == (2, 3)
    assert (rows.tasks["t-a"].status, rows.tasks["t-a"].reason) == ("done", f"done in {parent.goal_id}")
    assert list(rows.attempts) == [("t-c", 1)]


# at any event of any goal ------------------------------------------------------------------------------------

shapes = st.sampled_from(
    [
        (),
        (step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c")),
        (step("a"), step("b"), step("c", "a", "b")),
    ]
)
repositories = st.sampled_from(["", "https://example.org/repo.git"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(shapes, repositories, st.integers(0, 2**32))
def test_from_any_event_a_fork_has_what_had_ended_and_comes_to_rest(
    shape: tuple[PlanTask, ...], repository: str, seed: int
) -> None:
    chance = Random(seed)
    parent = a_goal(*shape, repository=repository, constraints=Constraints(max_llm_calls=50))
    Driver(parent, [chance.randrange(2**16) for _ in range(seed % 200)]).play()
    at_seq = chance.randint(1, len(parent.log))
    accepted = begun(parent, at_seq)
    assert begun(parent, at_seq) == accepted
    as_of = Scenario(parent.policy)
    for recorded in parent.log[:at_seq]:
        as_of._append(".".join(recorded.subject.split(".")[1:3]), recorded.subject, encode(recorded.event))  # type: ignore[arg-type]
    child = Scenario(parent.policy, CHILD)
    child.tell("_", accepted, "accepted")
    Driver(child, [chance.randrange(9) for _ in range(seed % 40)]).play()
    Driver(child, []).finish()
    assert is_at_rest(child.truth)
    _has_what_had_ended(as_of, child)


def _is_half_done(goal: Scenario, task_id: str) -> bool:
    """Whether the last event is a merge, and the end of its task the next one."""
    event = goal.log[-1].event
    ended = goal.truth.tasks[task_id].word in ("done", "skipped") if task_id in goal.truth.tasks else False
    return isinstance(event, t.MergeDone) and event.task_id == task_id and event.origin != "base" and not ended


def test_a_merge_that_is_not_yet_the_end_of_its_task_is_made_again_with_it() -> None:
    goal = a_goal(step("a"))
    attempt = goal.claimed("t-a").task("t-a").attempt
    goal.tell("_", goal.merge_of("t-a", attempt, goal.commit()), "a")
    accepted = begun(goal)
    assert accepted.fork is not None
    assert accepted.fork.merges == ()
    assert goes_on(goal, accepted).open() == ["t-a"]


def _has_what_had_ended(parent: Scenario, child: Scenario) -> None:
    if "cancelled" in child.truth.aggregate.phase:
        return
    inherited = [merge for merge in parent.truth.merges if not _is_half_done(parent, merge.task_id)]
    assert [msgspec.structs.replace(m, **_blank(m)) for m in child.truth.merges[: len(inherited)]] == [
        msgspec.structs.replace(m, **_blank(m)) for m in inherited
    ]
    for task_id, task in parent.truth.tasks.items():
        lost = any(
            parent.truth.tasks[needed].word == "cancelled" or needed in parent.truth.doomed
            for needed in (task.planned.depends_on if task.planned else ())
        )
        if task.word in ("done", "skipped") and kind_of(task_id) in ("work", "prepare") and not lost:
            assert child.truth.tasks[task_id].word == task.word
            assert child.truth.tasks[task_id].result == task.result
            assert not child.truth.tasks[task_id].attempt


def _blank(event: t.MergeDone) -> dict[str, Any]:
    plain = g.GoalErased(by="")
    return {
        name: getattr(plain, name) for name in ("originator_id", "originator_version", "timestamp", "event_id")
    }
