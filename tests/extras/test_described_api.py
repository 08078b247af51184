"""The API does what it says of itself: schemathesis asks a real gateway, from its own OpenAPI document."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.shutdown import end_tasks
from tests.extras.refusals import KNOWN_GOALS
from tests.support.gateway import (
    Gateway,
    orchestrated,
    planned,
    running_gateway,
    running_projector,
    settings,
    write,
)

pytestmark = pytest.mark.extra

ROOT = Path(__file__).resolve().parents[2]
SEED = "8"
MAX_S = 900
STATUS_EVERY_S = 5
# The feed never ends; its answers are looked at in test_gateway_sse.py.
FEED = "/api/v1/stream"


@pytest.fixture
async def gateway(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url, data_dir=tmp_path / "data", embedded=True)
    async with running_projector(JetStreamEventLog(bus), database_url), running_gateway(wanted) as running:
        yield running


@contextlib.asynccontextmanager
async def an_orchestrator_that_says_it_runs(bus: Client) -> AsyncIterator[None]:
    """As long as the body lasts."""

    async def say() -> None:
        while True:
            await orchestrated(bus)
            await asyncio.sleep(STATUS_EVERY_S)

    saying = asyncio.ensure_future(say())
    try:
        yield
    finally:
        await end_tasks(saying)


async def goals_at_all_stages(gateway: Gateway) -> list[str]:
    """One that has just been accepted, one with a plan, and one with a plan to approve."""
    answers = [await gateway.submit(), await gateway.submit(), await gateway.submit(autonomy="approve_plan")]
    goals = [str(answer["goal_id"]) for answer in answers]
    for goal_id in goals[1:]:
        await write(gateway.hub.log, goal_id, "_", planned("first", "second"))
    await gateway.get("/api/v1/goals", after=await gateway.log_end())
    return goals


async def schemathesis(gateway: Gateway, goals: list[str], folder: Path, *options: str) -> tuple[int, str]:
    """Its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("st")),
        "run",
        f"{gateway.url}/schema/openapi.json",
        *("--seed", SEED, "--generation-deterministic", "--no-color"),
        *("--checks", "all", "--exclude-checks", "positive_data_acceptance", "--continue-on-failure"),
        *("--exclude-path", FEED, "--request-timeout", "20", "--workers", "1", "--warnings", "off"),
        # A path as a parameter is what most generated texts are not.
        *("--suppress-health-check", "filter_too_much"),
        *options,
        cwd=folder,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.extras.refusals",
            "PYTHONPATH": str(ROOT),
            KNOWN_GOALS: ",".join(goals),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(MAX_S):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, printed.decode()


@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing,stateful"])
async def test_every_answer_is_one_that_the_description_names(
    gateway: Gateway, bus: Client, tmp_path: Path, phases: str
) -> None:
    goals = await goals_at_all_stages(gateway)
    async with an_orchestrator_that_says_it_runs(bus):
        options = ("--phases", phases, "--max-examples", "25", "--no-shrink")
        code, printed = await schemathesis(gateway, goals, tmp_path, *options)
    assert code == 0, printed
