"""Plays one goal of the corpus on a running hub, and takes its figures from the hub's own events."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from agenthub_cli.client.child_hub import ChildHub
from agenthub_cli.client.hub_client import HubClient, ServerSentEvent
from agenthub_cli.commands.bench.corpus.fetching import BuggyRepository, tree_of
from agenthub_cli.commands.bench.corpus.project import CorpusProject
from agenthub_cli.commands.bench.corpus.scripted import MENDING
from agenthub_cli.goals.pull import pull_goal
from agenthub_cli.goals.story import recorded_in
from agenthub_cli.goals.watch import follow_to_rest
from agenthub_events.catalogue.task import TaskCompleted, TaskStarted
from agenthub_events.ports import Recorded

_DEADLINE_S = 3_000.0
_MIB = 1024 * 1024


class PlayedProject(msgspec.Struct, frozen=True, kw_only=True):
    """How a goal went. `wrong` says what was not right; empty: everything.

    `setup_cold_s` and `setup_warm_s` are an import with its setup, without the tests of the base; `setup_mib` is
    what the environment holds on disk. `overhead_s` is the median of the tasks that wrote or looked at code,
    without their tests. `stored_kib` is all that the goal left in JetStream: events, steps and objects. None:
    other goals were played beside it.
    """

    project: str
    language: str
    wrong: str
    seconds: float
    setup_cold_s: float
    setup_warm_s: float
    setup_mib: float | None
    overhead_s: float
    events: int
    stored_kib: float | None


class KeptStory:
    """A `Narration` that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []

    def take(self, frame: ServerSentEvent) -> Recorded:
        """Keep one event."""
        self.events.append(recorded_in(frame))
        return self.events[-1]

    def glimpse(self, frame: ServerSentEvent) -> None:
        """Not kept."""

    def know(self, tasks: Iterable[dict[str, Any]]) -> None:
        """Not needed."""

    def remark(self, text: str) -> None:
        """Not kept."""

    def flush(self) -> None:
        """Nothing is held back."""

    def end(self) -> None:
        """Nothing was shown."""


def play(
    own: ChildHub, project: CorpusProject, prepared: BuggyRepository, results: Path, *, alone: bool
) -> PlayedProject:
    """Play the project's goal, then prepare another one on the same commit. Raises `CommandFailed`.

    `alone`: no other goal is played on the hub meanwhile.
    """
    hub, heard = HubClient(own.url), KeptStory()
    before = _held(own) if alone else None
    began = time.monotonic()
    workflow = [{name: MENDING[name] for name in ("key", "title", "agent")}]
    accepted = hub.post("/goals", _submission(project, prepared, workflow=workflow))
    goal = follow_to_rest(hub, accepted["goal_id"], heard, timeout_s=_DEADLINE_S)
    seconds = time.monotonic() - began
    after = _held(own) if before is not None else None
    wrong = _what_is_wrong(hub, goal, prepared, results)
    return PlayedProject(
        project=project.name,
        language=project.language,
        wrong=wrong,
        seconds=seconds,
        setup_cold_s=prepared_in(heard.events),
        setup_warm_s=_warm(hub, project, prepared),
        setup_mib=None if before is None or after is None else (after[0] - before[0]) / _MIB,
        overhead_s=overhead(heard.events),
        events=len(heard.events),
        stored_kib=None if before is None or after is None else (after[1] - before[1]) / 1024,
    )


def _held(own: ChildHub) -> tuple[int, int]:
    """Bytes of the environments on disk, and of all that is in JetStream."""
    return _bytes_in(own.data_dir, "environments"), asyncio.run(_stored_bytes(own.nats_url))


def _submission(project: CorpusProject, prepared: BuggyRepository, **more: Any) -> dict[str, Any]:
    setup = {"setup": list(project.setup)} if project.setup else {}
    return {"goal": project.goal, "repository": str(prepared.repository), **setup, **more}


