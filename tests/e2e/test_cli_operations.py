"""Commands of those who keep a hub running, walked over on a hub whose coding orders nobody takes at first."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from nats.js.errors import NotFoundError

from agenthub_events.catalogue.goal import GoalReadyForReview
from agenthub_events.catalogue.task import (
    TaskDeadLettered,
    TaskDiscarded,
    TaskEnqueued,
    TaskNoted,
    TaskRequeued,
)
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.fleet import WorkerStatus
from tests.support.running_hub import RunningHub, clean_environment, running_hub
from tests.support.until import until

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub with a worker that only measures."""
    with running_hub(tmp_path_factory.mktemp("operations") / "data", "--workers", "noop=1") as hub:
        yield hub


def submission(agent: str, words: str = "By hand") -> dict[str, Any]:
    return {"goal": words, "workflow": [{"key": "only", "title": "Do it", "agent": agent}]}


async def ordered(hub: RunningHub) -> str:
    """A goal whose one order waits for a worker that is not there."""
    goal_id = hub.submit(submission("coding"))
    await hub.see(goal_id, lambda e: isinstance(e, TaskEnqueued) and e.task_id == "t-only")
    return goal_id


async def given_up(hub: RunningHub) -> tuple[str, str]:
    """A goal, and the id of the dead letter that its order became when the server gave it up."""
    goal_id = await ordered(hub)
    nc = await connect(hub.ready.nats_url, "test", give_up_after_s=300)
    try:
        queue = await nc.jetstream().pull_subscribe_bind("work-coding-p2", "EVENTS")
        order = next(m for m in await queue.fetch(10, timeout=30) if goal_id in m.subject)
        await order.term()
    finally:
        await nc.close()
    await hub.see(goal_id, lambda e: isinstance(e, TaskDeadLettered))

    def listed() -> list[str]:
        letters = objects(hub.cli("dead-letters", "--json"))
        return [letter["id"] for letter in letters if letter["goal_id"] == goal_id]

    (letter,) = await until(listed, 300, "the dead letter is listed")
    return goal_id, letter


async def test_a_note_reaches_an_open_attempt(hub: RunningHub) -> None:
    goal_id = await ordered(hub)

    noted = hub.cli("goal", "note", goal_id, "t-only", "take care of the tabs")

    assert noted.returncode == 0, noted.stderr
    assert "t-only reads it at its next step" in noted.stdout
    assert [note.text for note in await hub.of(goal_id, TaskNoted)] == ["take care of the tabs"]
    assert hub.cli("goal", "cancel", goal_id).returncode == 0


async def test_a_dead_letter_is_sent_back_to_work_as_somebody_changed_it(hub: RunningHub) -> None:
    goal_id, letter = await given_up(hub)

    requeued = hub.cli("dead-letters", "requeue", letter, "--details", "In smaller pieces")
    again = hub.cli("dead-letters", "requeue", letter)

    assert requeued.returncode == 0, requeued.stderr
    assert f"{letter} is queued again" in requeued.stdout
    assert (again.returncode, "HTTP" in again.stderr) == (1, False)
    assert len(await hub.of(goal_id, TaskRequeued)) == 1
    order = await hub.see(goal_id, lambda e: isinstance(e, TaskEnqueued) and e.attempt == 2)
    assert isinstance(order.event, TaskEnqueued)
    assert order.event.details == "In smaller pieces"
    assert hub.cli("goal", "cancel", goal_id).returncode == 0


async def test_a_dead_letter_is_given_up_with_a_reason(hub: RunningHub) -> None:
    goal_id, letter = await given_up(hub)

    discarded = hub.cli("dead-letters", "discard", letter, "--reason", "nobody needs it")

    assert discarded.returncode == 0, discarded.stderr
    assert f"{letter} is discarded" in discarded.stdout
    (event,) = await hub.of(goal_id, TaskDiscarded)
    assert event.reason == "nobody needs it"


