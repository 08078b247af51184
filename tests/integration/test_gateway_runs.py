"""Reading what agents did: transcripts, outputs, who works, the gates that are to come, and figures over goals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued, TaskParked, TaskStarted
from agenthub_events.catalogue.values import TaskResult
from agenthub_events.runs import (
    Closed,
    Nudge,
    Resumed,
    RunId,
    Step,
    ToolIntent,
    ToolReceipt,
    TurnIntent,
    TurnReply,
)
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from tests.support.gateway import Gateway, planned, running_gateway, running_projector, settings, write
from tests.support.until import until

TOKEN = "ghp_" + "Zk3v" * 9
STEPS: tuple[Step, ...] = (
    Resumed(instance="i1", worker="Worker-1", delivery=1),
    TurnIntent(turn=1, tries=1, request_hash="h", model="m"),
    TurnReply(
        turn=1,
        tries=1,
        request_hash="h",
        model="m",
        provider="p",
        stop_reason="tool_use",
        content=(
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "u1", "name": "bash", "input": {}},
        ),
    ),
    ToolIntent(turn=1, tool_use_id="u1", name="bash", input={"command": f"curl -H {TOKEN} <b>x</b>"}),
    ToolReceipt(turn=1, tool_use_id="u1", name="bash", text="exit 1", is_error=True),
    Nudge(text="Use the cache", note_seq=7),
    TurnIntent(turn=2, tries=1, request_hash="h2", model="m"),
)

DECLARED = {path.stem for path in Path("nats/streams").glob("*.json")}


@pytest.fixture
def log(bus: Client) -> JetStreamEventLog:
    return JetStreamEventLog(bus)


@pytest.fixture
async def gateway(
    log: JetStreamEventLog, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url, data_dir=tmp_path / "data")
    async with running_projector(log, database_url), running_gateway(wanted) as running:
        yield running


async def _started(gateway: Gateway, log: JetStreamEventLog) -> tuple[str, int]:
    """A goal whose task `t-a` is at work, and the sequence of that."""
    goal_id = (await gateway.submit(requirements=["Works"]))["goal_id"]
    await write(log, goal_id, "_", planned("a"))
    order = TaskEnqueued(
        task_id="t-a", agent="coding", agent_type="coding", attempt=1, lane="p2", title="A", timeout_s=60
    )
    await write(log, goal_id, "t-a", order, "coding", "p2")
    started = TaskStarted(
        task_id="t-a", attempt=1, worker="Worker-1", agent="coding", instance="i1", delivery=1, ack_subject="none"
    )
    return goal_id, await write(log, goal_id, "t-a", started)


async def test_a_transcript_tells_each_step_once_and_masks_what_looks_like_a_credential(
    gateway: Gateway, log: JetStreamEventLog, bus: Client
) -> None:
    goal_id, seq = await _started(gateway, log)
    base = f"/api/v1/goals/{goal_id}/tasks/t-a/attempts/1"
    empty = await gateway.get(f"{base}/transcript", after=seq)
    assert empty["items"] == []
    runs, run = JetStreamRunLog(bus), RunId(goal_id, "t-a", 1)
    last = 0
    for step in STEPS:
        stored = await runs.append(run, step, expected=last)
        last = getattr(stored, "seq", 0)
    await runs.emit(run, "output", b"collected 6 items\n")
    await runs.emit(run, "text", b"I think")
    await bus.flush()
    told = await gateway.get(f"{base}/transcript")
    assert [item["kind"] for item in told["items"]] == ["held", "said", "tool", "note", "asked"]
    held, said, tool, note, asked = told["items"]
    assert (held["worker"], said["text"], note["text"], note["note_seq"]) == (
        "Worker-1",
        "I look.",
        "Use the cache",
        7,
    )
    assert (tool["tool"], tool["text"], tool["is_error"]) == ("bash", "exit 1", True)
    assert TOKEN not in str(told)
    assert "<b>x</b>" in tool["input"]["command"]
    assert said["at"] <= said["ended_at"] <= tool["at"] <= tool["ended_at"]
    assert asked["ended_at"] is None
    assert told["live"] == "I think", "what a tool gave out late stands in its result"
    output = await gateway.get(f"{base}/output")
    assert (output["text"], output["cut"]) == ("collected 6 items\nI think", False)
    await runs.append(run, Closed(reason="over"), expected=last)
    assert (await gateway.get(f"{base}/transcript"))["items"][-1]["text"] == "over"


@pytest.mark.parametrize(
    "path",
    [
        "tasks/t-a/attempts/2/transcript",
        "tasks/t-ghost/attempts/1/transcript",
        "tasks/*/attempts/1/output",
        "tasks/t-a/attempts/-1/output",
        "gates/tests/1/log",
        "gates/*/1/log",
    ],
)
async def test_what_nobody_has_done_cannot_be_read(gateway: Gateway, log: JetStreamEventLog, path: str) -> None:
    goal_id, seq = await _started(gateway, log)
    missing = await gateway.client.get(f"/api/v1/goals/{goal_id}/{path}", params={"after": seq})
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found")


async def test_gates_that_had_no_round_yet_are_counted(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id, seq = await _started(gateway, log)
    goal = await gateway.get(f"/api/v1/goals/{goal_id}", after=seq)
    assert (goal["gates"], goal["gates_to_come"], goal["tasks_total"]) == (["tests", "security", "review"], 3, 1)
    [listed] = (await gateway.get("/api/v1/goals"))["items"]
    assert listed["gates_to_come"] == 3
    attempts = (await gateway.get(f"/api/v1/goals/{goal_id}/attempts"))["items"]
    assert [(item["task_id"], item["attempt"], item["worker"]) for item in attempts] == [("t-a", 1, "Worker-1")]
    bare = {"must_pass_tests": True, "require_security_audit": False}
    other = (await gateway.submit(constraints=bare))["sequence"]
    [goal, _] = (await gateway.get("/api/v1/goals", after=other))["items"]
    assert goal["gates"] == ["tests", "review"]


async def test_workers_say_what_they_serve_and_hold_and_what_that_does_now(gateway: Gateway, bus: Client) -> None:
    runs = JetStreamRunLog(bus)
    step = ToolIntent(turn=1, tool_use_id="c", name="bash", input={"command": "make x"})
    await runs.append(RunId("g-1", "t-a", 1), TurnIntent(turn=1, tries=1, request_hash="h", model="m"), expected=0)
    stored = await runs.append(RunId("g-1", "t-b", 1), step, expected=0)
    asked, began = await runs.newest(RunId("g-1", "t-a", 1)), await runs.newest(RunId("g-1", "t-b", 1))
    assert asked is not None
    assert began is not None
    assert (began.seq, bool(began.at), asked.at < began.at) == (getattr(stored, "seq", 0), True, True)
    holding = ("g-1.t-a.1", "g-1.t-b.1", "g-1.t-c.2")
    status = WorkerStatus(
        worker="Worker-1", instance="i1", types=("coding",), slots=3, holding=holding, sandbox="bubblewrap"
    )
    await NatsFleet(bus).publish(status)

    async def told() -> dict[str, Any] | None:
        items: list[dict[str, Any]] = (await gateway.get("/api/v1/workers"))["items"]
        return items[0] if items else None

    worker = await until(told, what="the worker has been heard")
    assert worker == {
        "worker": "Worker-1",
        "instance": "i1",
        "types": ["coding"],
        "slots": 3,
        "holding": [
            {"goal_id": "g-1", "task_id": "t-a", "attempt": 1, "now": "model m", "since": asked.at},
            {"goal_id": "g-1", "task_id": "t-b", "attempt": 1, "now": "bash make x", "since": began.at},
            {"goal_id": "g-1", "task_id": "t-c", "attempt": 2, "now": "", "since": ""},
        ],
        "draining": False,
        "sandbox": "bubblewrap",
    }


async def test_the_last_hour_of_a_queue_is_told_and_what_is_put_aside(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    goal_id, _ = await _started(gateway, log)
    now, later = datetime.now(UTC), datetime(2100, 1, 1, tzinfo=UTC)
    again = TaskStarted(
        task_id="t-a", attempt=1, worker="Worker-2", agent="coding", instance="i2", delivery=2, ack_subject="none"
    )
    await write(log, goal_id, "t-a", again, at=now)
    parked = TaskParked(task_id="t-a", attempt=1, reason="overload", detail="529", until=later)
    seq = await write(log, goal_id, "t-a", parked, at=now)
    found = await gateway.get("/api/v1/fleet/lately", after=seq)
    [coding] = found["queues"]
    assert (coding["agent_type"], coding["ended"], coding["redelivered"]) == ("coding", 1, 1)
    assert (coding["parked"], datetime.fromisoformat(coding["parked_until"])) == (1, later)
    assert (coding["reason"], found["models"]) == ("529", [])


async def test_it_is_told_how_long_a_model_takes_on_average_and_for_95_of_100(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    goal_id, _ = await _started(gateway, log)
    for number in range(20):
        took = 30_000 if number in (3, 9) else 1_000
        called = LlmCalled(
            task_id="t-a",
            attempt=1,
            turn=number,
            provider="p",
            model="m",
            stop_reason="end_turn",
            request_hash="h",
            latency_ms=took,
        )
        await write(log, goal_id, "t-a", called)
    done = TaskCompleted(task_id="t-a", agent="coding", attempt=1, result=TaskResult(summary="done"))
    seq = await write(log, goal_id, "t-a", done, at=datetime.now(UTC))
    [lately] = (await gateway.get("/api/v1/fleet/lately", after=seq))["models"]
    [figures] = (await gateway.get("/api/v1/analytics", days=3_650))["models"]
    assert (lately["calls"], lately["mean_s"]) == (20, 3.9)
    assert (figures["calls"], figures["latency_s"]) == (20, 3.9)
    assert lately["p95_s"] == figures["latency_p95_s"] == pytest.approx(30, rel=0.05)


async def test_the_room_that_streams_take_is_told_with_what_bounds_it(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    before = {row["stream"]: row for row in (await gateway.get("/api/v1/storage"))["streams"]}
    assert set(before) == DECLARED, "each stream of the hub"
    assert (before["EVENTS"]["max_bytes"], before["EVENTS"]["max_age_s"]) == (None, None)
    assert before["SESSIONS"]["max_age_s"] == 7 * 86_400
    await _started(gateway, log)
    found = await gateway.get("/api/v1/storage")
    after = {row["stream"]: row for row in found["streams"]}
    assert after["EVENTS"]["bytes"] > before["EVENTS"]["bytes"]
    assert after["EVENTS"]["messages"] > before["EVENTS"]["messages"]
    assert found["disk_free"] is None, "a gateway elsewhere does not see the disk of the log"


async def test_a_worker_says_what_its_commands_run_in(gateway: Gateway, bus: Client) -> None:
    status = WorkerStatus(worker="W", instance="i", types=("coding",), slots=1, sandbox="none")
    await NatsFleet(bus).publish(status)

    async def told() -> list[str]:
        return [worker["sandbox"] for worker in (await gateway.get("/api/v1/workers"))["items"]]

    await until(told, 300, "the worker is known")
    assert await told() == ["none"]


async def test_figures_say_how_long_how_much_and_how_often_right_at_once(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    goal_id, _ = await _started(gateway, log)
    done = TaskCompleted(task_id="t-a", agent="coding", attempt=1, result=TaskResult(summary="done"))
    seq = await write(log, goal_id, "t-a", done)
    found = await gateway.get("/api/v1/analytics", after=seq, days=3_650)
    [goal] = found["goals"]
    assert (goal["goal_id"], goal["lead_s"], goal["estimated_s"], goal["tasks"]) == (goal_id, None, 240 * 60, 1)
    [agent] = found["agents"]
    assert (agent["agent"], agent["attempts"], agent["failed"]) == ("coding", 1, 0)
    assert (found["gates"], found["models"]) == ([], [])
    assert (await gateway.client.get("/api/v1/analytics", params={"days": 0})).status_code == 400
