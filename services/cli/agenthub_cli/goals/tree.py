"""A goal as a tree of lines: each task with its state, what it does just now, and what it has cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from agenthub_cli.goals.summary import duration, moment, summary
from agenthub_cli.terminal.cells import cut, padded, padded_left, room
from agenthub_cli.terminal.style import Look
from agenthub_runtime.plain_text import one_line

Row: TypeAlias = Mapping[str, Any]
Lines: TypeAlias = list[tuple[str, Look]]

_OVER = ("done", "skipped", "cancelled")
_NARROW, _WIDE = 64, 92
_NAME_MAX = 34


class _State(NamedTuple):
    word: str
    sign: str
    ascii: str
    look: Look


_STATES = {
    "pending": _State("waits", "○", "o", "dim"),
    "enqueued": _State("queued", "◌", "o", ""),
    "in_progress": _State("running", "◐", ">", "blue"),
    "done": _State("done", "●", "*", "green"),
    "blocked": _State("asks", "?", "?", "yellow"),
    "parked": _State("parked", "◌", "o", "dim"),
    "failed": _State("failed", "◆", "x", "red"),
    "timed_out": _State("timed out", "◆", "x", "red"),
    "dead_lettered": _State("given up", "◆", "x", "red"),
    "skipped": _State("skipped", "–", "-", "dim"),
    "cancelled": _State("cancelled", "–", "-", "dim"),
}
# A gate's task is done whatever its verdict is.
_NOT_PASSED = _STATES["failed"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a goal at one moment; `tools` are the tools that run, by task, `foot` what else is said."""

    goal: Row
    tasks: Sequence[Row] = ()
    attempts: Sequence[Row] = ()
    gates: Sequence[Row] = ()
    tools: Mapping[str, str] = {}
    foot: Sequence[str] = ()


def tree(seen: Seen, now: datetime, *, columns: int, rows: int, signs: bool = True) -> Lines:
    """The lines, as many as fit into `rows`; finished and waiting tasks give way first."""
    head: Lines = [
        (cut(one_line(str(seen.goal["goal"])), columns), "bold"),
        (cut(summary(seen.goal, now), columns), ""),
    ]
    # An id is never cut: on a narrow terminal it has a line of its own.
    goal_id = str(seen.goal["goal_id"])
    head[1:1] = [(goal_id, "dim")]
    foot: Lines = [(cut(one_line(words), columns), "yellow") for words in seen.foot]
    left = rows - len(head) - len(foot)
    listed = _ordered(seen.tasks)
    shown, folded = _fitting(listed, left)
    body = _task_lines(shown, seen, now, columns, signs=signs)
    return [*head, *body, *((f"   … {words}", "dim") for words in folded), *foot]


def spend(row: Row) -> str:
    """Money where calls have a price, else how many calls there were."""
    calls, cost = int(row["llm_calls"]), float(row["cost_usd"])
    if not calls:
        return ""
    return f"${cost:.2f}" if cost else f"{calls} {'call' if calls == 1 else 'calls'}"


def _ordered(tasks: Sequence[Row]) -> list[tuple[Row, bool]]:
    """Tasks in the order of the goal, each with what was added because of it right behind it (True)."""
    ids = {str(task["task_id"]) for task in tasks}
    below: dict[str, list[Row]] = {}
    top = []
    for task in tasks:
        cause = _cause(str(task["task_id"]))
        if cause in ids:
            below.setdefault(cause, []).append(task)
        else:
            top.append(task)
    return [entry for task in top for entry in ((task, False), *_below(str(task["task_id"]), below))]


def _below(task_id: str, below: Mapping[str, list[Row]]) -> list[tuple[Row, bool]]:
    found = below.get(task_id, [])
    return [entry for task in found for entry in ((task, True), *_below(str(task["task_id"]), below))]


def _cause(task_id: str) -> str:
    """The gate that a repair belongs to, and the task of a merge; empty for what nothing has caused."""
    kind, _, rest = task_id.partition("-")
    if kind == "debug":
        return f"gate-{rest}"
    if kind == "fix":
        return f"gate-{rest.rpartition('-')[0]}"
    return rest.rpartition("-")[0] if kind == "merge" else ""


