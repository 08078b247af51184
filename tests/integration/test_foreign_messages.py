"""Messages that no code of ours wrote: they are marked, and neither the orchestrator nor the projector waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from agenthub_orchestrator.domain import Policy
from agenthub_orchestrator.follower import Follower
from agenthub_orchestrator.projector.app import project
from agenthub_orchestrator.projector.projection import prepare_database
from agenthub_orchestrator.projector.rebuild import verify
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from agenthub_runtime.jetstream.timers import NatsTimers
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.readmodels import list_dead_letters, list_goals
from agenthub_runtime.shutdown import end_tasks
from tests.integration.test_orchestrator import ready, running
from tests.integration.test_projector import caught_up
from tests.support.following import BACKOFF
from tests.support.scripted import ScriptedWorker, accepted, goal_id, store
from tests.support.until import PATIENCE_S, until

HIT, SPARED, UNKNOWN = goal_id(1), goal_id(2), goal_id(3)
DEEP = b'{"type":"goal.noted","text":' + b"[" * 100_000
# By the aggregate that a message hits: its subject, its body, and its headers.
FOREIGN: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "a type of tomorrow": (f"evt.{HIT}.t-new.task.teleported", b'{"type":"task.teleported"}', {}),
    "a version of tomorrow": (f"evt.{HIT}._.goal.paused", b'{"type":"goal.paused","class_version":9}', {}),
    "no JSON": (f"evt.{HIT}._.gate.passed", b"\xff\xfe\x00", {}),
    "nothing": (f"evt.{HIT}._.plan.approved", b"", {}),
    "without end": (f"evt.{HIT}._.merge.done", DEEP, {}),
    "a surrogate": (f"evt.{HIT}._.budget.reserved", b'{"type":"budget.reserved","task_id":"\\ud800"}', {}),
    "another goal": (f"evt.{HIT}._.question.asked", b'{"type":"goal.completed","originator_id":"x"}', {}),
    "headers": (
        f"evt.{HIT}.t-headers.task.noted",
        b"{}",
        {"traceparent": "00-\x7f-x", "Agenthub-Encoding": "zstd", "Nats-Msg-Id": "x" * 9_000, "x": "\x1b[2J"},
    ),
    "a goal that nobody submitted": (f"evt.{UNKNOWN}._.goal.cancelled", b'{"type":"goal.cancelled","by":"x"}', {}),
    "a task of that goal": (f"evt.{UNKNOWN}.t-a.task.completed", b'{"type":"task.completed","task_id":"t-a"}', {}),
    "the hub": ("evt.hub._.odd.thing", b"{}", {}),
    "a schedule": ("evt.hub.s-odd.schedule.odd", b"[]", {}),
    "no goal's name": ("evt.G-1.Task.x.y", b"{}", {}),
    "too short": ("evt.strange", b"{}", {}),
    "too long": (f"evt.{HIT}.t-{'a' * 400}.x.y.{'z.' * 40}z", b"{}", {}),
    "signs of a terminal": (f"evt.{HIT}.t-\x1b[2J\u202e.x.y", b"{}", {}),
}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await prepare_database(database)
        yield database


def follower(bus: Client, log: JetStreamEventLog) -> Follower:
    return Follower(
        log=log,
        runs=JetStreamRunLog(bus),
        artifacts=JetStreamArtifacts(bus),
        timers=NatsTimers(bus),
        clock=SystemClock(),
        ids=SystemIds(),
        policy=Policy(),
        start=None,
    )


async def test_foreign_messages_are_marked_and_nothing_waits_for_them(bus: Client, database: Database) -> None:
    log = JetStreamEventLog(bus)
    await store(log, accepted(1))
    stored = {}
    projector = asyncio.ensure_future(project(log, database, BACKOFF))
    try:
        with capture_logs() as said:
            async with running(follower(bus, log), ScriptedWorker(log)):
                for name, (subject, body, headers) in FOREIGN.items():
                    stored[name] = (await bus.jetstream().publish(subject, body, headers=headers or None)).seq
                await store(log, accepted(2))
                await until(ready(log, 2), 300, "a goal that nobody has hit is worked on")
                await caught_up(log, database)
        async with database.connection() as connection:
            letters = {letter.seq: letter for letter in (await list_dead_letters(connection)).items}
            goals = {goal.goal_id for goal in (await list_goals(connection)).items}
        assert (await verify(log, database)).differences == ()
        assert not projector.done()
    finally:
        await end_tasks(projector)
    # What can be read of a goal that nobody submitted has no rows to stand in; the log of the service names it.
    assert {name for name, seq in stored.items() if seq not in letters} == {"a goal that nobody submitted"}
    told = {line.get("seq"): line.get("why") for line in said if line["event"] == "foreign_event"}
    assert told[stored["a goal that nobody submitted"]] == "nobody submitted its goal"
    assert {letters[seq].kind for seq in stored.values() if seq in letters} == {"unreadable"}
    assert goals == {HIT, SPARED}
