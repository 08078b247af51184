"""Whatever an event says, and whatever its rows meet: no other goal waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.gate import GateFailed
from agenthub_events.catalogue.goal import GoalAccepted, GoalPaused, GoalReplanned
from agenthub_events.catalogue.log import LogQuarantined, LogReleased
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskFailed, TaskNoted, TaskParked, TaskStarted
from agenthub_events.redaction import mapped, storable
from agenthub_events.serialization.codec import encode
from agenthub_orchestrator.projector.app import project
from agenthub_orchestrator.projector.projection import prepare_database
from agenthub_orchestrator.projector.rebuild import rebuild, verify
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.readmodels import get_goal, list_dead_letters, list_goals, position
from agenthub_runtime.shutdown import end_tasks
from tests.support.following import BACKOFF
from tests.support.scripted import goal_id
from tests.support.until import PATIENCE_S, until

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HUGE = 2**200
LONG = "k" * 9_000


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await prepare_database(database)
        yield database


def put(log: InMemoryEventLog, goal: int | str, task: str, event: Event, at: datetime = AT) -> int:
    name = goal if isinstance(goal, str) else goal_id(goal)
    stored = msgspec.structs.replace(event, timestamp=at, originator_id=f"{name}.{task}", originator_version=1)
    return log.inject(f"evt.{name}.{task}.{event.type}", encode(stored))


def begun(log: InMemoryEventLog, *numbers: int) -> None:
    for number in numbers:
        put(log, number, "_", GoalAccepted(goal=f"Goal {number}", submitted_by="ada"))


@asynccontextmanager
async def projecting(log: InMemoryEventLog, database: Database) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(project(log, database, BACKOFF, look_every_s=0.2))
    try:
        yield task
        assert not task.done(), task.exception()
    finally:
        await end_tasks(task)


async def caught_up(log: InMemoryEventLog, database: Database) -> None:
    async def reached() -> bool:
        async with database.connection() as connection:
            found = await position(connection)
        return found is not None and found.seq >= await log.last_seq()

    await until(reached, 300, "the projector at the end of the log")


async def run(sql: str, database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(sql)


FAR_WEST, FAR_EAST = timezone(timedelta(hours=-14)), timezone(timedelta(hours=14))


def parked_until(moment: datetime) -> Event:
    return TaskParked(task_id="t-a", attempt=1, reason="overload", until=moment)


HARD_VALUES: dict[str, tuple[str, Event]] = {
    "the six characters of a NUL": (
        "_",
        GoalAccepted(goal="\\u0000", requirements=("\\u0000", "a\\\\u0000b", "\0", '"\\u0000'), submitted_by="\0"),
    ),
    "a NUL in an id": (
        "t-a",
        TaskStarted(task_id="t\0a", attempt=1, worker="w\0", agent="a", instance="i", delivery=1, ack_subject=""),
    ),
    "a number beyond bigint": (
        "gate-tests-1",
        GateFailed(gate="tests", round=HUGE, attempt=-HUGE, task_id="t", commit="", exit_code=HUGE),
    ),
    "numbers beyond double precision": (
        "t-a",
        LlmCalled(
            task_id="t-a",
            attempt=HUGE,
            turn=1,
            model=LONG,
            provider="\0",
            stop_reason="",
            request_hash="",
            cost_usd=1e308,
            input_tokens=HUGE,
        ),
    ),
    "a key that no index takes": (
        "t-a",
        TaskFailed(task_id=LONG, attempt=1, failure_class="model", reason=LONG),
    ),
    "a date beyond the calendar": ("t-a", parked_until(datetime.max.replace(tzinfo=FAR_WEST))),
    "a date before the calendar": ("t-a", parked_until(datetime.min.replace(tzinfo=FAR_EAST))),
    "a date without a zone": ("t-a", parked_until(AT.replace(tzinfo=None))),
    "options of a question": ("t-a", AgentBlocked(question="\0\\u0000", task_id="t-a", options=("\0", "\\u0000"))),
}


@pytest.mark.parametrize("name", HARD_VALUES)
async def test_what_a_column_cannot_hold_becomes_what_it_can(database: Database, name: str) -> None:
    log = InMemoryEventLog()
    begun(log, 1, 2)
    task, event = HARD_VALUES[name]
    for _ in range(2):
        put(log, 1, task, event)
    put(log, 2, "_", GoalPaused(by="ada", reason="lunch"))
    async with projecting(log, database):
        await caught_up(log, database)
        async with database.connection() as connection:
            goals = await list_goals(connection)
            letters = await list_dead_letters(connection, state=None)
        assert [goal.status for goal in goals.items if goal.goal_id == goal_id(2)] == ["paused"]
        assert len(goals.items) == 2
        assert letters.items == []
        assert (await verify(log, database)).differences == ()
    assert log_is_exact(log, event)


def log_is_exact(log: InMemoryEventLog, event: Event) -> bool:
    stored = [recorded.event for recorded in log._messages if isinstance(recorded.event, type(event))]
    plain = {"timestamp": event.timestamp, "originator_id": "", "originator_version": 0}
    # A NUL of a foreign writer is the one thing that reading changes.
    said = mapped(event, storable)
    return any(msgspec.structs.replace(found, **plain) == said for found in stored)


async def test_the_six_characters_come_out_as_they_were_said(database: Database) -> None:
    log = InMemoryEventLog()
    put(log, 1, "_", GoalAccepted(goal="x", requirements=("say \\u0000", "nul \0 in it"), submitted_by="ada"))
    async with projecting(log, database):
        await caught_up(log, database)
        async with database.connection() as connection:
            goal = await get_goal(connection, goal_id(1))
    assert goal is not None
    assert goal.requirements == ("say \\u0000", "nul \ufffd in it")


async def refuse(database: Database, table: str, column: str, word: str) -> None:
    """A database that will not have a word in a column: it stands for any fault that one message alone meets."""
    await run(
        f"ALTER TABLE readmodels_v5_g1.{table} ADD CONSTRAINT fault CHECK (position('{word}' in {column}) = 0)",
        database,
    )


async def begins(log: InMemoryEventLog, database: Database) -> None:
    async with projecting(log, database):
        await caught_up(log, database)


async def test_a_message_that_cannot_be_written_is_set_aside_and_taken_up_after_the_fix(
    database: Database,
) -> None:
    log = InMemoryEventLog()
    begun(log, 1, 2)
    await begins(log, database)
    await refuse(database, "tasks", "reason", "POISON")
    put(log, 1, "t-b", TaskFailed(task_id="t-b", attempt=1, failure_class="model", reason="fine"))
    poison = put(log, 1, "t-a", TaskFailed(task_id="t-a", attempt=1, failure_class="model", reason="POISON"))
    put(log, 1, "t-a", TaskNoted(task_id="t-a", by="ada", text="later"))
    put(log, 1, "_", GoalPaused(by="ada", reason="lunch"))
    put(log, 2, "_", GoalPaused(by="bob", reason="tea"))
    async with projecting(log, database):
        await caught_up(log, database)
        await until(lambda: told(log, LogQuarantined), 300, "the log is told")
        await caught_up(log, database)
        async with database.connection() as connection:
            goals = (await list_goals(connection)).items
            letter = (await list_dead_letters(connection, goal_id(1))).items[0]
        assert [goal.pause_reason for goal in goals] == ["tea", "lunch"]
        assert (letter.kind, letter.aggregate, letter.subject) == (
            "unwritable", f"{goal_id(1)}.t-a", f"evt.{goal_id(1)}.t-a.task.failed",
        )  # fmt: skip
        assert "fault" in letter.reason
        assert letter.skipped == 1
        assert (await verify(log, database)).differences == ()
    event = told(log, LogQuarantined)[0]
    assert isinstance(event, LogQuarantined)
    assert (event.by, event.aggregate, event.message_seq) == ("projector", f"{goal_id(1)}.t-a", poison)
    assert told(log, LogReleased) == []

    # The same code in a new process leaves out the same, and says nothing twice.
    put(log, 1, "t-a", TaskNoted(task_id="t-a", by="ada", text="later still"))
    await begins(log, database)
    assert len(told(log, LogQuarantined)) == 1
    assert (await verify(log, database)).differences == ()

    # `agenthub rebuild` makes tables without the fault.
    await rebuild(log, database)
    async with projecting(log, database):
        await until(lambda: told(log, LogReleased), 300, "the log is told")
        await caught_up(log, database)
        async with database.connection() as connection:
            assert (await list_dead_letters(connection, state=None)).items == []
        assert (await verify(log, database)).differences == ()


def told(log: InMemoryEventLog, kind: type[Event]) -> list[Event]:
    return [recorded.event for recorded in log._messages if isinstance(recorded.event, kind)]


async def test_a_goal_whose_own_row_cannot_be_written_stays_as_it_was(database: Database) -> None:
    log = InMemoryEventLog()
    begun(log, 1, 2)
    await begins(log, database)
    await refuse(database, "goals", "pause_reason", "POISON")
    for number in (1, 2, 3):
        put(log, number, "_", GoalPaused(by="ada", reason="POISON" if number == 1 else "tea"))
    # Another aggregate of the goal: its rows would hold the poison as well.
    put(log, 1, "t-a", TaskFailed(task_id="t-a", attempt=1, failure_class="model", reason="x"))
    async with projecting(log, database):
        await caught_up(log, database)
        async with database.connection() as connection:
            goals = {goal.goal_id: goal.pause_reason for goal in (await list_goals(connection)).items}
            letters = (await list_dead_letters(connection)).items
        assert goals == {goal_id(1): "", goal_id(2): "tea"}
        assert [letter.aggregate for letter in letters] == [f"{goal_id(1)}._.goal"]
        assert (await verify(log, database)).differences == ()


async def test_when_an_aggregate_is_not_enough_the_whole_goal_is_left_out(database: Database) -> None:
    log = InMemoryEventLog()
    begun(log, 1, 2)
    await begins(log, database)
    # Every message changes the goal's row: what is left out of one aggregate changes nothing.
    await run(
        "ALTER TABLE readmodels_v5_g1.goals ADD CONSTRAINT fault CHECK (events < 2 OR goal <> 'Goal 1')", database
    )
    for number in (1, 2, 1, 2):
        put(log, number, "_", GoalPaused(by="ada", reason="tea"))
    async with projecting(log, database):
        await caught_up(log, database)
        async with database.connection() as connection:
            goals = {
                goal.goal_id: (goal.events, goal.pause_reason) for goal in (await list_goals(connection)).items
            }
            letters = (await list_dead_letters(connection)).items
        assert goals == {goal_id(1): (1, ""), goal_id(2): (3, "tea")}
        assert [(letter.aggregate, letter.skipped) for letter in letters] == [(goal_id(1), 1)]
        assert (await verify(log, database)).differences == ()
    await begins(log, database)
    assert (await verify(log, database)).differences == ()


async def test_what_fails_for_every_message_sets_nothing_aside(database: Database) -> None:
    log = InMemoryEventLog()
    begun(log, 1)
    await begins(log, database)
    before = await log.last_seq()
    await run("ALTER TABLE agenthub.projection_positions ADD CONSTRAINT fault CHECK (position < 2)", database)
    put(log, 1, "_", GoalPaused(by="ada", reason="tea"))
    async with projecting(log, database) as task:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 1.5)
        await run("ALTER TABLE agenthub.projection_positions DROP CONSTRAINT fault", database)
        await caught_up(log, database)
        async with database.connection() as connection:
            assert (await list_dead_letters(connection, state=None)).items == []
    assert await log.last_seq() == before + 1


async def test_two_projectors_set_the_same_aside_once(database: Database) -> None:
    log = InMemoryEventLog()
    begun(log, 1, 2)
    await begins(log, database)
    await refuse(database, "tasks", "reason", "POISON")
    async with projecting(log, database), projecting(log, database):
        put(log, 1, "t-a", TaskFailed(task_id="t-a", attempt=1, failure_class="model", reason="POISON"))
        put(log, 2, "_", GoalPaused(by="bob", reason="tea"))
        await until(lambda: told(log, LogQuarantined), 300, "the log is told")
        await caught_up(log, database)
        assert (await verify(log, database)).differences == ()
    assert len(told(log, LogQuarantined)) == 1


async def test_a_message_that_the_fold_cannot_take_is_a_dead_letter_of_its_goal(database: Database) -> None:
    log = InMemoryEventLog()
    begun(log, 1, 2)
    put(log, 1, "_", GoalReplanned(revision=2, origin="agent", cause="proposal-x"))
    put(log, 2, "_", GoalPaused(by="bob", reason="tea"))
    async with projecting(log, database):
        await caught_up(log, database)
        async with database.connection() as connection:
            letters = (await list_dead_letters(connection, goal_id(1))).items
        assert [letter.kind for letter in letters] == ["unreadable"]
        assert (await verify(log, database)).differences == ()
