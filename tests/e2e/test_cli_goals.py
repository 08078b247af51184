"""A goal's whole life from the command line: what it prints for people and for programs, and how it exits."""

from __future__ import annotations

import subprocess
import sys
from asyncio import create_subprocess_exec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.git_hosts import a_repository, git
from tests.support.running_hub import BLOCKED_SAMPLE, RunningHub, clean_environment, run_cli
from tests.support.until import until

pytestmark = pytest.mark.extra

DONE, FAILED, USAGE, BLOCKED, UNREACHABLE, TIMED_OUT = 0, 1, 2, 3, 4, 124


def test_a_goal_is_submitted_watched_answered_approved_and_pulled(hub: RunningHub, tmp_path: Path) -> None:
    words = [word for text in BLOCKED_SAMPLE["requirements"] for word in ("-r", text)]
    submitted = hub.cli("goal", "submit", BLOCKED_SAMPLE["goal"], *words, "--watch", "--key", "once")
    assert submitted.returncode == BLOCKED, submitted.stdout + submitted.stderr
    assert "Blocked at implement-price-calculator, needs a person" in submitted.stdout
    assert "inbox" in submitted.stdout.splitlines()[-1]
    goal_id = submitted.stdout.split()[1]

    (question,) = [item for item in objects(hub.cli("inbox", "--json")) if item["goal_id"] == goal_id]
    listed = hub.cli("inbox").stdout
    assert question["id"] in listed
    assert f"1. {question['options'][0]}" in listed
    answered = hub.cli("answer", question["id"], "--option", "1")
    assert answered.returncode == DONE, answered.stderr
    twice = hub.cli("answer", question["id"], "--option", "2")
    assert (twice.returncode, "HTTP" in twice.stderr) == (FAILED, False)

    watched = hub.cli("goal", "watch", goal_id)
    assert watched.returncode == DONE, watched.stdout + watched.stderr
    assert "All tests passing!" in watched.stdout
    assert f"goal approve {goal_id}" in watched.stdout.splitlines()[-1]

    shown = objects(hub.cli("goal", "show", goal_id, "--json"))[0]
    assert (shown["status"], len(shown["gates"])) == ("ready_for_review", 3)
    assert "half-even" in next(t["summary"] for t in shown["tasks"] if t["task_id"] == question["task_id"])

    result = tmp_path / "result"
    assert hub.cli("goal", "pull", goal_id, str(result)).returncode == DONE
    assert "ROUND_HALF_EVEN" in (result / "pricing" / "vat.py").read_text()
    assert hub.cli("goal", "pull", goal_id, str(result)).returncode == FAILED

    assert "pricing/vat.py" in hub.cli("goal", "diff", goal_id, "--stat").stdout
    assert "+++ b/pricing/vat.py" in hub.cli("goal", "diff", goal_id, "pricing/vat.py").stdout
    _is_applied_and_touches_nothing_else(hub, goal_id, tmp_path / "mine")
    _is_read_step_by_step(hub, goal_id, question["task_id"])

    assert hub.cli("goal", "approve", goal_id).returncode == DONE
    assert hub.cli("goal", "watch", goal_id).returncode == DONE
    again = hub.cli("goal", "submit", BLOCKED_SAMPLE["goal"], *words, "--key", "once", "--json")
    assert objects(again)[0]["goal_id"] == goal_id
    types = [item["type"] for item in objects(hub.cli("events", "show", goal_id, "--json"))]
    assert (types[0], types[-1]) == ("goal.accepted", "goal.completed")


def _is_read_step_by_step(hub: RunningHub, goal_id: str, task_id: str) -> None:
    said = hub.cli("goal", "transcript", goal_id, task_id.removeprefix("t-"))
    assert (said.returncode, said.stderr) == (DONE, "")
    assert said.stdout.splitlines()[0].endswith("attempt 2"), "the last one, which came after the answer"
    assert "ROUND_HALF_EVEN" in said.stdout, "in a pipe nothing is folded"
    items = objects(hub.cli("goal", "transcript", goal_id, task_id, "--attempt", "1", "--json"))
    assert {"held", "said", "closed"} <= {item["kind"] for item in items}
    unknown = hub.cli("goal", "transcript", goal_id, "no-such-task")
    assert (unknown.returncode, "goal plan" in unknown.stderr) == (FAILED, True)


def _is_applied_and_touches_nothing_else(hub: RunningHub, goal_id: str, mine: Path) -> None:
    a_repository(mine, {"x.py": "x = 1\n"}, bare=False)
    (mine / "staged.py").write_text("y = 2\n")
    git(mine, "add", "staged.py")
    (mine / "x.py").write_text("x = 3\n")
    before = git(mine, "status", "--porcelain", "--branch"), git(mine, "write-tree")
    for _ in range(2):
        assert hub.cli("goal", "apply", goal_id, str(mine)).returncode == DONE
    assert (git(mine, "status", "--porcelain", "--branch"), git(mine, "write-tree")) == before
    assert "ROUND_HALF_EVEN" in git(mine, "show", f"goal/{goal_id}:pricing/vat.py")
    refused = hub.cli("goal", "apply", goal_id, str(mine), "--branch", "main")
    assert refused.returncode == FAILED
    assert "--branch" in refused.stderr
    assert git(mine, "rev-parse", "main") == git(mine, "rev-parse", "HEAD")
    assert hub.cli("goal", "apply", goal_id, str(mine), "--branch", "-d").returncode == USAGE


