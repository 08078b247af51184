"""The restore drill: a hub is backed up in the middle of its work, and another one goes on from there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.support.running_hub import BLOCKED_SAMPLE, run_cli, running_hub

pytestmark = pytest.mark.extra


async def test_a_hub_goes_on_from_the_backup_of_another_one(tmp_path: Path) -> None:
    backup, first, second = tmp_path / "backup", tmp_path / "first", tmp_path / "second"
    with running_hub(first) as hub:
        goal_id = hub.submit(BLOCKED_SAMPLE)
        await hub.wait_for(goal_id, "awaiting_human")
        said = run_cli("backup", str(backup), "--data-dir", str(first))
        assert (said.returncode, said.stderr) == (0, ""), said
        lines = said.stdout.splitlines()
        before = [event.sha256 for event in await hub.events(goal_id)]
        # The hub may have told somebody of the question meanwhile.
        kept = int(lines[0].removeprefix("  EVENTS").split()[0])
        assert 0 < kept <= len(before)
        before = before[:kept]
        assert lines[-3].startswith("Verified: a second server made the same")
        assert lines[-1].endswith(f"restore {backup} --data-dir <new folder>")
        again = run_cli("backup", str(backup), "--data-dir", str(first))
        assert (again.returncode, again.stdout) == (1, "")
        assert "is not empty" in again.stderr
    restored = run_cli("restore", str(backup), "--data-dir", str(second), "--json")
    assert restored.returncode == 0, restored
    told = msgspec.json.decode(restored.stdout)
    assert told["data_dir"] == str(second)
    assert told["streams"]["EVENTS"]["messages"] == told["last_event"]
    with running_hub(second) as hub:
        await hub.wait_for(goal_id, "awaiting_human")
        assert [event.sha256 for event in (await hub.events(goal_id))[: len(before)]] == before
        verified = run_cli("rebuild", "--verify", "--data-dir", str(second))
        assert "0 differences" in verified.stdout, verified
        (question,) = hub.questions(goal_id)
        answered = hub.answer(question["id"], action="answer", option=question["options"][0])
        assert answered.status_code == 202, answered.text
        await hub.wait_for(goal_id, "ready_for_review")
    over = run_cli("restore", str(backup), "--data-dir", str(second))
    assert over.returncode == 2
    assert "holds the log of a hub already" in over.stderr


def test_what_is_no_backup_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for words, code, said in (
        (("restore", str(tmp_path / "empty"), "--data-dir", str(tmp_path / "new")), 1, "holds no whole backup"),
        (("restore", str(tmp_path / "nowhere"), "--data-dir", str(tmp_path / "new")), 1, "holds no whole backup"),
        (("restore", str(tmp_path / "empty")), 2, "name a new folder with --data-dir"),
        (("backup", str(tmp_path / "b"), "--data-dir", str(tmp_path / "no-hub")), 1, "No hub runs on"),
    ):
        ran = run_cli(*words)
        assert (ran.returncode, ran.stdout) == (code, ""), ran
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
