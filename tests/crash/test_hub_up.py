"""`agenthub up` under fire: all that it runs is killed, then it is, and the sample goal ends all the same."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agenthub_events.base import Event
from agenthub_events.catalogue.gate import GateFailed, GateVerdict
from agenthub_events.catalogue.goal import GoalPlanned, GoalReadyForReview
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import MergeDone, TaskCompleted, TaskStarted
from tests.support.running_hub import SAMPLE, RunningHub, living, run_cli, running_hub, start_hub
from tests.support.stopwatch import Stopwatch
from tests.support.until import until

pytestmark = pytest.mark.extra

# How the tasks end that no planner has made.
BY_RULE = [
    ("plan-1", "task.completed"),
    ("gate-tests-1", "gate.failed"),
    ("debug-tests-1", "task.completed"),
    ("fix-tests-1-1", "task.completed"),
    ("gate-tests-2", "gate.passed"),
    ("gate-security-1", "gate.passed"),
    ("gate-review-1", "gate.passed"),
]


def on(kind: type[Event], task_id: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, kind) and getattr(event, "task_id", "") == task_id


# Enough for two parts to be built side by side.
WORKERS = ("--workers", "architect+planner=1,coding=2,testing=1,debug+security+review=1")
KILLS: tuple[tuple[Callable[[Event], bool], str], ...] = (
    (on(TaskCompleted, "t-analyze-requirements"), "orchestrator"),
    (on(LlmCalled, "t-implement-jwt-module"), "worker"),
    (on(MergeDone, "t-implement-user-store"), "nats"),
    (on(TaskStarted, "t-implement-login-service"), "postgres"),
    (on(TaskStarted, "t-write-tests"), "projector"),
    (on(GateFailed, "gate-tests-1"), "gateway"),
)


async def test_the_sample_goal_survives_the_death_of_everything(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    hub = start_hub(folder, *WORKERS)
    try:
        goal_id = hub.submit(SAMPLE, key="the-only-one")
        for moment, victim in KILLS:
            await hub.see(goal_id, moment)
            service = await holder(hub, goal_id, "t-implement-jwt-module") if victim == "worker" else victim
            await hub.back(service, hub.kill(service))
        await hub.see(goal_id, on(TaskStarted, "debug-tests-1"))
    finally:
        hub.end(signal.SIGKILL)
    await until(lambda: living(folder) == [], 300, "no child of the killed hub is left")

    with running_hub(folder, *WORKERS) as again:
        assert again.submit(SAMPLE, key="the-only-one") == goal_id
        await again.see(goal_id, lambda event: isinstance(event, GoalReadyForReview))
        events = [r.event for r in await again.events(goal_id)]
        endings = [(e.task_id, e.type) for e in events if isinstance(e, TaskCompleted | GateVerdict)]
        (planned,) = [event for event in events if isinstance(event, GoalPlanned)]
        assert len(planned.tasks) == 12
        by_plan = [(task.task_id, "task.completed") for task in planned.tasks]
        assert sorted(endings) == sorted([*BY_RULE, *by_plan]), "everything ends once, as it does undisturbed"
        await again.wait_for(goal_id, "ready_for_review", deadline_s=300)
        verified = again.cli("rebuild", "--verify", "--json")
        assert (verified.returncode, msgspec.json.decode(verified.stdout)["differences"]) == (0, [])

        second = run_cli("up", "--port", "0", "--data-dir", str(folder))
        assert second.returncode == 1
        assert f"(pid {again.process.pid})" in second.stderr
        assert "--data-dir" in second.stderr
        assert again.get(f"/goals/{goal_id}")["status"] == "ready_for_review"

        with Stopwatch() as watch:
            assert again.end(signal.SIGTERM) == 0
        assert watch.seconds < 10
    assert living(folder) == []


async def holder(hub: RunningHub, goal_id: str, task_id: str) -> str:
    """The worker that holds a task."""
    started = await hub.see(goal_id, on(TaskStarted, task_id))
    assert isinstance(started.event, TaskStarted)
    return started.event.worker


def test_a_taken_port_is_named_with_the_remedy_and_nothing_stays_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = run_cli("up", "--port", port, "--data-dir", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert f"Port {port}" in refused.stderr
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert living(tmp_path / "data") == []


def test_workers_that_nobody_can_start_are_refused_with_an_example(tmp_path: Path) -> None:
    for words, hint in (("coding=many", "coding=3"), ("wizard=1", "known are"), ("coding=0", "coding=3")):
        refused = run_cli("up", "--port", "0", "--data-dir", str(tmp_path / "data"), "--workers", words)
        assert refused.returncode in (1, 2)
        assert hint in refused.stderr
        assert "Traceback" not in refused.stderr
    assert not (tmp_path / "data").exists()
