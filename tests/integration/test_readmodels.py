"""What readers find in the read models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from agenthub_events.catalogue.task import KnowledgeRecorded, TaskCompleted
from agenthub_events.errors import InvalidInput
from agenthub_orchestrator.domain import Policy
from agenthub_runtime.errors import ReadModelsMissing
from agenthub_runtime.postgres.database import Connection, Database
from agenthub_runtime.readmodels import (
    GoalFilter,
    durations,
    get_dead_letter,
    get_goal,
    get_intervention,
    get_task,
    get_usage,
    list_attempts,
    list_dead_letters,
    list_gates,
    list_goals,
    list_interventions,
    list_knowledge,
    list_tasks,
    list_timeline,
    merge_chain,
    position,
)
from tests.support.minihub import GOAL
from tests.support.projected import log_of, projected, put
from tests.support.spec import Scenario, a_goal, finding, step
from tests.support.until import PATIENCE_S


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        yield database


@pytest.fixture
async def reader(database: Database) -> AsyncIterator[Connection]:
    async with database.connection() as connection:
        yield connection


def a_story() -> Scenario:
    """A goal whose tests fail once, are mended, and pass."""
    hub = a_goal(step("a"), step("b", "a"), requirements=("Unit tests",))
    hub.claimed("t-a").reserved("t-a").called("t-a", 1, 0.25).called("t-a", 2, 0.5)
    hub.tell("t-a", KnowledgeRecorded(task_id="t-a", kind="decision", text="tokens live an hour"))
    hub.done("t-a", changes=True).done("t-b", changes=True)
    hub.judged("gate-tests-1", False, failing=("test_refresh",), log_ref="log")
    hub.done("debug-tests-1", findings=(finding("clock skew"),))
    hub.done("fix-tests-1-1", changes=True)
    return hub.gates_pass()


async def test_a_story_is_told_by_every_list(database: Database, reader: Connection) -> None:
    hub = a_story()
    await projected(log_of(hub.log), database)

    goal = await get_goal(reader, GOAL)
    assert goal is not None
    assert (goal.status, goal.needs_you, goal.settled) == ("ready_for_review", True, False)
    assert (goal.head, goal.llm_calls, goal.cost_usd) == (hub.truth.head, 2, 0.75)
    assert [item.requirement_id for item in goal.coverage] == ["R1"]

    gates = await list_gates(reader, GOAL)
    assert [(gate.gate, gate.round, gate.verdict) for gate in gates] == [
        ("tests", 1, "failed"),
        ("tests", 2, "passed"),
        ("security", 1, "passed"),
        ("review", 1, "passed"),
    ]
    assert (gates[0].exit_code, gates[0].failing, gates[0].log_ref) == (1, ("test_refresh",), "log")
    assert gates[1].commit_id == goal.head

    chain = await merge_chain(reader, GOAL)
    assert [link.task_id for link in chain] == ["t-a", "t-b", "fix-tests-1-1"]
    assert all(left.head == right.base for left, right in pairwise(chain))

    debug = await get_task(reader, GOAL, "debug-tests-1")
    assert debug is not None
    assert (debug.status, debug.kind, debug.progress_percentage) == ("done", "debug", 100)
    assert debug.findings == (finding("clock skew"),)

    usage = await get_usage(reader, GOAL)
    assert (usage.calls, usage.cost_usd, usage.items[0].task_id) == (2, 0.75, "t-a")
    knowledge = await list_knowledge(reader, GOAL)
    assert [(item.kind, item.text) for item in knowledge.items] == [("decision", "tokens live an hour")]
    attempts = await list_attempts(reader, GOAL, "t-a")
    assert [(row.outcome, row.worker, row.llm_calls, row.model) for row in attempts] == [
        ("task.completed", "Worker-1", 2, "rehearsal")
    ]


async def test_a_dead_letter_and_its_question_can_be_found_by_their_ids(
    database: Database, reader: Connection
) -> None:
    hub = a_goal(step("a"), policy=Policy(max_retries=0)).failed("t-a", "workspace", "no disk")
    await projected(log_of(hub.log), database)
    letters = (await list_dead_letters(reader)).items
    questions = (await list_interventions(reader, GOAL)).items
    assert len(letters) + len(questions) >= 1
    for letter in letters:
        assert await get_dead_letter(reader, letter.dead_letter_id) == letter
    for question in questions:
        assert await get_intervention(reader, question.intervention_id) == question
        assert question.title
        assert question.question
    assert await get_intervention(reader, "q-0") is None
    assert await get_dead_letter(reader, "dl-0") is None


async def test_lists_come_in_pages_without_a_gap(database: Database, reader: Connection) -> None:
    hub = a_story()
    await projected(log_of(hub.log), database)
    whole = (await list_timeline(reader, GOAL)).items
    paged, cursor = [], None
    while True:
        page = await list_timeline(reader, GOAL, cursor, 4)
        paged.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == whole
    first = await list_tasks(reader, GOAL, None, 2)
    second = await list_tasks(reader, GOAL, first.next_cursor, 100)
    assert [task.ordinal for task in (*first.items, *second.items)] == list(range(1, len(hub.truth.tasks) + 1))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (GoalFilter(), True),
        (GoalFilter(status=["ready_for_review"], needs_you=True, priority="normal", text="jwt"), True),
        (GoalFilter(status=[]), False),
        (GoalFilter(needs_you=False), False),
        (GoalFilter(priority="urgent"), False),
        (GoalFilter(text="100%"), False),
    ],
)
async def test_goals_are_filtered(database: Database, reader: Connection, wanted: GoalFilter, found: bool) -> None:
    await projected(log_of(a_story().log), database)
    assert bool((await list_goals(reader, filters=wanted)).items) is found


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1; DROP TABLE goals", "9" * 30])
async def test_a_cursor_of_ones_own_making_is_refused(database: Database, reader: Connection, cursor: str) -> None:
    await projected(log_of([]), database)
    with pytest.raises(InvalidInput, match="next_cursor"):
        await list_goals(reader, cursor)


async def test_before_the_first_run_of_the_projector_readers_are_told_so(reader: Connection) -> None:
    assert await position(reader) is None
    with pytest.raises(ReadModelsMissing, match="is it running"):
        await list_goals(reader)


async def test_durations_need_a_few_finished_attempts(database: Database, reader: Connection) -> None:
    hub = a_goal(*(step(f"s{number}") for number in range(6)))
    for number in range(6):
        hub.done(f"t-s{number}")
    ends = [recorded.seq for recorded in hub.log if isinstance(recorded.event, TaskCompleted)]
    log = log_of(hub.log[: ends[3]])
    await projected(log, database)
    assert await durations(reader) == {}
    put(log, hub.log[ends[3] :])
    await projected(log, database)
    assert set(await durations(reader)) == {"coding"}
