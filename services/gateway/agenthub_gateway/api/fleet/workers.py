"""Who works, and what each attempt in a worker's hands does at this moment."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import get

from agenthub_events.errors import AgenthubError
from agenthub_events.redaction import KnownSecrets
from agenthub_events.runs import RecordedStep, RunId, ToolIntent, TurnIntent
from agenthub_gateway.api.access import PortsParam
from agenthub_gateway.live.tool_calls import given_in_short
from agenthub_gateway.ports import GatewayPorts
from agenthub_runtime.jetstream.fleet import WorkerStatus

_LOOK_S = 1.0


class HeldTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task in the hands of a worker.

    `now` is what its attempt does since `since`: the tool that runs with what it was given, or `model` and the
    name of the one that is asked. Both are empty between two steps, and when nobody can tell within a second.
    """

    goal_id: str
    task_id: str
    attempt: int
    now: str = ""
    since: str = ""


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that has lately said that it lives.

    `types`: the queues that it serves; `slots`: how many tasks it takes at once; `holding`: those that it has.
    While it is `draining` it takes nothing new. `sandbox` is what its commands run in: `bwrap`, or `none`; empty
    while it does not say.
    """

    worker: str
    instance: str
    types: tuple[str, ...]
    slots: int
    holding: tuple[HeldTask, ...]
    draining: bool = False
    sandbox: str = ""


class WorkerList(msgspec.Struct, frozen=True):
    """The living workers."""

    items: list[WorkerView]


@get("/api/v1/workers", tags=["System"], summary="Who works")
async def workers(ports: PortsParam) -> WorkerList:
    """Every worker that has said within 15 s that it lives, what it holds, and what that does now."""
    return WorkerList(list(await asyncio.gather(*(_worker(ports, status) for status in await ports.workers()))))


async def _worker(ports: GatewayPorts, status: WorkerStatus) -> WorkerView:
    runs = [run for name in status.holding if (run := _run_of(name))]
    return WorkerView(
        worker=status.worker,
        instance=status.instance,
        types=status.types,
        slots=status.slots,
        holding=tuple(await asyncio.gather(*(_held(ports, run) for run in runs))),
        draining=status.draining,
        sandbox=status.sandbox,
    )


def _run_of(name: str) -> RunId | None:
    """What `<goal>.<task>.<attempt>` names; None when it is no such."""
    match name.split("."):
        case goal_id, task_id, attempt if attempt.isdecimal():
            return RunId(goal_id, task_id, int(attempt))
        case _:
            return None


async def _held(ports: GatewayPorts, run: RunId) -> HeldTask:
    try:
        async with asyncio.timeout(_LOOK_S):
            newest = await ports.runs.newest(run)
    except (AgenthubError, TimeoutError):
        newest = None
    now = in_short(newest, ports.secrets)
    return HeldTask(
        goal_id=run.goal_id,
        task_id=run.task_id,
        attempt=run.attempt,
        now=now,
        since=newest.at if newest and now else "",
    )


def in_short(newest: RecordedStep | None, secrets: KnownSecrets) -> str:
    """What goes on since the newest step of a run, on one line."""
    match newest.step if newest else None:
        case ToolIntent(name=name, input=given):
            return f"{name} {given_in_short(given, secrets)}".rstrip()
        case TurnIntent(model=model):
            return f"model {model}".rstrip()
        case _:
            return ""


HANDLERS: list[Any] = [workers]
