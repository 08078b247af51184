"""Looking after a hub that runs: maintenance over a restart, a drained worker, scaling, the doctor."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.running_hub import RunningHub, running_hub
from tests.support.until import until

pytestmark = pytest.mark.extra

WORKERS = ("--workers", "noop=1,coding=1")
QUICK = {"goal": "Measure", "workflow": [{"key": "a", "title": "Do a", "agent": "noop"}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operations") / "data"


@pytest.fixture(scope="module")
def hub(folder: Path) -> Iterator[RunningHub]:
    with running_hub(folder, *WORKERS) as running:
        yield running


def told(hub: RunningHub, *words: str) -> Any:
    """The one object that a command prints."""
    done = hub.cli(*words, "--json")
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout.splitlines()[-1])


async def waits_because(hub: RunningHub, goal_id: str, words: str) -> None:
    def said() -> bool:
        return words in hub.http.get(f"/api/v1/goals/{goal_id}").text

    await until(said, 300, f"{goal_id} says {words!r}")


async def test_in_maintenance_a_goal_waits_over_a_restart_and_goes_on_at_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running_hub(folder, *WORKERS) as first:
        told(first, "maintenance", "start", "--reason", "new disk")
        goal_id = first.submit(QUICK)
        await waits_because(first, goal_id, "the hub is in maintenance by local: new disk")
        assert first.end() == 0
    with running_hub(folder, *WORKERS) as again:
        assert told(again, "maintenance")["maintenance"]["reason"] == "new disk"
        assert told(again, "status")["held"]["maintenance"]["by"] == "local"
        assert again.http.get("/health/ready").json()["maintenance"]
        (lane,) = [lane for lane in again.get("/queues")["items"] if lane["waiting"]]
        assert (lane["agent_type"], lane["paused"] != "", lane["oldest_at"] is not None) == ("noop", True, True)
        assert again.get(f"/goals/{goal_id}")["status"] != "completed"
        assert told(again, "maintenance", "end") == {"maintenance": None, "paused": []}
        await again.wait_for(goal_id, "ready_for_review", "completed", deadline_s=300)


async def test_a_drained_worker_takes_nothing_until_it_is_told_to(hub: RunningHub) -> None:
    name = next(worker["worker"] for worker in hub.get("/workers")["items"] if "noop" in worker["types"])
    answer = told(hub, "workers", "drain", name, "--wait", "5")
    assert (answer["draining"], answer["holding"]) == (True, [])
    goal_id = hub.submit(QUICK)
    await waits_because(hub, goal_id, f"worker {name} is being drained")
    told(hub, "workers", "undrain", name)
    await hub.wait_for(goal_id, "ready_for_review", "completed", deadline_s=300)


async def test_a_worker_more_is_kept_alive_and_a_worker_less_goes_for_good(hub: RunningHub) -> None:
    (name,) = told(hub, "scale", "noop=2")["started"]
    dead = hub.kill(name)
    await hub.back(name, dead)
    await until(
        lambda: name in [worker["worker"] for worker in hub.get("/workers")["items"]], 300, f"{name} lives"
    )
    assert told(hub, "scale", "noop=1")["leaving"] == [name]
    await until(lambda: name not in hub.units(), 300, f"{name} is gone")
    with pytest.raises(ProcessLookupError):
        os.kill(dead, signal.SIG_DFL)
    refused = hub.cli("scale", "noop+coding=1")
    assert (refused.returncode, "need a key of their own" in refused.stderr) == (2, True)
    goal_id = hub.submit(QUICK)
    await hub.wait_for(goal_id, "ready_for_review", "completed", deadline_s=300)


async def test_a_log_level_is_changed_where_it_was_asked_for(hub: RunningHub) -> None:
    done = hub.cli("log-level", "debug", "--service", "worker", "--json")
    changed = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert {one["service"] for one in changed} == {"worker"}
    assert {(one["was"], one["now"]) for one in changed} == {("info", "debug")}
    assert "log_level_changed" in (hub.data.log_file("Worker-1")).read_text()
    assert hub.cli("log-level", "info").returncode == 0


async def test_the_doctor_looks_at_clock_accounts_and_drift(hub: RunningHub) -> None:
    checked = hub.cli("doctor", "--json")
    found = {one["name"]: one for one in map(msgspec.json.decode, checked.stdout.splitlines())}
    assert {found[name]["state"] for name in ("clock", "accounts", "drift")} == {"ok"}, checked.stdout
    assert "get in" in found["accounts"]["found"]
    assert "are as the log says" in found["drift"]["found"]
    secret = hub.data.root / "secret.json"
    secret.chmod(0o644)
    try:
        again = hub.cli("doctor", "--no-probe")
    finally:
        secret.chmod(0o600)
    assert (again.returncode, "others may read" in again.stdout) == (1, True)
