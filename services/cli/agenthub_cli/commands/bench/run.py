"""The benches themselves: submit, watch the log, compute, print."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.client.child_hub import ChildHub, child_hub
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.commands.bench.floor import fdatasync_ms, raw_appends_per_second
from agenthub_cli.commands.bench.measure import (
    Spread,
    Watch,
    hops_ms,
    percentile,
    spread,
    tasks_per_second,
    watch_until_done,
)
from agenthub_cli.commands.bench.workload import chain, submission, usual_workflow
from agenthub_cli.terminal.output import print_json, say
from agenthub_events.ports import EventLog

_EVENTS_A_TASK = 3
_DEADLINE_S = 600.0


class Floor(msgspec.Struct, frozen=True):
    """What the machine gives in this run: fsync of the disk, and raw appends a second with 8 writers."""

    fdatasync_ms: float
    raw_appends_per_s: float


def run_throughput(*, goals: int, slots: int, rounds: int, json: bool) -> int:
    """Print tasks a second; exit code 0."""

    def compute(watches: list[Watch], floor: Floor) -> dict[str, Any]:
        rate = spread([tasks_per_second(watch.tasks) for watch in watches])
        hop = spread([percentile(hops_ms(watch.tasks), 0.5) for watch in watches])
        return {
            "bench": "throughput",
            "goals": goals,
            "tasks_per_s": rate,
            "share_of_floor": rate.median / (floor.raw_appends_per_s / _EVENTS_A_TASK),
            "hop_p50_ms_under_load": hop,
        }

    submissions = [submission(usual_workflow(), number) for number in range(goals)]
    return _run(submissions, slots=slots, rounds=rounds, json=json, compute=compute)


def run_latency(*, tasks: int, slots: int, rounds: int, json: bool) -> int:
    """Print the latency of one hop; exit code 0."""

    def compute(watches: list[Watch], floor: Floor) -> dict[str, Any]:
        p50 = spread([percentile(hops_ms(watch.tasks), 0.5) for watch in watches])
        return {
            "bench": "latency",
            "chain": tasks,
            "hop_p50_ms": p50,
            "hop_p99_ms": spread([percentile(hops_ms(watch.tasks), 0.99) for watch in watches]),
            "fsyncs_in_a_hop_p50": p50.median / max(floor.fdatasync_ms, 1e-6),
        }

    return _run([submission(chain(tasks), 0)], slots=slots, rounds=rounds, json=json, compute=compute)


def _run(
    submissions: list[dict[str, Any]],
    *,
    slots: int,
    rounds: int,
    json: bool,
    compute: Callable[[list[Watch], Floor], dict[str, Any]],
) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="agenthub-bench-") as folder,
        child_hub(Path(folder), workers="noop=1", env={"AGENTHUB_SLOTS": str(slots)}) as hub,
    ):
        watches, floor = asyncio.run(_measure(hub, submissions, rounds))
    report = {
        **compute(watches, floor),
        "slots": slots,
        "rounds": rounds,
        "sync_interval": "always",
        "floor": floor,
    }
    if json:
        print_json(report)
    else:
        _print(report)
    return exit_codes.OK


async def _measure(hub: ChildHub, submissions: list[dict[str, Any]], rounds: int) -> tuple[list[Watch], Floor]:
    from agenthub_runtime.jetstream.connection import connect
    from agenthub_runtime.jetstream.event_log import JetStreamEventLog

    nc = await connect(hub.nats_url, "agenthub-bench")
    try:
        floor = Floor(fdatasync_ms(hub.data_dir), await raw_appends_per_second(nc))
        log = JetStreamEventLog(nc)
        await _round(hub, log, submissions[:1])
        watches = [await _round(hub, log, submissions) for _ in range(rounds)]
    finally:
        await nc.close()
    return watches, floor


async def _round(hub: ChildHub, log: EventLog, submissions: list[dict[str, Any]]) -> Watch:
    after = await log.last_seq()
    client = HubClient(hub.url)
    answers = await asyncio.gather(
        *(asyncio.to_thread(client.post, "/goals", submission) for submission in submissions)
    )
    goals = {answer["goal_id"] for answer in answers}
    async with asyncio.timeout(_DEADLINE_S):
        return await watch_until_done(log, goals, after=after)


def _print(report: dict[str, Any]) -> None:
    for name, value in report.items():
        if isinstance(value, Spread):
            say(f"{name:<24} {value.median:.2f}  ({value.low:.2f} to {value.high:.2f})")
        elif isinstance(value, Floor):
            say(
                f"{'floor':<24} fdatasync {value.fdatasync_ms:.2f} ms, {value.raw_appends_per_s:.0f} raw appends/s"
            )
        elif isinstance(value, float):
            say(f"{name:<24} {value:.2f}")
        else:
            say(f"{name:<24} {value}")
