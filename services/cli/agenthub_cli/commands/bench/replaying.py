"""How fast finished goals are replayed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from agenthub_cli import exit_codes
from agenthub_cli.errors import CommandFailed
from agenthub_cli.terminal.output import print_json, say
from agenthub_replay.exported import read_export
from agenthub_replay.playing.decisions import replay_decisions
from agenthub_replay.playing.replaying import replay


def run_replay(file: Path, goals: int, *, json: bool) -> int:
    """`agenthub bench replay`: each goal is read out of the file anew, as many goals would be."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}", code=exit_codes.USAGE) from error
    history = read_export(data)
    decisions_s = _seconds(lambda: replay_decisions(read_export(data)), goals)
    everything_s = _seconds(lambda: asyncio.run(replay(read_export(data))), goals)
    figures = {
        "goals": goals,
        "events": len(history.messages),
        "decisions_s": round(decisions_s, 2),
        "everything_s": round(everything_s, 2),
    }
    if json:
        print_json(figures)
    else:
        say(
            f"{goals} goals of {figures['events']} events: all decisions again in {decisions_s:.2f} s, with every"
            f" model request and move in {everything_s:.2f} s"
        )
    return exit_codes.OK


def _seconds(work: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - began