def _fitting(tasks: list[tuple[Row, bool]], rows: int) -> tuple[list[tuple[Row, bool]], list[str]]:
    if len(tasks) <= rows:
        return tasks, []
    folded: list[str] = []
    shown = tasks
    for statuses, words in ((_OVER, "finished"), (("pending",), "waiting"), (("enqueued",), "queued")):
        gone = [entry for entry in shown if entry[0]["status"] in statuses]
        if not gone or len(shown) + len(folded) <= rows:
            continue
        # As many of the newest stay as there is room for.
        surplus = len(shown) + len(folded) + 1 - rows
        leaving = gone[:surplus] if statuses == _OVER else gone[-surplus:]
        shown = [entry for entry in shown if not any(entry is other for other in leaving)]
        folded.append(f"{len(leaving)} {words}")
    if len(shown) + len(folded) > rows:
        surplus = len(shown) + len(folded) + 1 - rows
        shown, folded = shown[: len(shown) - surplus], [*folded, f"{surplus} more"]
    return shown, folded


def _task_lines(
    tasks: list[tuple[Row, bool]], seen: Seen, now: datetime, columns: int, *, signs: bool
) -> Iterable[tuple[str, Look]]:
    names = {str(task["task_id"]): _name(task) for task in seen.tasks}
    open_ids = {str(task["task_id"]) for task in seen.tasks if task["status"] not in _OVER}
    failed = {str(gate["task_id"]) for gate in seen.gates if gate["verdict"] == "failed"}
    spent = _spent(seen.attempts)
    wide = min(_NAME_MAX, max((room(_name(task)) + 3 * below for task, below in tasks), default=0), columns // 2)
    for task, below in tasks:
        state = _NOT_PASSED if str(task["task_id"]) in failed else _state(str(task["status"]))
        sign = state.sign if signs else state.ascii
        branch = ("└─ " if signs else "`- ") if below else ""
        name = cut(f"{branch}{_name(task)}", wide)
        doing = _doing(task, seen.tools, [names[d] for d in task["depends_on"] if d in open_ids and d in names])
        tail = [_took(task, now)] if columns >= _NARROW else []
        tail += [spent.get(str(task["task_id"]), "")] if columns >= _WIDE else []
        yield _line(f" {sign} {padded(name, wide)}  {padded(state.word, 9)}", doing, tail, columns), state.look


def _state(status: str) -> _State:
    return _STATES.get(status, _State(status.replace("_", " "), "·", ".", ""))


def _line(left: str, doing: str, tail: Sequence[str], columns: int) -> str:
    right = "".join(f"  {padded_left(part, width)}" for part, width in zip(tail, (9, 8), strict=False))
    space = columns - room(left) - room(right) - 2
    return f"{left}  {padded(cut(doing, space), max(space, 0))}{right}".rstrip()


def _doing(task: Row, tools: Mapping[str, str], waits_for: Sequence[str]) -> str:
    status = str(task["status"])
    if status == "in_progress":
        tool = tools.get(str(task["task_id"]), "")
        return " · ".join(part for part in (str(task["agent"]), one_line(tool)) if part)
    if status == "pending":
        return f"after {', '.join(waits_for)}" if waits_for else one_line(str(task["reason"]))
    if status == "done":
        return one_line(str(task["summary"]))
    return one_line(str(task["reason"])) or str(task["agent"])


def _took(task: Row, now: datetime) -> str:
    if not task["started_at"] or task["status"] in ("pending", "enqueued"):
        return ""
    end = moment(task["ended_at"]) if task["ended_at"] and task["status"] != "in_progress" else now
    return duration((end - moment(task["started_at"])).total_seconds())


def _spent(attempts: Sequence[Row]) -> dict[str, str]:
    sums: dict[str, dict[str, float]] = {}
    for attempt in attempts:
        found = sums.setdefault(str(attempt["task_id"]), {"llm_calls": 0, "cost_usd": 0.0})
        for name in found:
            found[name] += attempt[name]
    return {task_id: spend(found) for task_id, found in sums.items()}


def _name(task: Row) -> str:
    return one_line(str(task["key_name"] or task["task_id"]))
