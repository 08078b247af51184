"""A hub that is started and left alone: every command finds it, by short names of its goals, until it stops."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.running_hub import run_cli
from tests.support.until import until

pytestmark = pytest.mark.extra


def test_a_hub_that_was_left_running_is_found_without_being_named_and_stopped(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run"), "AGENTHUB_PROVIDER": "rehearsal"}
    folder = str(tmp_path / "data")
    (tmp_path / "run").mkdir(mode=0o700)

    def cli(*words: str) -> tuple[int, str, str]:
        done = run_cli(*words, env=env, timeout=300)
        return done.returncode, done.stdout, done.stderr

    assert cli("status")[0] == 4
    code, said, told = cli("up", "--detach", "--port", str(port), "--data-dir", folder, "--workers", "noop=1")
    assert code == 0, told
    try:
        assert f"agenthub is ready at http://127.0.0.1:{port}" in said
        assert "agenthub_cli.main down" in said or "agenthub down" in said
        code, _, told = cli("up", "--detach", "--data-dir", folder)
        assert code == 1
        assert f"already, at http://127.0.0.1:{port}" in told
        ids = [json.loads(cli("goal", "submit", f"Goal {number}", "--json")[1])["goal_id"] for number in (1, 2)]
        asyncio.run(
            until(lambda: all(goal_id in cli("goal", "list")[1] for goal_id in ids), what="both goals are listed")
        )
        code, said, _ = cli("goal", "show", "@last")
        assert (code, said.splitlines()[0]) == (0, "Goal 2")
        assert ids[1] in said
        assert cli("goal", "show", ids[0][:-1])[1].startswith("Goal 1")
        code, _, told = cli("goal", "show", "g-")
        assert code == 1
        assert "There is no goal `g-`" in told
        code, _, told = cli("goal", "show", ids[0][:3])
        assert code == 2
        assert f"{ids[1]}, {ids[0]}" in told
        assert "No goal has an id that begins with g-zz" in cli("goal", "show", "g-zz")[2]
        assert json.loads(cli("events", "show", ids[0][:-1], "--json")[1].splitlines()[0])["goal_id"] == ids[0]
        assert "Human: Submitted goal: Goal 2" in cli("goal", "log", "@last")[1]
        assert cli("goal", "diff", "@last", "--stat")[:2] == (0, "Nothing has changed\n")
        assert cli("goal", "plan", "@last")[0] == 0
        code, said, _ = cli("status", "--json")
        assert code == 0
        assert sum(json.loads(said)["goals"].values()) == 2
        assert f"http://127.0.0.1:{port} answers" in cli("status")[1]
        assert "gateway_listening" in cli("logs", "gateway", "-n", "200")[1]
        code, _, told = cli("logs", "baker")
        assert code == 2
        assert "orchestrator" in told
    finally:
        code, said, told = cli("down")
    assert code == 0, told
    assert said == f"Stopped http://127.0.0.1:{port} on {folder}\n"
    code, _, told = cli("down")
    assert code == 1
    assert "No hub runs" in told
    assert list((tmp_path / "run").glob("**/*.hub")) == []
