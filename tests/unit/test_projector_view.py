"""Rows are a pure function of the events, whatever has happened and however it comes in."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.values import PlanTask
from agenthub_events.ports import Recorded
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.subjects import parse_subject
from agenthub_orchestrator.projector.upsert import TABLES
from agenthub_orchestrator.projector.view import GoalProjection
from agenthub_runtime.readmodels import Row
from tests.support.minihub import GOAL, MiniHub
from tests.support.minihub_driver import Driver
from tests.support.spec import Scenario, a_goal, step

Key = tuple[str, tuple[object, ...]]

shapes = st.sampled_from([(), (step("a"),), (step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))])


def long_game(seed: int) -> list[int]:
    chance = Random(seed)
    return [chance.randrange(2**16) for _ in range(seed % 500)]


moves = st.one_of(st.lists(st.integers(0, 2**16), max_size=60), st.integers(0, 2**32).map(long_game))
autonomies = st.sampled_from(["full", "approve_plan"])
GAMES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def played(workflow: tuple[PlanTask, ...], autonomy: str, numbers: list[int], *, hostile: bool = False) -> MiniHub:
    """A goal with everything that workers, people and timers do to it."""
    hub: Scenario = a_goal(*workflow, autonomy=autonomy)
    Driver(hub, numbers, hostile=hostile).play()
    return hub


def view_of(log: list[Recorded]) -> GoalProjection:
    view = GoalProjection(GOAL)
    for recorded in log:
        view.apply(recorded)
    return view


def rows_of(log: list[Recorded], cuts: set[int]) -> dict[Key, str]:
    """The tables after feeding a view, drained wherever `cuts` says."""
    view = GoalProjection(GOAL)
    rows: dict[Key, str] = {}

    def write(changed: list[Row]) -> None:
        for row in changed:
            rows[row.table, tuple(getattr(row, name) for name in row.key)] = repr(row)

    for number, recorded in enumerate(log):
        view.apply(recorded)
        if number in cuts:
            write(view.drain())
    write(view.drain())
    return rows


@GAMES
@given(shapes, autonomies, moves, st.data())
def test_rows_do_not_depend_on_how_events_are_batched(
    workflow: tuple[PlanTask, ...], autonomy: str, numbers: list[int], data: st.DataObject
) -> None:
    log = played(workflow, autonomy, numbers, hostile=True).log
    cuts = data.draw(st.sets(st.integers(0, len(log) - 1)))
    assert rows_of(log, cuts) == rows_of(log, set())


@GAMES
@given(shapes, autonomies, moves)
def test_rows_say_what_the_decider_knows(
    workflow: tuple[PlanTask, ...], autonomy: str, numbers: list[int]
) -> None:
    hub = played(workflow, autonomy, numbers)
    view = view_of(hub.log)
    view.drain()
    goal, truth = view.goal, hub.truth
    assert view.parked == {}
    assert goal.status == hub.status
    assert {task_id: row.status for task_id, row in view.tasks.items()} == {
        task_id: task.word for task_id, task in truth.tasks.items()
    }
    words = [row.status for row in view.tasks.values()]
    assert goal.tasks_total == len(words)
    assert goal.tasks_done == words.count("done") + words.count("skipped")
    assert (goal.tasks_queued, goal.tasks_running) == (words.count("enqueued"), words.count("in_progress"))
    assert goal.open_questions == len(truth.questions)
    assert goal.llm_calls == sum(row.calls for row in view.usage.values())
    for task_id, task in truth.tasks.items():
        ended = [row.outcome for key, row in sorted(view.attempts.items()) if key[0] == task_id and row.outcome]
        assert ended == [record.outcome for record in task.attempts]


@GAMES
@given(shapes, moves)
def test_what_cannot_be_read_parks_its_aggregate_alone(workflow: tuple[PlanTask, ...], numbers: list[int]) -> None:
    log = played(workflow, "full", numbers, hostile=True).log
    first: dict[str, int] = {}
    for recorded in log:
        if isinstance(recorded.event, Unreadable):
            first.setdefault(parse_subject(recorded.subject).originator_id, recorded.seq)
    assert {aggregate: row.seq for aggregate, row in view_of(log).parked.items()} == first


def test_usage_adds_up_and_says_what_has_no_price() -> None:
    hub = a_goal(step("a")).claimed("t-a")
    for turn, cost in enumerate((0.1, 0.2, None)):
        call = LlmCalled(
            task_id="t-a",
            attempt=1,
            turn=turn,
            model="m",
            provider="p",
            stop_reason="end_turn",
            request_hash="h",
            input_tokens=10,
            output_tokens=1,
            cost_usd=cost,
        )
        hub.tell("t-a", call)
    view = view_of(hub.log)
    (usage,) = view.usage.values()
    attempt = view.attempts["t-a", 1]
    assert (usage.calls, usage.input_tokens, usage.cost_usd, usage.unpriced_calls) == (3, 30, 0.3, 1)
    assert (attempt.llm_calls, attempt.output_tokens, attempt.cost_usd) == (3, 3, 0.3)
    assert (view.goal.llm_calls, view.goal.cost_usd, view.goal.unpriced_calls) == (3, 0.3, 1)


def test_every_table_has_a_key_among_its_columns() -> None:
    for kind in TABLES:
        assert set(kind.key) <= set(kind.__struct_fields__)
