"""`agenthub bench overhead`: what a task costs beside its model and its tests."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.client.child_hub import ChildHub, child_hub
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.commands.bench.floor import program_ms
from agenthub_cli.commands.bench.measure import hops_ms, percentile, watch_until_done
from agenthub_cli.commands.bench.processes import Cost, costs_below, spent
from agenthub_cli.commands.bench.spans import Step, running_receiver, steps_of
from agenthub_cli.commands.bench.workload import Working, submission, working_chain
from agenthub_cli.terminal.output import print_json, say
from agenthub_worker.rehearsal.server import ScriptedModelServer

_WARM_UP = 3
_DEADLINE_S = 1_800.0
_STEPS_SHOWN = 20


class Measured(msgspec.Struct, frozen=True):
    """One chain of tasks, which runs one after the other.

    Seconds of each task from its start to its end; milliseconds to the next one; CPU by process.
    """

    goal_id: str
    wall_s: list[float]
    hops_ms: list[float]
    costs: Mapping[str, Cost]


def run_overhead(*, tasks: int, json: bool) -> int:
    """Print seconds and CPU seconds a task, and where they go; exit code 0."""
    # Sending traces on costs something itself, so the figures are those of a pass that only keeps them.
    plain, _ = asyncio.run(_pass(tasks, traced=False))
    _, steps = asyncio.run(_pass(tasks, traced=True))
    if json:
        print_json(_report(plain, steps, tasks))
    else:
        _print(_report(plain, steps, tasks), steps)
    return exit_codes.OK


async def _pass(tasks: int, *, traced: bool) -> tuple[Measured, list[Step]]:
    """A hub of its own, warmed up, for one chain of tasks."""
    with (
        tempfile.TemporaryDirectory(prefix="agenthub-bench-") as folder,
        running_receiver() as receiver,
        ExitStack() as stack,
    ):
        async with ScriptedModelServer([Working()], record=False) as model:
            env = {
                "AGENTHUB_SLOTS": "1",
                "AGENTHUB_PROVIDER": "local",
                "AGENTHUB_MODEL": "scripted",
                "ANTHROPIC_BASE_URL": model.url,
                "ANTHROPIC_API_KEY": "",
                **({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url} if traced else {}),
            }
            starting = child_hub(Path(folder), workers="coding=1", env=env)
            # The model answers on this loop meanwhile.
            hub = await asyncio.to_thread(stack.enter_context, starting)
            try:
                await _chain(hub, _WARM_UP)
                measured = await _chain(hub, tasks)
            finally:
                await asyncio.to_thread(stack.close)
        return measured, steps_of(receiver.spans, {measured.goal_id}, tasks)


async def _chain(hub: ChildHub, tasks: int) -> Measured:
    from agenthub_runtime.jetstream.connection import connect
    from agenthub_runtime.jetstream.event_log import JetStreamEventLog

    nc = await connect(hub.nats_url, "agenthub-bench")
    try:
        log = JetStreamEventLog(nc)
        after = await log.last_seq()
        before = costs_below(hub.pid)
        body = submission(working_chain(tasks), tasks)
        answer = await asyncio.to_thread(HubClient(hub.url).post, "/goals", body)
        async with asyncio.timeout(_DEADLINE_S):
            watch = await watch_until_done(log, {answer["goal_id"]}, after=after)
        costs = spent(before, costs_below(hub.pid))
    finally:
        await nc.close()
    times = [(task.started, task.completed) for task in watch.tasks.values()]
    wall_s = [(end - start).total_seconds() for start, end in times if start and end]
    return Measured(answer["goal_id"], wall_s, hops_ms(watch.tasks), costs)


def _report(measured: Measured, steps: list[Step], tasks: int) -> dict[str, Any]:
    total = sum(measured.costs.values(), Cost())
    worker = measured.costs.get("worker", Cost())
    return {
        "bench": "overhead",
        "tasks": tasks,
        "slots": 1,
        "floor": {"program_ms": round(program_ms(), 2), "load_average": round(os.getloadavg()[0], 1)},
        "wall_s_a_task": round(statistics.mean(measured.wall_s), 3),
        "wall_s_p50": round(percentile(measured.wall_s, 0.5), 3),
        "wall_s_p90": round(percentile(measured.wall_s, 0.9), 3),
        "hop_ms_p50": round(percentile(measured.hops_ms, 0.5), 1),
        "cpu_s_a_task": round((worker.own_s + worker.programs_s) / tasks, 3),
        "cpu_s_a_task_whole_hub": round((total.own_s + total.programs_s) / tasks, 3),
        "cpu_s_by_process": {
            kind: {"own": round(cost.own_s / tasks, 4), "programs": round(cost.programs_s / tasks, 4)}
            for kind, cost in sorted(measured.costs.items())
        },
        "steps": steps[:_STEPS_SHOWN],
    }


def _print(report: dict[str, Any], steps: list[Step]) -> None:
    floor = report["floor"]
    for name in (
        *("bench", "tasks", "slots"),
        *(name for name in report if "_s_" in name or name.startswith("hop")),
    ):
        if name != "cpu_s_by_process":
            say(f"{name:<24} {report[name]}")
    say(f"{'floor':<24} a program {floor['program_ms']:g} ms, load average {floor['load_average']:g}")
    say("CPU ms a task:           own   programs that it started")
    for kind, cost in report["cpu_s_by_process"].items():
        say(f"  {kind:<20} {cost['own'] * 1e3:>7.1f} {cost['programs'] * 1e3:>7.1f}")
    say("ms a task by step, in a pass with traces, without the steps within it:")
    for step in steps[:_STEPS_SHOWN]:
        say(f"  {step.name[:36]:<36} {step.own_ms:>7.2f}  ({step.times:g} times)")
