"""The command line beside goals that wait: it tells what it knows soon, says for whom they wait, and ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.goal import GoalAccepted, GoalPaused, GoalPlanned, GoalResumed
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.catalogue.values import Estimates, PlanTask
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.gateway import Gateway, running_gateway, running_projector, settings, write
from tests.support.running_hub import clean_environment, run_cli

BLOCKED = 3
HEARD_S = 120


@pytest.fixture
def log(bus: Client) -> JetStreamEventLog:
    return JetStreamEventLog(bus)


@pytest.fixture
async def gateway(log: JetStreamEventLog, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url)
    async with running_projector(log, database_url), running_gateway(wanted) as running:
        yield running


async def cli(gateway: Gateway, *words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(run_cli, *words, env={"AGENTHUB_URL": gateway.url}, timeout=300)


@asynccontextmanager
async def watching(
    gateway: Gateway, goal_id: str, *options: str
) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """`agenthub goal watch`; gives a function that waits until it has printed some words."""
    words = ("-m", "agenthub_cli.main", "goal", "watch", goal_id, *options, "--url", gateway.url)
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=PIPE, env=clean_environment())
    assert process.stdout is not None
    printed = process.stdout

    async def heard(wanted: str) -> None:
        async with asyncio.timeout(HEARD_S):
            async for line in printed:
                if wanted in line.decode():
                    return
        raise AssertionError(f"the watch ended without {wanted!r}")

    try:
        yield heard
    finally:
        process.kill()
        await process.communicate()


async def planned_goal(gateway: Gateway, log: JetStreamEventLog, **body: Any) -> str:
    """A goal with a plan of one task; nobody decides about it but the test."""
    goal_id = str((await gateway.submit(**body))["goal_id"])
    tasks = validate_plan([PlanTask(key="only", title="Only", agent="noop")], limits=MANUAL_LIMITS)
    estimates = Estimates(tasks=1, minutes=1, minutes_low=1, minutes_high=1)
    await write(log, goal_id, GOAL_AS_A_WHOLE, GoalPlanned(revision=1, tasks=tasks, estimates=estimates))
    return goal_id


def order(task_id: str) -> TaskEnqueued:
    return TaskEnqueued(
        task_id=task_id, agent="noop", agent_type="noop", attempt=1, lane="p2", title="Only", timeout_s=60
    )


async def test_a_goal_that_nobody_knows_is_not_watched(gateway: Gateway) -> None:
    for command in ("watch", "show"):
        told = await cli(gateway, "goal", command, "g-" + "0" * 26)
        assert (told.returncode, told.stdout) == (1, "")
        assert told.stderr.startswith("error: There is no goal `g-000")


async def test_who_watches_hears_soon_of_orders_and_that_nobody_takes_them(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    goal_id = await planned_goal(gateway, log)
    async with watching(gateway, goal_id) as heard:
        await heard("Generated workflow with 1 task")
        await write(log, goal_id, "t-only", order("t-only"), "noop", "p2")
        # Sooner than the stream's own sign of life after 15 s.
        await heard("Enqueued tasks: only")
        await heard("t-only: no running worker serves `noop`: start one with `agenthub worker noop`")
    shown = await cli(gateway, "goal", "show", goal_id)
    assert "t-only: no running worker serves `noop`" in shown.stdout

    end = await write(log, goal_id, GOAL_AS_A_WHOLE, GoalPaused(by="anna", reason="Lunch"))
    again = await cli(gateway, "goal", "watch", goal_id, "--from", "now")
    assert (again.returncode, again.stdout.count("\n")) == (BLOCKED, 1)
    behind = await cli(gateway, "goal", "watch", goal_id, "--from", str(end - 2))
    assert behind.returncode == BLOCKED
    assert ["Enqueued tasks: only" in line for line in behind.stdout.splitlines()] == [True, False, False]
    assert (await cli(gateway, "goal", "watch", goal_id, "--from", "yesterday")).returncode == 2


@pytest.mark.parametrize("begins", ["behind the last rest", "at the beginning"])
async def test_what_a_command_has_changed_is_followed_although_the_read_models_do_not_know_it_yet(
    log: JetStreamEventLog, nats_server: NatsServer, database_url: str, begins: str
) -> None:
    async with AsyncExitStack() as projecting:
        await projecting.enter_async_context(running_projector(log, database_url))
        async with running_gateway(settings(nats_server.authorised_url, database_url)) as gateway:
            goal_id = await planned_goal(gateway, log)
            paused = await write(log, goal_id, GOAL_AS_A_WHOLE, GoalPaused(by="anna", reason="Lunch"))
            rests = await cli(gateway, "goal", "watch", goal_id, "--from", str(paused))
            assert rests.returncode == BLOCKED
            await projecting.aclose()
            resumed = await write(log, goal_id, GOAL_AS_A_WHOLE, GoalResumed(by="anna"))
            start = () if begins == "at the beginning" else ("--from", str(resumed - 1))
            async with watching(gateway, goal_id, *start) as heard:
                await heard("Resumed")
                await write(log, goal_id, GOAL_AS_A_WHOLE, GoalPaused(by="anna", reason="Tea"))
                await heard("Tea")
                async with running_projector(log, database_url):
                    await heard(f"goal resume {goal_id}")


async def test_a_plan_that_waits_for_approval_ends_the_watch_and_stands_in_the_inbox(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    goal_id = await planned_goal(gateway, log, autonomy="approve_plan")
    watched = await cli(gateway, "goal", "watch", goal_id)
    assert watched.returncode == BLOCKED
    assert "Generated workflow with 1 task" in watched.stdout.splitlines()[-2]
    assert f"goal plan {goal_id} --approve" in watched.stdout.splitlines()[-1]
    inbox = await cli(gateway, "inbox")
    assert "waits for approval of its plan: " in inbox.stdout
    assert f"goal plan {goal_id} --approve" in inbox.stdout
    [item] = [msgspec.json.decode(line) for line in (await cli(gateway, "inbox", "--json")).stdout.splitlines()]
    assert (item["goal_id"], item["waits_for"]) == (goal_id, "approval of its plan")


async def test_the_inbox_names_the_answer_that_fits_and_an_answer_says_what_it_does(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    goal_id = await planned_goal(gateway, log)
    ids = {}
    for task_id, options in (("t-choice", ("Blue", "Red")), ("t-words", ())):
        question = AgentBlocked(task_id=task_id, attempt=1, question="Which?", options=options, worker="Worker-1")
        ids[task_id] = f"q-{await write(log, goal_id, task_id, question)}"
    await gateway.get(f"/api/v1/goals/{goal_id}", after=int(ids["t-words"][2:]))
    inbox = (await cli(gateway, "inbox")).stdout
    assert f"answer {ids['t-choice']} --option 1" in inbox
    assert f'answer {ids["t-words"]} --text "…"' in inbox

    chosen = await cli(gateway, "answer", ids["t-choice"], "--option", "2", "--key", "k")
    assert chosen.stdout.startswith("Answered: Red\nFollow it with: "), chosen.stderr
    assert f"goal watch {goal_id} --from " in chosen.stdout
    repeated = await cli(gateway, "answer", ids["t-choice"], "--option", "2", "--key", "k", "--json")
    assert repeated.returncode == 0
    cancelled = await cli(gateway, "answer", ids["t-words"], "--action", "cancel")
    assert cancelled.stdout.startswith("The task is cancelled"), cancelled.stderr


async def test_what_a_hub_refuses_is_said_once_with_its_place(gateway: Gateway, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_bytes(msgspec.json.encode([{"key": "a", "title": "A", "depends_on": ["b"]}]))
    secrets = tmp_path / "secrets.txt"
    secrets.write_text("long-enough-1\n\nshort\n")
    for words, place in (
        (("--max-llm-calls", "2000000"), "--max-llm-calls: "),
        (("--workflow", str(plan)), "--workflow: "),
        (("--secrets", str(secrets)), "--secrets number 2: "),
    ):
        told = await cli(gateway, "goal", "submit", "x", *words)
        lines = told.stderr.splitlines()
        assert (told.returncode, len(lines)) == (2, 1), told.stderr
        assert lines[0].startswith(f"error: {place}"), told.stderr
        assert "Expected" not in lines[0]
    unknown = await cli(gateway, "goal", "list", "--status", "foo")
    assert "known are accepted, planning" in unknown.stderr
    assert (await cli(gateway, "goal", "list", "--status", "paused")).stdout == "No goal is paused\n"
    assert "A goal needs a sentence" in (await cli(gateway, "goal", "submit", " ")).stderr


async def test_secrets_of_a_file_stand_in_no_event_of_the_goal(
    gateway: Gateway, log: JetStreamEventLog, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.txt"
    secrets.write_text("first-secret-1\nsecond-secret-1\n")
    told = await cli(gateway, "goal", "submit", "use first-secret-1", "--secrets", str(secrets), "--json")
    goal_id = msgspec.json.decode(told.stdout)["goal_id"]
    (stored,) = await log.read(goal_id)
    assert isinstance(stored.event, GoalAccepted)
    assert stored.event.goal == "use [redacted]"
    texts = gateway.hub.writer.texts
    assert await texts.secrets_at(stored.event.secrets_ref, goal_id) == ("first-secret-1", "second-secret-1")
    missing = await cli(gateway, "goal", "submit", "x", "--secrets", str(tmp_path / "none"))
    assert "cannot be read" in missing.stderr
