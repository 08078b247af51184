"""Shows a goal as it was."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agenthub_cli.commands.replay.opening import history_of
from agenthub_cli.errors import CommandFailed
from agenthub_cli.exit_codes import USAGE
from agenthub_cli.terminal.output import print_json, print_rows, say
from agenthub_replay import positions
from agenthub_replay.causation import Causation
from agenthub_replay.comparing import compare
from agenthub_replay.history import GoalHistory
from agenthub_replay.lines import LineCause, why


def run_show(
    goal: str,
    at_seq: int | None,
    at_time: datetime | None,
    nats_url: str | None,
    data_dir: Path | None,
    *,
    json: bool,
) -> None:
    """`agenthub replay show`."""
    if at_seq is not None and at_time is not None:
        raise CommandFailed("--at-seq and --at-time cannot both be given: name one position", code=USAGE)
    history = asyncio.run(history_of(goal, nats_url, data_dir))
    seq = history.last_seq if at_seq is None else at_seq
    if at_time is not None:
        # A time without a zone is that of the one who types it.
        seq = positions.seq_at(history, at_time.astimezone(UTC))
    seen = positions.goal_at(history, seq)
    if json:
        print_json(seen)
        return
    for line in positions.story(history, until=seq):
        say(line)
    row = seen.goal
    say()
    say(f"As of event {seen.seq}: {row.status}, {row.tasks_done} of {row.tasks_total} tasks done")
    say(f"Model calls {row.llm_calls}, cost {row.cost_usd:.4f} USD, branch at {row.head or 'its start'}")
    tasks = [msgspec.to_builtins(task) for task in seen.tasks]
    print_rows(tasks, ("task_id", "status", "attempt", "agent", "reason"), empty="No task is planned yet")


def run_why(goal: str, of: str, nats_url: str | None, data_dir: Path | None, *, json: bool) -> None:
    """`agenthub replay why`."""

    async def work() -> Causation | LineCause:
        with tempfile.TemporaryDirectory(prefix="agenthub-why-") as folder:
            return await why(await history_of(goal, nats_url, data_dir), of, Path(folder))

    found = asyncio.run(work())
    if json:
        print_json(found)
        return
    if isinstance(found, LineCause):
        say(f"{found.path}:{found.line}  {found.text}")
        say(f"commit {found.commit}" + ("" if found.cause else ", which was there before the goal"))
    causation = found.cause if isinstance(found, LineCause) else found
    if causation is not None:
        _tell(causation)


def _tell(causation: Causation) -> None:
    """As a tree; what an event that was told already follows from is not told again."""
    causes = {cause.seq: cause for cause in causation.causes}
    told: set[int] = set()
    waiting = [(causation.of, 0)]
    while waiting:
        seq, depth = waiting.pop()
        cause = causes[seq]
        task = "" if cause.task_id == "_" else f" {cause.task_id}"
        say(f"{'  ' * depth}{cause.seq} {cause.type}{task}: {cause.text}")
        if seq not in told:
            told.add(seq)
            waiting.extend((because, depth + 1) for because in reversed(cause.because))
    say()
    for words in causation.words:
        say(f"“{words}”")


def run_compare(first: str, second: str, nats_url: str | None, data_dir: Path | None, *, json: bool) -> None:
    """`agenthub replay compare`."""

    async def work() -> tuple[GoalHistory, GoalHistory]:
        return await history_of(first, nats_url, data_dir), await history_of(second, nats_url, data_dir)

    one, other = asyncio.run(work())
    figures = compare(one, other)
    if json:
        for figure in figures:
            print_json(figure)
        return
    rows = [{"": figure.what, one.goal_id: figure.first, other.goal_id: figure.second} for figure in figures]
    print_rows(rows, ("", one.goal_id, other.goal_id), empty="")


def run_diff(
    goal: str, from_seq: int, to_seq: int, nats_url: str | None, data_dir: Path | None, *, json: bool
) -> None:
    """`agenthub replay diff`."""
    if from_seq > to_seq:
        raise CommandFailed(f"--from {from_seq} lies behind --to {to_seq}: exchange them", code=USAGE)
    found = positions.diff(asyncio.run(history_of(goal, nats_url, data_dir)), from_seq, to_seq)
    if json:
        print_json(found)
        return
    for line in found.story:
        say(line)
    say()
    rows = [msgspec.to_builtins(change) for change in found.changes]
    print_rows(rows, ("table", "key", "field", "before", "after"), empty="Nothing has changed")
