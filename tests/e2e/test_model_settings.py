"""A hub whose model settings are wrong: it says so when it starts, to the doctor, and on the goal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from agenthub_events.catalogue.task import TaskParked
from agenthub_runtime.embedded.servers.tcp_ports import claimable_port
from tests.support.running_hub import RunningHub, running_hub

pytestmark = pytest.mark.extra

WORKFLOW: dict[str, Any] = {
    "goal": "Do one thing",
    "workflow": [{"key": "one", "title": "Do it", "agent": "coding"}],
}


@pytest.fixture(scope="module")
def address() -> str:
    """Where nobody listens."""
    return f"http://127.0.0.1:{claimable_port('127.0.0.1', 0)}"


@pytest.fixture(scope="module")
def deserted(tmp_path_factory: pytest.TempPathFactory, address: str) -> Iterator[RunningHub]:
    """A hub whose model server is not there."""
    env = {"AGENTHUB_PROVIDER": "local", "AGENTHUB_MODEL": "coder", "ANTHROPIC_BASE_URL": address}
    with running_hub(
        tmp_path_factory.mktemp("deserted") / "data", "--workers", "planner+coding=1", env=env
    ) as hub:
        yield hub


def test_the_line_of_a_ready_hub_says_that_its_model_is_unreachable(deserted: RunningHub, address: str) -> None:
    told = deserted.ready.model
    assert told is not None
    assert (told["provider"], told["state"]) == ("local", "failed")
    assert told["models"] == {"coding": "coder", "planner": "coder"}
    assert address in told["found"]


def test_the_doctor_asks_the_hub_and_not_its_own_shell_and_fails(deserted: RunningHub, address: str) -> None:
    done = deserted.cli("doctor", "--json")
    checks = {check["name"]: check for check in map(msgspec.json.decode, done.stdout.splitlines())}
    assert done.returncode == 1, done.stdout
    assert checks["model"]["state"] == "failed"
    assert "unreachable" in checks["model"]["found"]
    assert address in checks["model"]["found"]
    assert deserted.cli("doctor", "--no-probe").returncode == 0


async def test_a_goal_on_a_server_that_is_not_there_is_paused_and_says_where(
    deserted: RunningHub, address: str
) -> None:
    goal_id = deserted.submit(WORKFLOW)
    await deserted.wait_for(goal_id, "paused")
    (parked,) = await deserted.of(goal_id, TaskParked)
    assert parked.reason == "unreachable"
    assert address in parked.detail
    assert any(address in line for line in await deserted.told(goal_id))