def _what_is_wrong(hub: HubClient, goal: Mapping[str, Any], prepared: BuggyRepository, results: Path) -> str:
    goal_id = goal["goal_id"]
    if goal["status"] != "ready_for_review":
        asked = [item["question"] for item in hub.pages(f"/goals/{goal_id}/interventions", state="open")]
        said = [gate["summary"] for gate in hub.pages(f"/goals/{goal_id}/gates")]
        return " ".join([f"the goal rests as {goal['status']}:", *asked, *said[-1:]])
    if wrong := judged_wrongly(list(hub.pages(f"/goals/{goal_id}/gates"))):
        return wrong
    hub.post(f"/goals/{goal_id}/approve", {"ready_seq": goal["ready_seq"]})
    delivered = tree_of(pull_goal(hub, goal_id, results / goal_id))
    if delivered != prepared.good_tree:
        return f"the delivered tree is {delivered}, not {prepared.good_tree}"
    return ""


def judged_wrongly(gates: Sequence[Mapping[str, Any]]) -> str:
    """What the gates' rounds should not have been: the tests are to fail, then to pass; the others to pass.

    Of tests that failed before the goal nobody asks that they become green.
    """
    tests = [gate for gate in gates if gate["gate"] == "tests"]
    if [gate["verdict"] for gate in tests] != ["failed", "passed"]:
        return "the tests gate said " + ", ".join(gate["verdict"] for gate in tests)
    red, green = tests
    if not red["exit_code"] or not red["failed"]:
        return f"the red run ended with exit code {red['exit_code']} and {red['failed']} failed tests"
    still_red = len(green["failed_before"])
    if (
        green["failed"] + green["errors"] > still_red
        or (green["exit_code"] and not still_red)
        or not green["passed"]
    ):
        return (
            f"the green run ended with exit code {green['exit_code']}, {green['passed']} passed tests and"
            f" {green['failed'] + green['errors']} that failed, of which {still_red} had failed before the goal"
        )
    others = {gate["gate"]: gate["verdict"] for gate in gates if gate["gate"] != "tests"}
    if set(others.values()) != {"passed"}:
        return f"the other gates said {others}"
    return ""


def _warm(hub: HubClient, project: CorpusProject, prepared: BuggyRepository) -> float:
    """Seconds of the same preparation once the environment is there; the goal goes no further than its plan."""
    # A workflow would stand before the preparation is done, and the goal would rest at once.
    heard = KeptStory()
    accepted = hub.post("/goals", _submission(project, prepared, autonomy="approve_plan"))
    goal_id = accepted["goal_id"]
    follow_to_rest(hub, goal_id, heard, timeout_s=_DEADLINE_S)
    hub.post(f"/goals/{goal_id}/cancel", {"reason": "Only its preparation was measured"})
    return prepared_in(heard.events)


def prepared_in(events: Sequence[Recorded]) -> float:
    """Seconds from the start to the end of the task that imports, without its test run; 0 when there is none."""
    return next((seconds for task_id, seconds in _beside_tests(events) if task_id.startswith("prepare")), 0.0)


def overhead(events: Sequence[Recorded]) -> float:
    """Median seconds of work, debugging and fixing, without the tests that were run for them."""
    gates_apart = [s for task_id, s in _beside_tests(events) if not task_id.startswith(("prepare", "gate"))]
    return statistics.median(gates_apart) if gates_apart else 0.0


def _beside_tests(events: Sequence[Recorded]) -> list[tuple[str, float]]:
    begun: dict[str, datetime] = {}
    found = []
    for recorded in events:
        match recorded.event:
            case TaskStarted(task_id=task_id, timestamp=at):
                begun[task_id] = at
            case TaskCompleted(task_id=task_id, timestamp=at, result=result) if task_id in begun:
                tested = result.evidence.duration_s if result.evidence else 0.0
                found.append((task_id, (at - begun[task_id]).total_seconds() - tested))
    return found


def _bytes_in(folder: Path, name: str) -> int:
    """Bytes of all files below the folders of this name; one that has several names counts once.

    The hub works on meanwhile: what goes away under the walk is not counted.
    """
    seen: dict[tuple[int, int], int] = {}
    for place, _, files in os.walk(folder):
        if name not in Path(place).relative_to(folder).parts:
            continue
        for file in files:
            with suppress(FileNotFoundError):
                status = os.lstat(os.path.join(place, file))
                seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values())


async def _stored_bytes(nats_url: str) -> int:
    from agenthub_runtime.jetstream.connection import connect

    nc = await connect(nats_url, "agenthub-bench")
    try:
        return sum(stream.state.bytes for stream in await nc.jetstream().streams_info())
    finally:
        await nc.close()
