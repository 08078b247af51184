"""A goal goes through the gate of `added`: it fails, is diagnosed, mended, judged again and passed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agenthub_events.base import Fence
from agenthub_events.catalogue.gate import GateFailed, GatePassed, GateVerdict
from agenthub_events.catalogue.goal import GoalReadyForReview
from agenthub_events.context import encode_context
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.in_memory.fleet import InMemoryFleet
from agenthub_runtime.in_memory.run_log import InMemoryRunLog
from agenthub_runtime.telemetry.tracing import Telemetry
from agenthub_runtime.timeline.renderer import TimelineRenderer
from agenthub_worker.agent.setup import AgentSetup
from agenthub_worker.attempt import Attempt, prepare
from agenthub_worker.domain.gate_judgement import judge_security
from agenthub_worker.gates.gate_round import GateRound
from agenthub_worker.gates.runners import RUNNERS
from agenthub_worker.gates.verdicts import make_verdict
from agenthub_worker.lease.lease import Lease
from agenthub_worker.ports import WorkerPorts
from agenthub_worker.sandbox.port import ExecResult
from agenthub_worker.sandbox.scripted import ScriptedCall, ScriptedSandbox
from tests.support.projected import log_of
from tests.support.spec import Scenario, a_goal, finding, step
from tests.unit.fourth_gate.added import LICENCES
from tests.unit.test_projector_view import view_of


@pytest.fixture(autouse=True)
def _runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNNERS, "licences", check_licences)


async def check_licences(round_: GateRound) -> GateVerdict:
    """Finds something in the first round."""
    found = [finding("no licence is named", "setup.py", 1)] if round_.order.round == 1 else []
    judgement = judge_security(found, agent_finished=True, agent_said="")
    return make_verdict(round_, judgement, findings=tuple(found))


def nothing_runs(call: ScriptedCall) -> ExecResult:
    raise AssertionError(f"this gate runs no command: {call.command}")


async def judged_by_worker(goal: Scenario, task_id: str, folder: Path) -> GateVerdict:
    """Claim the round, let a worker's attempt judge it, and put its verdict into the goal's log."""
    goal.claimed(task_id)
    order = goal.task(task_id).order
    assert order is not None
    log, artifacts, clock = log_of(goal.log), InMemoryArtifacts(), SystemClock()
    await artifacts.put(encode_context(goal.context(task_id)))
    ports = WorkerPorts(
        worker="Worker-1",
        instance="i",
        events=log,
        runs=InMemoryRunLog(),
        artifacts=artifacts,
        fleet=InMemoryFleet(clock),
        clock=clock,
        ids=SystemIds(),
        sandbox=ScriptedSandbox(nothing_runs),
        folder=folder,
        telemetry=Telemetry("worker"),
    )
    lease = Lease(ports, goal.goal_id, order, delivery=1, trace="")
    told = await log.read(lease.prefix)
    lease.begin(Fence().after(told), ())
    await Attempt(lease, AgentSetup(None, None, {})).run(asyncio.create_task(prepare(lease)))
    verdict = (await log.read(lease.prefix))[-1].event
    assert isinstance(verdict, GateVerdict), verdict
    goal.tell(task_id, verdict, lease.claim)
    goal.settled()
    return verdict


async def walked(folder: Path) -> Scenario:
    goal = a_goal(step("a"), requirements=("Every file names its licence",))
    goal.done("t-a").judged("gate-tests-1").judged("gate-security-1")
    assert goal.open() == ["gate-licences-1"]
    assert isinstance(await judged_by_worker(goal, "gate-licences-1", folder), GateFailed)
    assert goal.open() == ["debug-licences-1"]
    goal.done("debug-licences-1", findings=(finding("its licence is not named", "setup.py", 1),))
    assert goal.open() == ["fix-licences-1-1"]
    goal.done("fix-licences-1-1")
    assert goal.open() == ["gate-licences-2"]
    assert isinstance(await judged_by_worker(goal, "gate-licences-2", folder), GatePassed)
    assert goal.open() == ["gate-review-1"]
    return goal.judged("gate-review-1")


async def test_the_goal_is_ordered_judged_repaired_and_offered_with_it(tmp_path: Path) -> None:
    goal = await walked(tmp_path)
    order = goal.task("gate-licences-1").order
    assert order is not None
    assert (order.title, order.agent_type) == (LICENCES.title, LICENCES.agent_type)
    diagnosis, fix = goal.task("debug-licences-1").order, goal.task("fix-licences-1-1").order
    assert diagnosis is not None
    assert fix is not None
    assert (diagnosis.title, diagnosis.parent_task_id) == (LICENCES.diagnosis, "gate-licences-1")
    assert fix.parent_task_id == "gate-licences-1"
    trouble = goal.context("fix-licences-1-1").trouble
    assert trouble is not None
    assert (trouble.gate, trouble.round) == ("licences", 1)
    assert goal.status == "ready_for_review"
    (offer,) = goal.events(GoalReadyForReview)
    assert isinstance(offer, GoalReadyForReview)
    assert "licences passed" in offer.summary
    assert offer.requirements[0].gates == ("gate-licences-2", "gate-review-1")


async def test_people_read_of_it(tmp_path: Path) -> None:
    goal = await walked(tmp_path)
    narrator = TimelineRenderer()
    lines = [line.text for recorded in goal.log if (line := narrator.tell(recorded)) is not None]
    told = [text for text in lines if "icences" in text]
    assert told == [
        "Security passed, enqueuing: gate-licences-1",
        "Started checking licences",
        "Licences are missing, 1 finding",
        "Changed the workflow (1 added): the licences gate failed in round 1",
        "Licences missing, enqueuing: debug-licences-1",
        "Bug found, enqueuing: fix-licences-1-1",
        "Started task fix-licences-1-1",
        "Completed fix-licences-1-1: fix-licences-1-1 is done",
        "Bug fixed, enqueuing: gate-licences-2",
        "Started checking licences",
        "Licences in order, no findings",
        "Licences checked, enqueuing: gate-review-1",
    ]


async def test_its_rounds_have_rows(tmp_path: Path) -> None:
    view = view_of((await walked(tmp_path)).log)
    rows = {key: (row.verdict, len(row.findings)) for key, row in view.gates.items()}
    assert rows == {
        ("tests", 1): ("passed", 0),
        ("security", 1): ("passed", 0),
        ("licences", 1): ("failed", 1),
        ("licences", 2): ("passed", 0),
        ("review", 1): ("passed", 0),
    }