def test_a_goal_that_needs_nobody_can_be_listed_paused_reworked_and_cancelled(
    hub: RunningHub, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_bytes(msgspec.json.encode([{"key": "only", "title": "Do nothing", "agent": "noop"}]))
    submitted = hub.cli("goal", "submit", "One step by hand", "--workflow", str(plan), "--watch", "--json")
    assert submitted.returncode == DONE, submitted.stderr
    events = objects(submitted)
    assert (events[0]["type"], events[-1]["type"]) == ("goal.accepted", "goal.ready_for_review")
    goal_id = events[0]["goal_id"]

    assert goal_id in [row["goal_id"] for row in objects(hub.cli("goal", "list", "--json"))]
    assert goal_id in hub.cli("goal", "list", "--status", "ready_for_review").stdout
    assert hub.cli("goal", "rework", goal_id, "Now do something", "--priority", "high").returncode == DONE
    waits = hub.cli("goal", "watch", goal_id)
    assert waits.returncode == BLOCKED, "the rehearsal model has no plan for it, and asks"
    assert hub.cli("goal", "watch", goal_id, "--timeout", "0").returncode == TIMED_OUT
    assert hub.cli("goal", "pause", goal_id).returncode == DONE
    assert hub.cli("goal", "resume", goal_id).returncode == DONE
    assert hub.cli("goal", "cancel", goal_id, "--reason", "seen enough").returncode == DONE
    assert hub.cli("goal", "watch", goal_id).returncode == FAILED
    assert hub.cli("dead-letters", "list").stdout.strip() == "No dead letters"


def test_mistakes_are_told_in_a_sentence_with_the_remedy(hub: RunningHub, tmp_path: Path) -> None:
    unknown = hub.cli("goal", "show", "g-00000000000000000000000000")
    assert (unknown.returncode, "There is no goal" in unknown.stderr) == (FAILED, True)
    nowhere = run_cli("goal", "list", "--url", "http://127.0.0.1:9")
    assert (nowhere.returncode, " up`" in nowhere.stderr) == (UNREACHABLE, True)
    missing = hub.cli("goal", "submit", "x", "--workflow", str(tmp_path / "no.json"))
    assert (missing.returncode, "no.json" in missing.stderr) == (USAGE, True)
    refused = hub.cli("goal", "submit", "x", "--max-time", "soon")
    assert (refused.returncode, refused.stderr.startswith("error: --max-time: ")) == (USAGE, True)
    assert hub.cli("goal", "submit", "x", "--priority", "soonest").returncode == USAGE
    assert hub.cli("no-such-command").returncode == USAGE
    offline = run_cli("rebuild", "--verify", "--data-dir", str(tmp_path / "nothing"))
    assert (offline.returncode, " up" in offline.stderr) == (FAILED, True)
    for told in (unknown, nowhere, missing, refused, offline):
        assert "Traceback" not in told.stderr
        assert told.stderr.startswith("error: ")


async def test_a_worker_that_is_told_no_bus_serves_the_hub_of_this_machine(hub: RunningHub) -> None:
    env = {**clean_environment(), "AGENTHUB_DATA_DIR": str(hub.data.root), "AGENTHUB_WORKER_NAME": "further"}

    def serving() -> int:
        return next(int(lane["workers"]) for lane in hub.get("/queues")["items"] if lane["agent_type"] == "noop")

    before = serving()
    worker = await create_subprocess_exec(sys.executable, "-m", "agenthub_cli.main", "worker", "noop", env=env)
    try:
        await until(lambda: serving() > before, 300, "the hub counts one more")
    finally:
        worker.terminate()
        await worker.wait()


def test_the_doctor_finds_this_hub_in_good_health(hub: RunningHub) -> None:
    checked = hub.cli("doctor", "--json")
    checks = {check["name"]: check["state"] for check in objects(checked)}
    assert checked.returncode == DONE, checked.stdout
    assert {"python", "git", "nats-server", "postgres", "sandbox", "disk", "model", "hub"} <= set(checks)
    assert checks["hub"] == "ok"
    assert "failed" not in checks.values()


def test_the_hub_says_which_model_its_agents_ask_and_that_it_answers(hub: RunningHub) -> None:
    told = hub.get("/model")
    assert (told["provider"], told["state"], told["found"]) == ("rehearsal", "not asked", "")
    assert set(told["models"].values()) == {"rehearsal"}
    assert hub.get("/model", probe="true")["state"] == "ok"
    # A hub that is ready waits a second for the model and no longer.
    assert hub.ready.model is None or hub.ready.model["state"] == "ok"


def objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What a command printed with --json."""
    return [msgspec.json.decode(line) for line in done.stdout.splitlines()]
