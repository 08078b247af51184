"""A goal as a tree: every state by sign and word, nothing wider or longer than the terminal, no id cut."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agenthub_cli.goals.tree import Seen, tree
from agenthub_cli.terminal.cells import broken, cut, room
from agenthub_cli.terminal.live import LiveLines
from agenthub_cli.terminal.table import table_lines

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
GOAL_ID = "g-01m8hz0jdgwc90t0x0gqhg70fd"


def goal(**fields: Any) -> dict[str, Any]:
    return {
        "goal": "Build it",
        "goal_id": GOAL_ID,
        "status": "running",
        "tasks_done": 1,
        "tasks_total": 3,
        "gates_to_come": 2,
        "accepted_at": (NOW - timedelta(seconds=126)).isoformat(),
        "ended_at": None,
        "cost_usd": 1.25,
        "max_cost_usd": 20.0,
        "llm_calls": 7,
        "unpriced_calls": 0,
        **fields,
    }


def task(task_id: str, status: str = "pending", **fields: Any) -> dict[str, Any]:
    began = (NOW - timedelta(seconds=65)).isoformat() if status not in ("pending", "enqueued") else None
    return {
        "task_id": task_id,
        "key_name": task_id.removeprefix("t-"),
        "status": status,
        "agent": "coding",
        "summary": "",
        "reason": "",
        "depends_on": (),
        "started_at": began,
        "ended_at": None if status == "in_progress" else NOW.isoformat(),
        **fields,
    }


def lines(seen: Seen, columns: int = 120, rows: int = 40, *, signs: bool = True) -> list[str]:
    return [text for text, _ in tree(seen, NOW, columns=columns, rows=rows, signs=signs)]


TASKS = (
    task("t-design", "done", summary="Designed"),
    task("t-parse", "in_progress", depends_on=("t-design",)),
    task("t-write", depends_on=("t-design", "t-parse")),
    task("t-ask", "blocked", reason="Which rounding?"),
    task("gate-tests-1", "done", summary="2 failed"),
    task("debug-tests-1", "done"),
    task("fix-tests-1-1", "enqueued"),
    task("gate-tests-2"),
    task("merge-t-design-1", "failed", reason="conflict"),
)
SEEN = Seen(
    goal=goal(),
    tasks=TASKS,
    attempts=(
        {"task_id": "t-parse", "llm_calls": 3, "cost_usd": 0.5},
        {"task_id": "t-parse", "llm_calls": 1, "cost_usd": 0.25},
    ),
    gates=({"task_id": "gate-tests-1", "verdict": "failed"},),
    tools={"t-parse": "bash pytest -q"},
)


def test_each_task_says_its_state_what_it_does_or_waits_for_and_what_it_cost() -> None:
    told = lines(SEEN)
    assert told[:3] == ["Build it", GOAL_ID, "running · 1 of 5 · 2 m 06 s · $1.25 of $20.00 · 7 calls"]
    parse = next(line for line in told if " parse" in line)
    assert " ".join(parse.split()) == "◐ parse running coding · bash pytest -q 1 m 05 s $0.75"
    assert "after parse" in next(line for line in told if " write" in line), "what is done is waited for no more"
    assert "asks" in next(line for line in told if " ask " in line)
    assert "◆ gate-tests-1" in "\n".join(told), "a gate that failed is no task that is done"


def test_repairs_stand_below_their_gate_and_merges_below_their_task() -> None:
    names = [line.split()[1:3] for line in lines(SEEN)[3:]]
    assert names[0][0] == "design"
    assert names[1] == ["└─", "merge-t-design-1"]
    place = names.index(["gate-tests-1", "failed"])
    assert [name[-1] for name in names[place + 1 : place + 3]] == ["debug-tests-1", "fix-tests-1-1"]


@pytest.mark.parametrize("columns", [31, 40, 60, 80, 200])
@pytest.mark.parametrize("rows", [8, 12, 24, 60])
def test_nothing_is_wider_or_longer_than_the_terminal_and_the_id_is_whole(columns: int, rows: int) -> None:
    many = tuple(task(f"t-{'长' * 9}-{number}", "done", summary="ß" * 300) for number in range(300))
    waiting = tuple(task(f"t-w{number}") for number in range(300))
    seen = Seen(goal=goal(goal="W" * 300), tasks=(*many, *TASKS, *waiting), foot=("nobody serves security",))
    told = lines(seen, columns, rows)
    assert len(told) <= rows
    assert max(map(room, told)) <= columns
    assert GOAL_ID in told
    assert told[-1].startswith("nobody serves")
    assert "running" in "\n".join(told), "what runs stays when the rest gives way"


def test_where_no_signs_can_be_shown_letters_stand_for_them() -> None:
    told = lines(SEEN, signs=False)
    assert all("·" in line or line.isascii() for line in told)
    assert "? ask" in "\n".join(told)


def test_a_state_that_a_newer_hub_knows_is_its_own_word() -> None:
    assert "half baked" in "\n".join(lines(Seen(goal=goal(), tasks=(task("t-a", "half_baked"),))))


def test_lines_are_drawn_over_the_earlier_ones_and_words_stand_above(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "10")
    stream = io.StringIO()
    drawn = LiveLines(stream)
    drawn.draw([("one", ""), ("two", "")])
    drawn.draw([("x" * 90, ""), ("\x1b[31mred", "")])
    drawn.above("said")
    drawn.end()
    text = stream.getvalue()
    assert "\x1b[2A" in text
    assert "x" * 38 + "…" in text
    assert "\\x1b[31mred" in text, "what others wrote steers no terminal"
    assert text.rindex("said") < text.rindex("red")
    assert text.endswith("\x1b[?25h")


def test_a_terminal_that_became_narrower_has_broken_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "81")
    stream = io.StringIO()
    drawn = LiveLines(stream)
    drawn.draw([("x" * 80, ""), ("y", "")])
    monkeypatch.setenv("COLUMNS", "41")
    drawn.draw([("z", "")])
    assert "\x1b[3A" in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("長長", 3, "長…"),
        ("長長", 4, "長長"),
        ("ab", 0, ""),
        ("e\u0301e", 2, "e\u0301e"),
    ],
)
def test_a_text_is_cut_by_the_room_that_it_takes(text: str, columns: int, shown: str) -> None:
    assert cut(text, columns) == shown


def test_a_table_breaks_no_word_that_has_room_and_puts_the_widest_column_below_where_none_has() -> None:
    rows = [(GOAL_ID, "workflow_generated", "Price the whole catalogue"), ("g-2", "done", "")]
    names, whole = ("goal_id", "status", "title"), (True, False, False)
    assert list(table_lines(rows, names, width=60, whole=whole)) == [
        "goal_id                       status              title",
        f"{GOAL_ID}  workflow_generated  Price the",
        "                                                  whole",
        "                                                  catalogue",
        "g-2                           done",
    ]
    assert list(table_lines(rows, names, width=56, whole=whole)) == [
        "goal_id                       status",
        f"{GOAL_ID}  workflow_generated",
        "    title  Price the whole catalogue",
        "g-2                           done",
    ]


def test_a_table_breaks_long_cells_on_a_terminal_and_never_an_id() -> None:
    rows = [(GOAL_ID, "running", "word " * 20 + "W" * 50), ("g-2", "done", "")]
    told = list(table_lines(rows, ("goal_id", "status", "goal"), width=60, whole=(True, False, False)))
    assert max(map(room, told)) <= 60
    assert any(GOAL_ID in line for line in told)
    whole = list(table_lines(rows, ("goal_id", "status", "goal"), width=None, whole=(True, False, False)))
    assert len(whole) == 3
    assert "".join(broken("W" * 50, 20)) == "W" * 50
