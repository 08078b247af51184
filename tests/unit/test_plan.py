"""The rules of plans."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.catalogue.values import Plan, PlannedTask, PlanTask
from agenthub_events.errors import InvalidPlan
from agenthub_events.rules.plan import (
    DEFAULT_MINUTES,
    DEFAULT_TIMEOUT_S,
    MANUAL_LIMITS,
    PLANNER_LIMITS,
    REASONS_MAX,
    validate_plan,
    validate_proposal,
)
from agenthub_events.subjects import check_task_id
from tests.support.event_strategies import structs
from tests.support.properties import untimed


def task(key: str, *depends_on: str, agent: str = "coding", **more: Any) -> PlanTask:
    return PlanTask(key=key, title=f"Do {key}", agent=agent, depends_on=depends_on, **more)


def reasons_of(*tasks: PlanTask, **options: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidPlan) as caught:
        validate_plan(tasks, **options)
    return caught.value.reasons


def test_a_title_counts_as_long_as_it_is_shown() -> None:
    title = f"{'x' * 280} [redacted:{'0' * 64}]"
    assert validate_plan([PlanTask(key="a", title=title)])[0].title == title


def test_a_plan_becomes_the_graph_with_everything_filled_in() -> None:
    first, second = validate_plan([task("Write it"), task("test", "Write it", agent="tester", complexity="high")])
    assert (first.task_id, first.agent_type, first.depends_on) == ("t-write-it", "coding", ())
    assert (first.timeout_s, first.estimate_minutes) == (DEFAULT_TIMEOUT_S, DEFAULT_MINUTES["medium"])
    assert (second.agent, second.agent_type, second.depends_on) == ("tester", "testing", ("t-write-it",))
    assert second.estimate_minutes == DEFAULT_MINUTES["high"]


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        ([], "the plan is empty"),
        ([task("a", "a")], "depends on itself"),
        ([task("a", "b"), task("b", "a")], "comes later"),
        ([task("a", "nowhere")], "not in the plan"),
        ([task("a"), task("a")], "used twice"),
        ([task("A b"), task("a-b")], "used twice"),
        ([task("!!!")], "use lower-case letters"),
        ([task("")], "use lower-case letters"),
        ([task("a", agent="chef")], "unknown agent `chef`"),
        ([task("a", agent="planner")], "cannot contain planning"),
        ([task("a", requirement_ids=("R1",))], "unknown requirement `R1` (allowed: none"),
        ([task("a", timeout_s=0)], "timeout_s must be"),
        ([task("a", timeout_s=10**9)], "timeout_s must be"),
        ([task("a", estimate_minutes=-1)], "estimate_minutes must be 0 to 10080"),
        ([task("a", estimate_minutes=1 << 62)], "estimate_minutes must be 0 to 10080"),
        ([PlanTask(key="a", title="  ")], "the title must have"),
        ([PlanTask(key="a", title="\u200b\u2060\u3164")], "the title must have"),
        ([PlanTask(key="a", title="x" * 301)], "the title must have"),
        ([task(f"k{n}") for n in range(41)], "at most 40 are allowed"),
        ([task("k0"), *(task(f"k{n}", f"k{n - 1}") for n in range(1, 13))], "chain of 13 tasks"),
    ],
)
def test_a_plan_that_breaks_a_rule_is_told_which(tasks: list[PlanTask], reason: str) -> None:
    assert any(reason in told for told in reasons_of(*tasks)), reasons_of(*tasks)


def test_every_violation_is_told_at_once() -> None:
    told = reasons_of(task("a", "later", "nowhere", agent="chef"), task("later"), task("later", timeout_s=-1))
    assert len(told) == 5


def test_requirements_are_named_by_number() -> None:
    (planned,) = validate_plan([task("a", requirement_ids=("R1", "R2"))], requirement_count=2)
    assert planned.requirement_ids == ("R1", "R2")
    assert "allowed: R1 to R2" in reasons_of(task("a", requirement_ids=("R3",)), requirement_count=2)[0]


def test_new_tasks_may_depend_on_existing_ones_and_not_reuse_their_keys() -> None:
    existing = {"old": "t-old"}
    (planned,) = validate_plan([task("new", "old")], existing=existing, origin="rework")
    assert (planned.depends_on, planned.origin) == (("t-old",), "rework")
    assert "an earlier task of the goal keeps its key" in reasons_of(task("old"), existing=existing)[0]
    assert "used twice" in reasons_of(task("OLD!"), existing=existing)[0]
    assert existing == {"old": "t-old"}


def test_a_dependency_named_twice_is_one() -> None:
    assert validate_plan([task("a"), task("b", "a", "a")])[1].depends_on == ("t-a",)


def test_a_persons_workflow_may_be_long_and_deep() -> None:
    chain = [task("k0"), *(task(f"k{n}", f"k{n - 1}") for n in range(1, 400))]
    assert len(validate_plan(chain, limits=MANUAL_LIMITS)) == 400


def test_a_proposal_is_validated_by_the_same_rules() -> None:
    assert validate_proposal(Plan(tasks=(task("a"),)))[0].task_id == "t-a"
    with pytest.raises(InvalidPlan):
        validate_proposal(Plan(tasks=()))


@pytest.mark.parametrize(
    ("served", "missing"),
    [
        ([("R1", "R2"), ("R3",)], []),
        ([("R1",), ("R3", "R1")], ["`R2` (Keep it quick)"]),
        ([(), ()], ["`R1` (Works offline)", "`R2` (Keep it quick)", "`R3` (x)"]),
    ],
)
def test_every_requirement_is_served_by_a_task_of_a_proposal(
    served: list[tuple[str, ...]], missing: list[str]
) -> None:
    wanted = ("Works offline", "Keep it  quick", "x")
    plan = Plan(tasks=tuple(task(f"k{n}", requirement_ids=ids) for n, ids in enumerate(served)))
    try:
        validate_proposal(plan, requirements=wanted)
        reasons: tuple[str, ...] = ()
    except InvalidPlan as refused:
        reasons = refused.reasons
    assert [reason.split("requirement ")[1].split(" is served")[0] for reason in reasons] == missing


KEYS = st.sampled_from(["a", "b", "c", "A b", "a-b", "d!", "", "e" * 80])
PLANS = st.lists(
    structs(PlanTask, key=KEYS, depends_on=st.lists(KEYS, max_size=3).map(tuple)), max_size=8
) | st.lists(
    st.builds(
        lambda key, agent, depends_on: task(key, *depends_on, agent=agent),
        KEYS,
        st.sampled_from(["coding", "testing", "planner", "chef"]),
        st.lists(KEYS, max_size=2),
    ),
    max_size=8,
    unique_by=lambda made: made.key,
)


def holds(planned: tuple[PlannedTask, ...]) -> None:
    seen: set[str] = set()
    for one in planned:
        assert check_task_id(one.task_id) not in seen
        assert set(one.depends_on) <= seen
        assert one.timeout_s > 0
        assert one.title
        seen.add(one.task_id)


@untimed
@given(PLANS)
def test_a_plan_is_refused_with_reasons_or_becomes_a_graph_without_cycles(tasks: list[PlanTask]) -> None:
    try:
        planned = validate_plan(tasks)
    except InvalidPlan as error:
        refused = error
    else:
        assert len(planned) == len(tasks) <= PLANNER_LIMITS.max_tasks
        holds(planned)
        return
    assert refused.reasons
    assert refused.field == "tasks"


def test_a_plan_that_is_wrong_ten_thousand_times_is_told_so_in_bounded_words() -> None:
    wrong = PlanTask(
        key="k" * 100_000, title="T", depends_on=tuple(f"nobody-{number}" for number in range(10_000))
    )
    reasons = reasons_of(wrong)
    assert len(reasons) == REASONS_MAX + 1
    assert reasons[-1].endswith(" more: mend these first")
    assert sum(map(len, reasons)) < 50_000
