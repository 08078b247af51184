"""`agenthub bench`: what the hub itself costs, measured through the public API, and whole goals on real projects.

A bench starts its own hub in a folder of its own, submits manual workflows of `noop` tasks over HTTP, and takes
start and end of every task from the event log. A raw JetStream floor is measured in the same run on the same
server, since absolute figures say little on a shared disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import App, Parameter

from agenthub_cli.checked import Count, at_least, whole
from agenthub_cli.options.common import Json

app = App(name="bench", help="Measure the hub on this machine, against a raw floor of the same run.")

Slots: TypeAlias = Annotated[Count, Parameter(help="Tasks at once, in one worker process")]
Rounds: TypeAlias = Annotated[Count, Parameter(help="Repetitions; the median and the range are shown")]


@app.command
def throughput(
    *,
    goals: Annotated[Count, Parameter(help="Goals at once")] = 16,
    slots: Slots = 8,
    rounds: Rounds = 3,
    json: Json = False,
) -> int:
    """Tasks a second: goals of 12 tasks in the usual shape, all submitted at once."""
    from agenthub_cli.commands.bench.run import run_throughput

    return run_throughput(goals=goals, slots=slots, rounds=rounds, json=json)


@app.command
def latency(
    *,
    tasks: Annotated[Count, Parameter(help="Tasks of the chain that is timed")] = 50,
    slots: Slots = 8,
    rounds: Rounds = 3,
    json: Json = False,
) -> int:
    """One hop: from a task's end to the start of the next, along a chain, in another process."""
    from agenthub_cli.commands.bench.run import run_latency

    return run_latency(tasks=tasks, slots=slots, rounds=rounds, json=json)


@app.command
def overhead(
    *,
    tasks: Annotated[
        int, Parameter(help="Tasks of the chain that is measured", converter=whole, validator=at_least(2))
    ] = 30,
    json: Json = False,
) -> int:
    """What a task costs beside its model: an edit, a command, a commit and a merge, one task after the other.

    Wall and CPU seconds a task at one slot, by process; then the steps that they go to, from a second run.
    """
    from agenthub_cli.commands.bench.overhead import run_overhead

    return run_overhead(tasks=tasks, json=json)


@app.command
def replay(
    file: Annotated[Path, Parameter(help="An exported goal: `agenthub replay export`")],
    *,
    goals: Annotated[Count, Parameter(help="How many goals")] = 100,
    json: Json = False,
) -> int:
    """Replay: all decisions of many goals again, then also their model requests and moves."""
    from agenthub_cli.commands.bench.replaying import run_replay

    return run_replay(file, goals, json=json)


@app.command
def corpus(
    *projects: Annotated[str, Parameter(help="Names of projects; none: all of them", show_default=False)],
    at_once: Annotated[Count, Parameter(help="Goals side by side; what each has stored is then not told")] = 1,
    json: Json = False,
) -> int:
    """Whole goals on real projects, which are fetched by this machine's package clients: setup, overhead, events.

    Each project has a bug, and a scripted model whose first fix is wrong; every goal is to end with the right one.
    """
    from agenthub_cli.commands.bench.corpus.run import run_corpus

    return run_corpus(projects, at_once=at_once, json=json)
