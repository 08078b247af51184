"""The projector on a real log and a real Postgres."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.base import Fence
from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.task import TaskNoted
from agenthub_events.ports import EventLog, Recorded
from agenthub_events.serialization.codec import Unreadable, encode
from agenthub_orchestrator.domain import Policy
from agenthub_orchestrator.errors import ReadModelsForeign, ReadModelsNewer
from agenthub_orchestrator.follower import Follower
from agenthub_orchestrator.projector.app import project
from agenthub_orchestrator.projector.projection import VERSION, ReadModels, generations, prepare_database
from agenthub_orchestrator.projector.rebuild import rebuild, verify
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.in_memory.run_log import InMemoryRunLog
from agenthub_runtime.in_memory.timers import InMemoryTimers
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.postgres.database import Connection, Database
from agenthub_runtime.projections import AsyncProjectionRunner, Changes
from agenthub_runtime.readmodels import (
    CHANNEL,
    ROW_KINDS,
    GoalFilter,
    PositionWatch,
    get_goal,
    graph,
    list_dead_letters,
    list_goals,
    list_interventions,
    list_tasks,
    list_timeline,
    position,
    wait_for_position,
)
from agenthub_runtime.shutdown import end_tasks
from tests.support.following import BACKOFF
from tests.support.minihub_driver import Driver
from tests.support.projected import projected
from tests.support.running_hub import clean_environment
from tests.support.scripted import TWELVE, ScriptedWorker, accepted, goal_id, store
from tests.support.spec import Scenario, step
from tests.support.until import PATIENCE_S, until


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await prepare_database(database)
        yield database


async def played(log: EventLog, goals: int) -> None:
    """Play some goals of twelve tasks to their end on `log`."""
    clock = SystemClock()
    timers = InMemoryTimers(clock)
    follower = Follower(
        log=log,
        runs=InMemoryRunLog(),
        artifacts=InMemoryArtifacts(),
        timers=timers,
        clock=clock,
        ids=SystemIds(),
        policy=Policy(),
    )
    tasks = [asyncio.ensure_future(follower.run()), asyncio.ensure_future(ScriptedWorker(log).run())]
    try:
        for number in range(1, goals + 1):
            await store(log, accepted(number))
        for number in range(1, goals + 1):

            async def sealed(number: int = number) -> bool:
                last = await log.last(f"{goal_id(number)}._.seal")
                return last is not None

            await until(sealed, 300, f"goal {number} sealed")
    finally:
        await end_tasks(*tasks)
        timers.close()


async def caught_up(log: EventLog, database: Database) -> None:
    end = await log.last_seq()

    async def reached() -> bool:
        async with database.connection() as connection:
            found = await position(connection)
        return found is not None and found.seq >= end

    await until(reached, 300, f"projector at {end}")


async def contents(database: Database, schema: str = "agenthub") -> dict[str, list[str]]:
    async with database.connection() as connection:
        return {
            kind.table: sorted(
                row["row"]
                for row in await connection.fetch(f'SELECT t::text AS row FROM "{schema}"."{kind.table}" t')
            )
            for kind in ROW_KINDS
        }


async def expected_contents(log: EventLog, database: Database) -> dict[str, list[str]]:
    """What the tables must hold: one undisturbed run from zero into a scratch generation."""
    async with database.connection() as connection:
        generation = await generations().create(connection)
    runner = AsyncProjectionRunner(log, database, ReadModels(log, generation.schema), generation)
    await runner.run(until=await log.last_seq())
    found = await contents(database, generation.schema)
    async with database.transaction() as connection:
        await generations().drop(connection, generation)
    return found


async def test_a_goal_is_projected_into_rows_that_readers_understand(bus: Client, database: Database) -> None:
    log = JetStreamEventLog(bus)
    projector = asyncio.ensure_future(project(log, database, BACKOFF))
    try:
        await played(log, 2)
        await caught_up(log, database)
        async with database.connection() as connection:
            goal = await get_goal(connection, goal_id(1))
            tasks = await list_tasks(connection, goal_id(1))
            shape = await graph(connection, goal_id(1))
            lines = await list_timeline(connection, goal_id(1))
            first = await list_goals(connection, None, 1)
            second = await list_goals(connection, first.next_cursor, 1)
            none = await list_goals(connection, filters=GoalFilter(status=["running"]))
    finally:
        await end_tasks(projector)

    assert goal is not None
    assert (goal.status, goal.tasks_total, goal.tasks_done, goal.needs_you) == ("ready_for_review", 12, 12, True)
    assert [task.key_name for task in tasks.items] == [key for key, _ in TWELVE]
    assert {task.status for task in tasks.items} == {"done"}
    assert len(shape.dependencies) == sum(len(depends_on) for _, depends_on in TWELVE)
    assert [line.text for line in lines.items[:3]] == [
        "Submitted goal: Goal 1",
        "Generated workflow with 12 tasks",
        "Enqueued tasks: analyze-requirements, design-architecture",
    ]
    assert lines.items[-1].text == "All tasks complete! Waiting for a person's review"
    assert [goal.goal_id for goal in (*first.items, *second.items)] == [goal_id(2), goal_id(1)]
    assert (second.next_cursor, none.items) == (None, [])


class Crash(Exception):
    """The process dies here."""


class CrashingReadModels(ReadModels):
    """Dies at random before, between and after the writes of a batch."""

    def __init__(self, log: EventLog, schema: str, chance: random.Random) -> None:
        super().__init__(log, schema, kept=2)
        self.chance = chance

    async def process_events(self, batch: Sequence[Recorded], *, position: int) -> Any:
        self._perhaps()
        changes = await super().process_events(batch, position=position)
        self._perhaps()
        return CrashingChanges(changes, self._perhaps)

    def _perhaps(self) -> None:
        if self.chance.random() < 0.15:
            raise Crash


class CrashingChanges:
    def __init__(self, changes: Changes, perhaps: Any) -> None:
        self._changes = changes
        self._perhaps = perhaps

    async def write(self, connection: Connection) -> None:
        self._perhaps()
        await self._changes.write(connection)
        self._perhaps()


async def test_the_projector_writes_every_event_once_however_often_it_dies(database: Database) -> None:
    log = InMemoryEventLog()
    await played(log, 6)
    end = await log.last_seq()
    async with database.connection() as connection:
        generation = await generations().first(connection)
    chance = random.Random(11)
    deaths = 0
    while True:
        runner = AsyncProjectionRunner(
            SmallBatches(log, chance), database, CrashingReadModels(log, generation.schema, chance), generation
        )
        try:
            await runner.run(until=end)
            break
        except Crash:
            deaths += 1
    assert deaths > 5
    assert await contents(database) == await expected_contents(log, database)


class SmallBatches(InMemoryEventLog):
    """The same log, in batches of random size."""

    def __init__(self, log: EventLog, chance: random.Random) -> None:
        super().__init__()
        self._log = log
        self._chance = chance

    async def follow(
        self, *, after: int, subjects: Sequence[str] = ("evt.>",)
    ) -> AsyncGenerator[list[Recorded], None]:
        async for batch in self._log.follow(after=after, subjects=subjects):
            start = 0
            while start < len(batch):
                size = self._chance.randint(1, 20)
                yield batch[start : start + size]
                start += size
            if not batch:
                yield []


async def test_i12_two_projectors_write_the_same_rows_as_one(database: Database) -> None:
    log = InMemoryEventLog()
    projectors = [asyncio.ensure_future(project(log, database, BACKOFF)) for _ in range(2)]
    try:
        await played(log, 4)
        await caught_up(log, database)
        # The loser waits for the winner's lock; when the winner goes, it goes on.
        await end_tasks(projectors[0])
        await store(log, accepted(9))
        await caught_up(log, database)
    finally:
        await end_tasks(*projectors)
    assert await contents(database) == await expected_contents(log, database)


async def test_i3_projections_rebuilt_from_zero_equal_the_live_ones(bus: Client, database: Database) -> None:
    log = JetStreamEventLog(bus)
    projector = asyncio.ensure_future(project(log, database, BACKOFF))
    try:
        await played(log, 3)
        await caught_up(log, database)
        verified = await verify(log, database)
        assert verified.differences == ()
        assert verified.rows > 3 * (12 + 12 + 1)
        before = await contents(database)

        rebuilt = await rebuild(log, database)
        assert rebuilt.generation == 2
        assert await contents(database) == before

        # The live projector has moved over by itself.
        await store(log, accepted(9))
        await caught_up(log, database)
        assert (await verify(log, database)).differences == ()
    finally:
        await end_tasks(projector)


def eventful(goals: int, chance: random.Random) -> InMemoryEventLog:
    """A log of goals with everything that workers, people and timers do to them, unreadable messages included."""
    games = []
    for number in range(1, goals + 1):
        hub = Scenario(Policy(max_retries=1, max_rounds=2), goal_id(number))
        hub.accepted(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
        Driver(hub, [chance.randrange(2**16) for _ in range(400)], hostile=number % 3 == 0).play()
        games.append(list(hub.log))
    log = InMemoryEventLog()
    while games := [game for game in games if game]:
        recorded = chance.choice(games).pop(0)
        event = recorded.event
        log.inject(recorded.subject, event.data if isinstance(event, Unreadable) else encode(event))
    return log


async def test_i3_rows_of_eventful_goals_do_not_depend_on_batches_and_evictions(database: Database) -> None:
    chance = random.Random(5)
    log = eventful(12, chance)
    async with database.connection() as connection:
        generation = await generations().first(connection)
    runner = AsyncProjectionRunner(
        SmallBatches(log, chance), database, ReadModels(log, generation.schema, kept=3), generation
    )
    await runner.run(until=await log.last_seq())
    verified = await verify(log, database)
    assert verified.differences == ()
    found = await contents(database)
    assert {table for table, rows in found.items() if not rows} <= {"usage"}


async def test_a_new_version_of_the_code_makes_a_new_generation_by_itself(database: Database) -> None:
    log = InMemoryEventLog()
    await played(log, 1)
    await projected(log, database)
    before = await contents(database)
    projector = asyncio.ensure_future(project(log, database, BACKOFF, version=VERSION + 1))
    try:

        async def switched() -> bool:
            async with database.connection() as connection:
                live = await generations().live(connection)
            return live is not None and live.version == VERSION + 1

        await until(switched, 300, "the next version is live")
        assert await contents(database) == before
    finally:
        await end_tasks(projector)
    with pytest.raises(ReadModelsNewer, match=f"version {VERSION + 1}"):
        await project(log, database, BACKOFF)


async def test_a_database_that_no_projector_has_seen_can_be_rebuilt(database_url: str) -> None:
    log = InMemoryEventLog()
    await played(log, 1)
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as untouched:
        assert (await rebuild(log, untouched)).position == await log.last_seq()
        assert (await verify(log, untouched)).differences == ()


async def test_read_models_of_another_log_are_refused(database: Database) -> None:
    log = InMemoryEventLog()
    await played(log, 1)
    await projected(log, database)
    with pytest.raises(ReadModelsForeign, match="another log"):
        await project(InMemoryEventLog(), database, BACKOFF)


async def test_verify_names_the_row_that_somebody_changed(database: Database) -> None:
    log = InMemoryEventLog()
    await played(log, 1)
    projector = asyncio.ensure_future(project(log, database, BACKOFF))
    try:
        await caught_up(log, database)
        async with database.connection() as connection:
            schema = (await generations().first(connection)).schema
            await connection.execute(f"""UPDATE "{schema}".goals SET goal = 'Something else'""")
            await connection.execute(f"""DELETE FROM "{schema}".tasks WHERE task_id = 't-integrate'""")
        verified = await verify(log, database)
    finally:
        await end_tasks(projector)
    found = {(difference.table, difference.key, difference.live is None) for difference in verified.differences}
    assert found == {
        ("goals", (goal_id(1),), False),
        ("tasks", (goal_id(1), "t-integrate"), True),
    }


async def test_a_poison_event_parks_its_aggregate_and_nothing_else(database: Database) -> None:
    log = InMemoryEventLog()
    await store(log, accepted(1))
    poison = log.inject(
        f"evt.{goal_id(1)}.t-integrate.task.exploded", b'{"type": "task.exploded", "n": "\\u0000"}'
    )
    log.inject("evt.nonsense", b"\x00\xff")
    log.inject(f"evt.{'x' * 3000}.y.task.noted", b"not json")
    last = await log.last(f"{goal_id(1)}.t-integrate")
    assert last is not None
    note = TaskNoted(task_id="t-integrate", by="me", text="a NUL: \0")
    await store(
        log,
        Fence(poison, 1).draft(goal_id(1), "t-integrate", note, "1"),
    )
    await store(
        log,
        Fence().draft(
            goal_id(1),
            "t-write-jwt-tests",
            TaskNoted(task_id="t-write-jwt-tests", by="me", text="a NUL: \0"),
            "1",
        ),
    )
    await played(log, 0)
    projector = asyncio.ensure_future(project(log, database, BACKOFF))
    try:
        await caught_up(log, database)
        async with database.connection() as connection:
            letters = (await list_dead_letters(connection)).items
            lines = (await list_timeline(connection, goal_id(1))).items
        assert (await verify(log, database)).differences == ()
    finally:
        await end_tasks(projector)
    parked = next(letter for letter in letters if letter.task_id == "t-integrate")
    assert (parked.kind, parked.seq, parked.skipped) == ("unreadable", poison, 1)
    assert "unknown event type `task.exploded`" in parked.reason
    assert len(letters) == 3
    assert [line.text for line in lines if line.task_id == "t-integrate"] == []
    assert "Note to t-write-jwt-tests: a NUL: \ufffd" in [line.text for line in lines]


async def test_a_question_is_listed_until_it_is_answered(database: Database) -> None:
    log = InMemoryEventLog()
    asked_at = await store(log, accepted(1))
    question = AgentBlocked(question="Which database?", options=("Postgres", "SQLite"), reason="plan")
    blocked = Fence().draft(goal_id(1), "_", question, "plan-1")
    seq = await store(log, blocked)
    projector = asyncio.ensure_future(project(log, database, BACKOFF))
    try:
        await caught_up(log, database)
        async with database.connection() as connection:
            asked = (await list_interventions(connection)).items
            goal = await get_goal(connection, goal_id(1))
        answer = AgentAnswered(action="answer", by="me", blocked_seq=seq, text="Postgres")
        await store(log, Fence(seq, 1).draft(goal_id(1), "_", answer, "r1"))
        await caught_up(log, database)
        async with database.connection() as connection:
            still = (await list_interventions(connection)).items
            closed = (await list_interventions(connection, state=None)).items
    finally:
        await end_tasks(projector)
    assert asked_at < seq
    assert [(row.intervention_id, row.task_id, row.options) for row in asked] == [
        (f"q-{seq}", "_", ("Postgres", "SQLite"))
    ]
    assert goal is not None
    assert (goal.status, goal.needs_you, goal.open_questions) == ("awaiting_human", True, 1)
    assert still == []
    assert [(row.state, row.answered_by, row.answer) for row in closed] == [("answered", "me", "Postgres")]


async def test_readers_can_wait_for_an_event_to_be_projected(database: Database) -> None:
    log = InMemoryEventLog()
    projector = asyncio.ensure_future(project(log, database, BACKOFF))
    alone = await database.alone()
    try:
        async with PositionWatch(database, BACKOFF) as watch:
            assert not await watch.wait(1, 0.05)
            waits = asyncio.ensure_future(watch.wait(1, 10))
            seq = await store(log, accepted(1))
            assert await waits
            assert await wait_for_position(alone, seq, 5)
            assert not await wait_for_position(alone, seq + 1, 0.05)
            assert watch.current is not None
            assert watch.current.generation == 1
    finally:
        await alone.close()
        await end_tasks(projector)


def test_a_projector_that_is_told_of_no_database_refuses_by_the_settings_name() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "agenthub_orchestrator.projector"],
        env={**clean_environment(), "NATS_URL": "nats://127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert refused.returncode == 1
    assert "DATABASE_URL is not set" in refused.stderr


async def test_a_note_of_the_position_is_sent_with_each_commit(database: Database) -> None:
    log = InMemoryEventLog()
    heard: list[str] = []
    alone = await database.alone()
    await alone.add_listener(CHANNEL, lambda *note: heard.append(str(note[3])))
    projector = asyncio.ensure_future(project(log, database, BACKOFF))
    try:
        seq = await store(log, accepted(1))
        await until(lambda: str(seq) in heard, 300, "the position is told")
    finally:
        await alone.close()
        await end_tasks(projector)