async def test_the_log_can_be_followed_from_a_place_in_it(hub: RunningHub) -> None:
    goal_id = hub.submit(submission("noop"))
    await hub.see(goal_id, lambda e: isinstance(e, GoalReadyForReview))
    words = ("events", "tail", "--goal", goal_id, "--from", "0", "--json")
    following = started(*words, env={"AGENTHUB_URL": hub.url})
    assert following.stdout is not None
    try:
        told = [msgspec.json.decode(line) for line, _ in zip(following.stdout, range(3), strict=False)]
    finally:
        following.send_signal(signal.SIGINT)
        _, complaint = following.communicate(timeout=300)

    assert [frame["type"] for frame in told] == ["goal.accepted", "goal.planned", "task.enqueued"]
    assert b"Traceback" not in complaint


async def test_a_consumer_that_somebody_changed_is_found_and_put_right(hub: RunningHub) -> None:
    as_declared = hub.cli("nats", "diff")
    nc = await connect(hub.ready.nats_url, "test", give_up_after_s=300)
    try:
        config = (await nc.jetstream().consumer_info("EVENTS", "work-review-p3")).config
        await nc.jetstream().add_consumer("EVENTS", config.evolve(ack_wait=42))
    finally:
        await nc.close()
    differs = hub.cli("nats", "diff", "--json")
    applied = hub.cli("nats", "apply", "--json")
    after = hub.cli("nats", "diff")

    assert (as_declared.returncode, as_declared.stdout.strip()) == (0, "The server is as declared")
    assert differs.returncode == 1
    assert [(found["name"], found["key"]) for found in objects(differs)] == [("work-review-p3", "ack_wait")]
    assert applied.returncode == 0, applied.stderr
    changed = [(row["name"], row["outcome"]) for row in objects(applied) if row["outcome"] != "unchanged"]
    assert changed == [("work-review-p3", "updated")]
    assert after.returncode == 0, after.stdout


async def test_the_read_models_are_built_anew_and_the_same(hub: RunningHub) -> None:
    goal_id = hub.submit(submission("noop"))
    before = await hub.wait_for(goal_id, "ready_for_review")

    (rebuilt,) = objects(hub.cli("rebuild", "--json"))
    (again,) = objects(hub.cli("rebuild", "--json"))
    verified = hub.cli("rebuild", "--verify")

    assert again["generation"] > rebuilt["generation"]
    assert again["position"] > 0
    assert (verified.returncode, "0 differences" in verified.stdout) == (0, True), verified.stdout
    after = await hub.wait_for(goal_id, "ready_for_review")
    assert after == before
    assert hub.post(f"/goals/{goal_id}/approve").status_code == 202
    await hub.wait_for(goal_id, "completed")


async def test_a_worker_serves_the_types_that_it_is_called_with(hub: RunningHub) -> None:
    env = {"NATS_URL": hub.ready.nats_url, "AGENTHUB_WORKER_NAME": "By-hand", "ANTHROPIC_API_KEY": "not-called"}
    env["AGENTHUB_DATA_DIR"] = str(hub.data.root / "by-hand")
    worker = started("worker", "test-agent,reviewer", "--slots", "3", env=env)
    nc = await connect(hub.ready.nats_url, "test", give_up_after_s=300)
    try:

        async def status() -> WorkerStatus | None:
            assert worker.poll() is None, worker.communicate()[1].decode()
            with suppress(NotFoundError):
                found = await nc.jetstream().get_last_msg("FLEET", "fleet.By-hand", direct=True)
                return msgspec.json.decode(found.data or b"", type=WorkerStatus)
            return None

        said = await until(status, 300, "the worker reports to the fleet")
    finally:
        await nc.close()
        worker.send_signal(signal.SIGTERM)
        _, complaint = worker.communicate(timeout=300)
    assert said is not None
    assert (said.types, said.slots) == (("testing", "review"), 3)
    assert worker.returncode == 0, complaint.decode()


def started(*words: str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """`agenthub …` as a process that goes on until it gets a signal."""
    command = [sys.executable, "-m", "agenthub_cli.main", *words]
    surroundings = {**clean_environment(), **env}
    return subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What a command printed with --json."""
    return [msgspec.json.decode(line) for line in done.stdout.splitlines()]
