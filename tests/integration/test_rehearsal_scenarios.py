"""The sample goals, played for real: over HTTP, with files on disk, real pytest and a real security scan."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from agenthub_events.agent_types import AgentType, agent_type_of
from agenthub_events.catalogue.values import Plan, PlannedTask
from agenthub_events.context import PlanOrder
from agenthub_events.redaction import redact
from agenthub_events.rules.plan import validate_plan, validate_proposal
from agenthub_worker.llm.client import MessagesClient
from agenthub_worker.llm.providers import ProviderSettings, choose_provider
from agenthub_worker.rehearsal.catalog import SAMPLE_GOALS, rehearsal_server
from agenthub_worker.rehearsal.faults import Fault
from agenthub_worker.rehearsal.scenarios.auth_jwt.repair import BROKEN, MENDED
from agenthub_worker.rehearsal.scenarios.auth_jwt.work import PACKAGE, TESTS
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.steps import sources
from tests.support.stage import AttemptOutcome, Stage

AUTH, PRICES = SAMPLE_GOALS
FIRST = PlanOrder(number=1)
SEED_REQUIREMENTS = (
    "JWT tokens",
    "Refresh token rotation",
    "Password hashing",
    "Unit tests >80% coverage",
    "Security audit",
    "API documentation",
)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedModelServer]:
    async with rehearsal_server() as running:
        yield running


@pytest.fixture
async def client(server: ScriptedModelServer) -> AsyncIterator[MessagesClient]:
    made = MessagesClient(choose_provider(ProviderSettings(provider="rehearsal", base_url=server.url)))
    yield made
    await made.aclose()


@pytest.fixture
async def stage(client: MessagesClient, tmp_path: Path) -> Stage:
    return await Stage.open(client, tmp_path, AUTH.goal, AUTH.requirements)


async def plan_of(stage: Stage, *, order: PlanOrder = FIRST, requirements: int = 3) -> Plan:
    ended = await stage.play(f"plan-{order.number}", "planner", plan=order)
    assert ended.tool == "submit_plan", ended.input
    plan = msgspec.convert(ended.input, Plan)
    if order.graph:
        existing = {task.key: task.task_id for task in order.graph}
        validate_plan(plan.tasks, existing=existing, requirement_count=requirements, origin="rework")
    else:
        validate_proposal(plan, requirements=[f"number {n}" for n in range(requirements)])
    return plan


async def build(stage: Stage) -> dict[str, AttemptOutcome]:
    """Every task of the first plan, in its order."""
    plan = await plan_of(stage)
    return {task.key: await stage.play(f"t-{task.key}", agent_type_of(task.agent)) for task in plan.tasks}


async def mend(stage: Stage) -> tuple[AttemptOutcome, AttemptOutcome]:
    return (
        await stage.play("debug-tests-1", "debug"),
        await stage.play("fix-tests-1-1", "coding"),
    )


def rework(feedback: str, *keys: str) -> PlanOrder:
    graph = [
        PlannedTask(task_id=f"t-{key}", key=key, title=key, agent="testing", agent_type="testing") for key in keys
    ]
    return PlanOrder(number=2, feedback=feedback, graph=tuple(graph))


def done(ended: AttemptOutcome) -> str:
    assert ended.tool == "report_result", ended.input
    assert ended.input["status"] == "done"
    return str(ended.input["summary"])


async def test_the_plan_has_the_shape_of_the_goal(stage: Stage) -> None:
    plan = await plan_of(stage)
    tasks = {task.key: task for task in plan.tasks}
    assert len(tasks) == 12
    assert [key for key, task in tasks.items() if not task.depends_on] == [
        "analyze-requirements",
        "design-architecture",
    ]
    assert set(tasks["implement-jwt-module"].depends_on) == {"analyze-requirements", "design-architecture"}
    assert {number for task in plan.tasks for number in task.requirement_ids} == {"R1", "R2", "R3"}
    finish: dict[str, int] = {}
    for task in plan.tasks:
        finish[task.key] = max((finish[key] for key in task.depends_on), default=0) + (task.estimate_minutes or 0)
    assert max(finish.values()) == 240


async def test_no_two_tasks_of_the_plan_write_the_same_file(stage: Stage) -> None:
    plan = await plan_of(stage)
    written = [path for task in plan.tasks for path in task.writes]
    assert len(written) == len(set(written))


@pytest.mark.parametrize(
    "goal", ["build AUTHENTICATION system  with jwt.", "Build complete authentication system"]
)
async def test_other_spellings_and_any_of_the_known_requirements_are_planned(
    client: MessagesClient, tmp_path: Path, goal: str
) -> None:
    plan = await plan_of(await Stage.open(client, tmp_path / "a", goal, SEED_REQUIREMENTS), requirements=6)
    assert len({number for task in plan.tasks for number in task.requirement_ids}) == 6
    bare = await Stage.open(client, tmp_path / "b", goal, ())
    assert len((await plan_of(bare, requirements=0)).tasks) == 12


async def test_a_requirement_without_a_script_is_a_question(client: MessagesClient, tmp_path: Path) -> None:
    ended = await (await Stage.open(client, tmp_path, AUTH.goal, ("Unit tests", "Runs on the moon"))).play(
        "plan-1", "planner"
    )
    assert ended.tool == "ask_human"
    assert "Runs on the moon" in ended.input["question"]


async def test_the_sample_goal_fails_for_real_and_is_mended_for_real(stage: Stage) -> None:
    built = await build(stage)
    assert done(built["analyze-requirements"]).startswith("Completed analysis, found 3 core components")
    assert "auth/jwt.py, 245 lines" in done(built["implement-jwt-module"])
    tested = done(built["write-tests"])
    assert "2 tests failed: tests/test_refresh.py::" in tested
    assert built["write-tests"].input["tests_run"].startswith("55 passed, 2 failed, coverage")

    diagnosis, repair = await mend(stage)
    assert "Found issue in token refresh logic (auth/jwt.py:123)" in done(diagnosis)
    finding = diagnosis.input["findings"][0]
    line = (stage.folder / finding["file"]).read_text().splitlines()[finding["line"] - 1]
    assert "rotated_at" in line
    assert "All tests passing (57 passed, 0 failed, coverage" in done(repair)

    security = await stage.play("gate-security-1", "security")
    review = await stage.play("gate-review-1", "review")
    assert done(security) == (
        "Security audit passed, no vulnerabilities; one remark for other stores than the one in memory"
    )
    assert {finding["severity"] for finding in security.input["findings"]} == {"low"}
    assert done(review) == "Code review approved, ready for deployment"
    assert [security.input["verdict"], review.input["verdict"]] == ["approve", "approve"]

    assert severe_findings(stage.folder) == []
    covered = float(built["write-tests"].input["tests_run"].rpartition("coverage ")[2].rstrip("%"))
    assert covered >= 87
    everything = [*built.values(), diagnosis, repair, security, review]
    assert all(len(ended.replies) <= 5 for ended in everything)
    assert all(ended.replies[0].text.startswith("REHEARSAL") for ended in everything)
    assert all(redact(reply.content) == reply.content for ended in everything for reply in ended.replies)


async def test_feedback_about_2fa_becomes_working_codes(stage: Stage) -> None:
    lay_out_the_first_round(stage.folder)
    plan = await plan_of(stage, order=rework("Please add 2FA support", "write-tests"))
    assert [task.key for task in plan.tasks] == ["implement-2fa-support", "write-2fa-tests"]
    done(await stage.play("t-implement-2fa-support", "coding"))
    assert done(await stage.play("t-write-2fa-tests", "testing")).startswith(
        "Tests of two-factor login written; 69 passed, 0 failed, coverage 100%"
    )
    # Asked a second time, as after a lost worker, the edits are there already and the result is the same.
    done(await stage.play("t-implement-2fa-support", "coding"))
    assert severe_findings(stage.folder) == []


def lay_out_the_first_round(folder: Path) -> None:
    parts = ("ports", "jwt", "passwords", "users", "sessions", "throttle", "service")
    for path, text in sources(PACKAGE, (*TESTS, "pyproject.toml", *(f"auth/{part}.py" for part in parts))).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text.replace(BROKEN, MENDED))


def rounded_by_the_written_code(folder: Path, amount: str) -> str:
    code = f"from decimal import Decimal; from pricing.vat import rounded; print(rounded(Decimal('{amount}')))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def severe_findings(folder: Path) -> list[str]:
    """What bandit reports with severity medium or above."""
    command = [sys.executable, "-m", "bandit", "-q", "-r", "-f", "json", "-ll", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return [issue["issue_text"] for issue in json.loads(ran.stdout)["results"]]


@pytest.mark.parametrize(
    "order", [rework("Make it purple"), rework("Please add 2FA support", "implement-2fa-support")]
)
async def test_other_feedback_is_a_question(stage: Stage, order: PlanOrder) -> None:
    ended = await stage.play("plan-2", "planner", plan=order)
    assert ended.tool == "ask_human"
    assert "2FA" in ended.input["question"]


async def test_tests_that_unexpectedly_pass_are_a_question(stage: Stage) -> None:
    stage.instead = lambda name: (
        "exit code 0\n57 passed, 0 failed, 0 errors, 0 skipped\n" if name == "run_tests" else None
    )
    ended = await stage.play("t-write-tests", "testing")
    assert ended.tool == "ask_human"
    assert "57 passed" in ended.input["evidence"]


async def test_failures_that_no_script_knows_are_a_question(stage: Stage) -> None:
    unknown = "exit code 1\n5 passed, 1 failed, 0 errors, 0 skipped\nfailing:\ntests/test_x.py::test_y\n\n"
    stage.instead = lambda name: unknown if name == "run_tests" else None
    ended = await stage.play("debug-tests-1", "debug", answers=("carry on",))
    assert ended.tool == "report_result"
    assert ended.input["status"] == "failed"
    assert "carry on" in ended.input["summary"]


async def test_a_task_without_a_script_is_a_question(stage: Stage) -> None:
    ended = await stage.play("merge-t-write-tests-1", "coding")
    assert ended.tool == "ask_human"
    assert "no script" in ended.input["question"]


async def test_an_unknown_goal_is_refused_with_the_way_out(client: MessagesClient, tmp_path: Path) -> None:
    ended = await (await Stage.open(client, tmp_path, "Write an operating system", ())).play("plan-1", "planner")
    assert ended.tool == "ask_human"
    assert "ANTHROPIC_API_KEY" in ended.input["question"]
    for sample in SAMPLE_GOALS:
        assert sample.goal in ended.input["question"]


@pytest.mark.parametrize(
    ("answers", "rule", "half_a_cent"),
    [
        (("half-even (0.125 becomes 0.12, 0.135 becomes 0.14)",), "half-even", "0.12"),
        (("I do not know", "Please round half up."), "half-up", "0.13"),
    ],
)
async def test_the_price_calculator_follows_a_persons_answer(
    client: MessagesClient, tmp_path: Path, *, answers: tuple[str, ...], rule: str, half_a_cent: str
) -> None:
    stage = await Stage.open(client, tmp_path, PRICES.goal, PRICES.requirements)
    plan = await plan_of(stage, requirements=2)
    first = plan.tasks[0]
    asked = await stage.play(f"t-{first.key}", agent_type_of(first.agent))
    assert asked.tool == "ask_human"
    assert len(asked.input["options"]) == 2

    assert rule in done(await stage.play(f"t-{first.key}", agent_type_of(first.agent), answers=answers))
    tested, documented = [await stage.play(f"t-{task.key}", agent_type_of(task.agent)) for task in plan.tasks[1:]]
    assert "12 passed, 0 failed, coverage 100%" in done(tested)
    assert rule in done(documented)
    assert f"**{rule}**" in (stage.folder / "docs/rounding.md").read_text()
    assert rounded_by_the_written_code(stage.folder, "0.125") == half_a_cent

    gates: tuple[AgentType, ...] = ("security", "review")
    for gate in gates:
        assert (await stage.play(f"gate-{gate}-1", gate)).input["verdict"] == "approve"
    assert severe_findings(stage.folder) == []


@pytest.mark.parametrize("fault", ["malformed_input", "unknown_tool", "max_tokens"])
async def test_a_spoilt_reply_makes_the_script_say_it_again(
    server: ScriptedModelServer, stage: Stage, fault: str
) -> None:
    server.faults.add(Fault(kind=fault, task="t-document-api", turn=0))  # type: ignore[arg-type]
    ended = await stage.play("t-document-api", "coding")
    assert done(ended) == "API documented in docs/api.md"
    assert len(ended.replies) == 3
