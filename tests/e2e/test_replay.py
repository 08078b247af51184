"""A goal of a running hub is replayed as its user does it: on the hub, and far away from it out of one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agenthub_cli import exit_codes
from agenthub_events.catalogue.task import MergeDone, TaskCompleted, TaskEnqueued
from agenthub_events.task_ids import kind_of
from tests.support.demo_run import Demo
from tests.support.running_hub import Played, RunningHub, play, run_cli

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def played(demo: Demo, demo_hub: RunningHub) -> Played:
    """The sample goal at rest."""
    return play(demo_hub, demo.goal_id, "ready_for_review")


@pytest.fixture(scope="module")
def exported(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The goal as a file."""
    file = tmp_path_factory.mktemp("exported") / "goal.agenthub.gz"
    done = played.hub.cli("replay", "export", played.goal_id, "--to", str(file))
    assert done.returncode == exit_codes.OK, done.stderr
    return file


def answer(done: Any) -> Any:
    assert done.returncode == exit_codes.OK, done.stderr + done.stdout
    return msgspec.json.decode(done.stdout)


def test_today_the_goal_goes_as_it_went(played: Played) -> None:
    told = answer(played.hub.cli("replay", "run", played.goal_id, "--json"))
    assert (told["differences"], told["missing"], told["unrecorded"]) == ([], [], 0)
    assert told["requests"] == played.hub.get(f"/goals/{played.goal_id}")["llm_calls"]
    assert told == played.hub.get(f"/goals/{played.goal_id}/replay/run")


def test_nothing_of_the_goal_was_changed(played: Played) -> None:
    told = answer(played.hub.cli("verify", played.goal_id, "--json"))
    assert (told["flaws"], told["sealed"] > 100, told["unsigned"]) == ([], True, 0)


def test_a_file_is_sealed_by_the_key_of_its_hub_and_of_no_other(played: Played, exported: Path) -> None:
    [key] = answer(played.hub.cli("verify", played.goal_id, "--json"))["signed_by"]
    assert answer(run_cli("verify", str(exported), "--key", key, "--json"))["flaws"] == []
    foreign = run_cli("verify", str(exported), "--key", "7" * 64)
    assert (foreign.returncode, f"signed by {key}, which is no key" in foreign.stdout) == (exit_codes.FAILED, True)
    assert run_cli("verify", str(exported), "--key", "7").returncode == exit_codes.USAGE


def test_many_goals_are_asked_what_other_bounds_would_have_decided(played: Played) -> None:
    same = played.hub.cli("replay", "policy")
    assert same.returncode == exit_codes.OK, same.stdout + same.stderr
    assert "0 goals would have gone differently" in same.stdout
    other = played.hub.cli("replay", "policy", "--set", "max_fixes=0", "--set", "max_retries=9")
    assert other.returncode == exit_codes.FAILED
    assert "decision at" in other.stdout


def test_a_file_is_enough_on_a_machine_without_a_hub(exported: Path, tmp_path: Path, played: Played) -> None:
    nowhere = {"AGENTHUB_DATA_DIR": str(tmp_path), "NATS_URL": "nats://127.0.0.1:1", "PATH": "/usr/bin:/bin"}
    told = answer(run_cli("replay", "run", str(exported), "--json", env=nowhere))
    assert told["differences"] == []
    assert answer(run_cli("verify", str(exported), "--json", env=nowhere))["flaws"] == []
    assert answer(run_cli("replay", "import", str(exported), "--json", env=nowhere))["goal_id"] == played.goal_id
    shown = run_cli("replay", "show", played.goal_id, env=nowhere)
    assert "Generated workflow with 12 tasks" in shown.stdout
    line = run_cli("replay", "why", played.goal_id, "auth/jwt.py:1", env=nowhere)
    assert "“Build authentication system with JWT”" in line.stdout
    timed = answer(run_cli("bench", "replay", str(exported), "--goals", "2", "--json", env=nowhere))
    assert timed["goals"] == 2


