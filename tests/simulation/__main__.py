"""`python -m tests.simulation --seeds N [--start S]`: play N worlds; exits with 1 when a promise was broken."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.seeds import PROCESSES, run_seeds, told

EVERY_S = 2.0


def main() -> int:
    """Play the seeds and tell how it goes."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Play seeded worlds.")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many worlds")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="how many at once")
    chosen = parser.parse_args()
    began = told_at = time.monotonic()
    done = events = faults = failed = 0
    seeds = range(chosen.start, chosen.start + chosen.seeds)
    for report in run_seeds(seeds, processes=min(chosen.processes, chosen.seeds)):
        done, events, faults = done + 1, events + report.events, faults + report.faults
        if report.violations:
            failed += 1
            sys.stdout.write(f"\n{told(report)}\n")
        now = time.monotonic()
        if now - told_at > EVERY_S or done == chosen.seeds:
            told_at = now
            sys.stdout.write(f"{done}/{chosen.seeds} worlds, {events} events, {faults} faults, {failed} failed\n")
            sys.stdout.flush()
    sys.stdout.write(f"{done} worlds in {time.monotonic() - began:.0f} s: {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
