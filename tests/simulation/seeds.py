"""Many seeds, side by side, and what to print of one that fails."""

from __future__ import annotations

import gc
import multiprocessing
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.simulation.checks import Violated
from tests.simulation.faults import Fault
from tests.simulation.world import Outcome, simulate

PROCESSES = 2
NICE = 10
CHUNK = 10
SHOWN = 200


class Report(NamedTuple):
    """What remains of a world: its seed, how much happened, and what was wrong."""

    seed: int
    events: int
    faults: int
    violations: tuple[Violated, ...] = ()
    schedule: tuple[Fault, ...] = ()


def run_seeds(seeds: Iterable[int], *, processes: int = PROCESSES) -> Iterator[Report]:
    """Play every seed, in processes of their own; reports come as they are ready."""
    # Started afresh: a fork would carry the caller's threads and loops along.
    with multiprocessing.get_context("spawn").Pool(processes, initializer=_lean) as pool:
        yield from pool.imap_unordered(report_of, seeds, chunksize=CHUNK)


def report_of(seed: int) -> Report:
    """Play one seed."""
    with tempfile.TemporaryDirectory(prefix="agenthub-simulation-") as folder:
        try:
            outcome = simulate(seed, Path(folder))
        except Exception as error:  # the search goes on with the next seed
            return Report(seed, 0, 0, (Violated("simulation", repr(error)),))
    gc.collect(0 if seed % CHUNK else 2)
    return _shortened(outcome)


def told(report: Report) -> str:
    """A failing seed in words: what was promised, and what went wrong before, in order."""
    lines = [f"seed {report.seed} fails:"]
    lines += [f"  {violated.check}: {violated.why}" for violated in report.violations]
    lines.append(f"  what went wrong ({len(report.schedule)} faults; virtual second, process, point, action):")
    lines += [f"    {f.at:10.3f}  {f.process:<15} {f.point:<22} {f.action}" for f in report.schedule[-SHOWN:]]
    lines.append(f"  again: python -m tests.simulation --seeds 1 --start {report.seed}")
    return "\n".join(lines)


def _shortened(outcome: Outcome) -> Report:
    if not outcome.violations:
        return Report(outcome.seed, len(outcome.log), len(outcome.schedule))
    return Report(
        outcome.seed,
        len(outcome.log),
        len(outcome.schedule),
        tuple(outcome.violations),
        tuple(outcome.schedule),
    )


def _lean() -> None:
    # Whoever waits for real processes meanwhile goes first: virtual time can be as slow as it likes.
    os.nice(NICE)
    # Worlds are thrown away whole; collecting after each is cheaper than looking all the time.
    gc.freeze()
    gc.disable()
