"""`agenthub demo`: what a first user sees, from an empty folder to a repository with the result."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.demo_run import Demo
from tests.support.running_hub import run_cli

LINE = re.compile(r"\[\d\d:\d\d:\d\d\] [\w-]+(?: \([\w-]+\))?: .+")


def test_the_demo_says_first_and_last_that_a_script_plays_the_model(demo: Demo) -> None:
    assert demo.told[0].startswith("REHEARSAL: a scripted model")
    assert demo.told[-1] == demo.told[0]


def test_the_demo_tells_the_run_line_by_line(demo: Demo) -> None:
    story = [line for line in demo.told if LINE.fullmatch(line)]
    assert len(story) > 40
    assert any(line.endswith("(testing): 2 tests failed") for line in story)


def test_the_summary_holds_tasks_gates_with_evidence_calls_events_and_the_next_command(demo: Demo) -> None:
    summary = "\n".join(demo.told[-20:])
    assert re.search(r"tasks +19, attempts 19", summary)
    assert re.search(
        r"gate +tests +round 1 · failed · exit code 1 · \d+ passed, 2 failed · \d+% coverage", summary
    )
    assert re.search(r"gate +tests +round 2 · passed · exit code 0 · \d+ passed · \d+% coverage", summary)
    assert re.search(r"\d% coverage · \d+ of \d+ mutants noticed", summary)
    assert re.search(r"gate +security +round 1 · passed · \d+ findings?", summary)
    assert re.search(r"gate +review +round 1 · passed · .*0 findings", summary)
    assert re.search(r"model calls +\d+ ", summary)
    assert re.search(r"events +\d+", summary)
    assert re.search(r"goal approve g-\w{26} --url", summary)


def test_the_result_is_a_git_repository_with_a_clean_tree(demo: Demo) -> None:
    named = next(line.split(maxsplit=1)[1] for line in demo.told if line.startswith("  result "))
    assert demo.folder in Path(named).parents
    git = ("git", "-C", named)
    files = subprocess.run([*git, "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    assert "auth/jwt.py" in files
    assert subprocess.run([*git, "status", "--porcelain"], capture_output=True, check=True).stdout == b""


def test_the_data_is_its_owner_s_alone(demo: Demo) -> None:
    assert demo.home.stat().st_mode & 0o077 == 0


def test_a_demo_that_cannot_start_ends_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    ran = run_cli("demo", "--folder", str(tmp_path / "taken"))
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert ran.stderr.startswith("error: ")
    assert str(tmp_path / "taken") in ran.stderr