def test_a_file_that_was_touched_is_refused_and_named(exported: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched.agenthub.gz"
    data = bytearray(exported.read_bytes())
    data[len(data) // 2] ^= 1
    touched.write_bytes(data)
    checked = run_cli("verify", str(touched))
    assert (checked.returncode, "damaged" in checked.stdout) == (exit_codes.FAILED, True)
    assert "was changed" in run_cli("replay", "run", str(touched)).stderr


def test_two_goals_stand_side_by_side_and_two_moments_of_one(played: Played, exported: Path) -> None:
    rows = played.hub.cli("replay", "compare", played.goal_id, str(exported), "--json").stdout.splitlines()
    figures = [msgspec.json.decode(row) for row in rows]
    assert all(figure["first"] == figure["second"] for figure in figures)
    assert {"status", "cost", "gate tests", "file auth/jwt.py"} <= {figure["what"] for figure in figures}
    first, last = played.log[0].seq, played.log[-1].seq
    told = played.hub.cli("replay", "diff", played.goal_id, "--from", str(first), "--to", str(last))
    assert "ready_for_review" in told.stdout


def test_the_read_models_of_an_earlier_event_stand_beside_the_live_ones(played: Played) -> None:
    middle = str(played.log[len(played.log) // 2].seq)
    made = played.hub.cli("replay", "project", "readmodels", "--schema", "half", "--to-seq", middle)
    assert made.returncode == exit_codes.OK, made.stderr
    compared = played.hub.cli("replay", "compare-schemas", "half", "live")
    assert (compared.returncode, " 0 differences" in compared.stdout) == (exit_codes.FAILED, False)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("replay", "show", "g-nothing"), exit_codes.FAILED, "No goal has an id that begins with g-nothing"),
        (("replay", "show", f"g-{'0' * 26}"), exit_codes.USAGE, "There is no goal"),
        (("replay", "project", "readmodels", "--schema", "public"), exit_codes.USAGE, "cannot be taken"),
        (("replay", "policy", "--set", "nothing=1"), exit_codes.USAGE, "max_retries"),
        (("replay", "import", "/nowhere"), exit_codes.FAILED, "cannot be read"),
    ],
)
def test_what_cannot_be_replayed_is_said(played: Played, words: tuple[str, ...], code: int, said: str) -> None:
    done = played.hub.cli(*words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


@pytest.fixture(scope="module")
def forked(played: Played) -> Played:
    """A fork from the middle of the work, asked for twice, at rest."""
    words = ("replay", "fork", played.goal_id, "--at-seq", str(half_way(played)), "--key", "half-way")
    different = ("--prompt", "Keep it short", "--budget", "9", "--model", "claude-haiku-4-5", "--json")
    told = [answer(played.hub.cli(*words, *different)) for _ in range(2)]
    assert told[0] == told[1]
    assert told[0]["tasks_inherited"] + told[0]["tasks_ahead"] == 12
    return play(played.hub, told[0]["goal_id"], "ready_for_review")


def half_way(played: Played) -> int:
    work = [r.seq for r in played.log if isinstance(r.event, TaskCompleted) and kind_of(r.event.task_id) == "work"]
    return work[len(work) // 2]


def test_a_fork_begins_with_the_files_of_its_event_and_reaches_a_result_of_its_own(
    played: Played, forked: Played
) -> None:
    at_seq = half_way(played)
    theirs = [merge.head for r, merge in merges(played) if r < at_seq]
    assert [merge.head for _, merge in merges(forked)][: len(theirs)] == theirs
    first = next(r for r in forked.log if isinstance(r.event, TaskEnqueued))
    assert isinstance(first.event, TaskEnqueued)
    assert first.event.workspace_commit == theirs[-1]
    before = played.hub.get(f"/goals/{played.goal_id}/replay", at_seq=at_seq)
    then = played.hub.get(f"/goals/{forked.goal_id}/replay", at_seq=first.seq - 1)
    assert then["goal"]["head"] == before["goal"]["head"] == theirs[-1]
    assert then["goal"]["tasks_done"] > 0
    assert forked.goal["forked_from"] == played.goal_id
    assert 0 < forked.goal["llm_calls"] < played.goal["llm_calls"]
    assert [r.seq for r in play(played.hub, played.goal_id, "ready_for_review").log] == [r.seq for r in played.log]


def test_a_fork_is_replayed_verified_explained_and_compared_as_any_goal(played: Played, forked: Played) -> None:
    told = answer(played.hub.cli("replay", "run", forked.goal_id, "--json"))
    assert (told["differences"], told["missing"], told["unrecorded"]) == ([], [], 0)
    assert answer(played.hub.cli("verify", forked.goal_id, "--json"))["flaws"] == []
    why = played.hub.cli("replay", "why", forked.goal_id, "auth/jwt.py:1")
    assert f"Forked {played.goal_id} at event {half_way(played)}" in why.stdout
    rows = played.hub.cli("replay", "compare", played.goal_id, forked.goal_id, "--json").stdout.splitlines()
    figures = {figure["what"]: figure for figure in map(msgspec.json.decode, rows)}
    assert figures["status"]["first"] == figures["status"]["second"] == "ready_for_review"
    assert figures["forked from"] == {
        "what": "forked from",
        "first": None,
        "second": f"{played.goal_id} at event {half_way(played)}",
    }


def test_a_fork_of_no_event_of_the_goal_names_the_nearest_ones(played: Played) -> None:
    refused = played.hub.cli("replay", "fork", played.goal_id, "--at-seq", "999999")
    assert refused.returncode == exit_codes.USAGE
    assert f"its last event is {played.log[-1].seq}" in refused.stderr


def merges(played: Played) -> list[tuple[int, MergeDone]]:
    return [(r.seq, r.event) for r in played.log if isinstance(r.event, MergeDone)]
