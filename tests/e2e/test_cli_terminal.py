"""What a person meets at a terminal: the tree of a goal, a question answered in place, a plan in an editor."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from tests.support.running_hub import BLOCKED_SAMPLE, SAMPLE, RunningHub, clean_environment
from tests.support.shells import on_terminal
from tests.support.until import until

pytestmark = pytest.mark.extra

BLOCKED, INTERRUPTED, DONE = 3, 130, 0
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LOOKS = re.compile(r"\x1b\[[0-9;]*m")
# A line that is drawn in place: whatever is behind it on the screen is wiped.
_DRAWN = re.compile(r"([^\r\n\x1b]*)\x1b\[K\r?\n")


def environment(hub: RunningHub, **more: str) -> dict[str, str]:
    named = {"AGENTHUB_URL": hub.url, "AGENTHUB_DATA_DIR": str(hub.data.root), "TERM": "xterm"}
    return {**clean_environment(), **named, "LANG": "C.UTF-8", **more}


def agenthub(*words: str) -> list[str]:
    return [sys.executable, "-m", "agenthub_cli.main", *words]


def test_a_goal_is_watched_as_a_tree_left_and_answered_where_it_asks(hub: RunningHub) -> None:
    words = [word for text in BLOCKED_SAMPLE["requirements"] for word in ("-r", text)]
    submit = agenthub("goal", "submit", BLOCKED_SAMPLE["goal"], *words, "--watch", "--key", "terminal")
    with on_terminal(submit, environment(hub), columns=80) as terminal:
        shown = terminal.until("  > ")
        goal_id = shown.split()[1]
        terminal.interrupt()
        assert terminal.rest() == INTERRUPTED
    assert "The goal goes on without you" in terminal.shown
    assert f"goal watch {goal_id}" in terminal.shown
    drawn = _CODES.sub("", terminal.shown)
    assert "? implement-price-calculator  asks" in drawn
    assert "1. half-even" in drawn
    assert terminal.shown.rindex("\x1b[?25h") > terminal.shown.rindex("\x1b[?25l"), "the cursor is given back"
    lines = _DRAWN.findall(_LOOKS.sub("", terminal.shown))
    assert lines
    assert all(len(line) < 80 for line in lines), "the terminal never has to break one"

    with on_terminal(agenthub("goal", "watch", goal_id), environment(hub, NO_COLOR="1"), columns=60) as terminal:
        terminal.until("  > ")
        terminal.type("\r")
        assert terminal.rest() == BLOCKED, "Enter leaves it for later"
        assert _LOOKS.search(terminal.shown) is None
        assert "\x1b[J" in terminal.shown

    dumb = environment(hub, TERM="dumb")
    with on_terminal(agenthub("goal", "watch", goal_id, "--verbose"), dumb) as terminal:
        place = len(terminal.until("  > "))
        terminal.type("1\r")
        terminal.until("Ready for review", after=place, deadline_s=300)
        assert terminal.rest() == DONE
    assert "\x1b" not in terminal.shown
    assert "Orchestrator: " in terminal.shown
    assert re.search(r"implement-price-calculator: (create|bash|str_replace|view)", terminal.shown[place:])


def test_a_plan_is_edited_until_it_is_taken_and_then_approved(hub: RunningHub, tmp_path: Path) -> None:
    body = {**SAMPLE, "autonomy": "approve_plan"}
    goal_id = hub.submit(body, key="terminal-plan")
    assert hub.cli("goal", "watch", goal_id).returncode == BLOCKED
    editor, rounds = tmp_path / "editor.py", tmp_path / "rounds"
    editor.write_text(
        "import json, pathlib, sys\n"
        f"rounds = pathlib.Path({str(rounds)!r})\n"
        "rounds.write_text((rounds.read_text() if rounds.exists() else '') + 'x')\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "tasks = json.loads(file.read_text())\n"
        "tasks[0]['title'] = 'Changed by hand'\n"
        "tasks[-1]['depends_on'] = ['nobody'] if rounds.read_text() == 'x' else []\n"
        "file.write_text(json.dumps(tasks))\n"
    )
    env = environment(hub, EDITOR=f"{sys.executable} {editor}", VISUAL="")
    with on_terminal(agenthub("goal", "plan", goal_id, "--edit", "--approve"), env) as terminal:
        place = len(terminal.until("Enter opens it again"))
        assert "`nobody`" in terminal.shown
        assert "HTTP" not in terminal.shown
        terminal.type("\r")
        terminal.until("is approved", after=place)
        assert terminal.rest() == DONE
    assert rounds.read_text() == "xx", "the second time the text of the first was there"
    asyncio.run(until(lambda: hub.get(f"/goals/{goal_id}")["plan_approved"], what="the approval is read"))
    tasks = hub.get(f"/goals/{goal_id}/graph")["tasks"]
    assert "Changed by hand" in [task["title"] for task in tasks]
    late = hub.cli("goal", "plan", goal_id, "--edit")
    assert (late.returncode, "waits for approval" in late.stderr) == (1, True)
    hub.cli("goal", "cancel", goal_id)


def test_an_edit_that_is_refused_where_nobody_sits_is_kept_in_a_file(hub: RunningHub, tmp_path: Path) -> None:
    goal_id = hub.submit({**SAMPLE, "autonomy": "approve_plan"}, key="terminal-kept")
    assert hub.cli("goal", "watch", goal_id).returncode == BLOCKED
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps([{"key": "a", "title": "A"}, {"key": "a", "title": "B"}]))
    refused = hub.cli("goal", "plan", goal_id, "--file", str(wrong))
    assert (refused.returncode, "`a`" in refused.stderr) == (2, True)
    right = tmp_path / "right.json"
    right.write_text(json.dumps([{"key": "only", "title": "Only this", "agent": "noop"}]))
    assert hub.cli("goal", "plan", goal_id, "--file", str(right), "--approve").returncode == DONE
    assert "Only this" in hub.cli("goal", "plan", goal_id).stdout
    both = hub.cli("goal", "plan", goal_id, "--edit", "--file", str(right))
    assert (both.returncode, "--file" in both.stderr) == (2, True)
    hub.cli("goal", "cancel", goal_id)
