"""How the gateway itself is: health, queues, and what its problems mean."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath, FromQuery

from agenthub_events.errors import AgenthubError
from agenthub_gateway.api.access import PortsParam, says
from agenthub_gateway.errors import NotFound
from agenthub_gateway.ports import GatewayPorts
from agenthub_gateway.problems import PROBLEMS, Kind
from agenthub_gateway.queues import QueueView
from agenthub_runtime.operations.holding import read_holds
from agenthub_runtime.readmodels import Position, missing_views, position
from agenthub_runtime.telemetry.metrics import CONTENT_TYPE

_PING_S = 1.0


class Live(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str = "live"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the gateway needs."""

    ok: bool
    detail: str = ""


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the gateway can do its work. `lag`: events that the read models do not hold yet.

    In `maintenance` it can, and says who wants nothing to be begun, and why; it is empty otherwise.
    """

    status: str
    checks: dict[str, Check]
    sequence: int | None = None
    position: int | None = None
    lag: int | None = None
    maintenance: str = ""


class QueueList(msgspec.Struct, frozen=True):
    """Every work lane."""

    items: list[QueueView]


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """The model behind the hub, as one of its workers tells it.

    `models`: the model of each agent type. `state`: `ok` or `failed` after a probe, `not asked` without one,
    `unknown` when no worker has a model; `found` says it in words.
    """

    provider: str
    label: str
    models: dict[str, str]
    prices: str
    worker: str
    state: str
    found: str


class ProblemKind(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of problem means and what to do."""

    type: str
    status: int
    title: str
    remedy: str


@get(["/health/live", "/health"], tags=["System"], summary="Is the process alive")
async def live() -> Live:
    """Says nothing about the servers behind it."""
    return Live()


@get(
    ["/health/ready", "/ready"],
    responses=says(Ready, unwell=True),
    tags=["System"],
    summary="Can the gateway work",
)
async def ready(ports: PortsParam) -> Response[Ready]:
    """Looks at NATS, Postgres, the projector and the orchestrator.

    503 when one is missing, the log lately took no event, the read models lack a table or do not keep up, or no
    orchestrator has caught up with the log; `detail` says which and why.
    """
    (log, newest), (models, at, missing), orchestrator, maintenance = await asyncio.gather(
        _log(ports), _read_models(ports), _orchestrator(ports), _maintenance(ports)
    )
    checks = {
        "nats": log,
        "postgres": models,
        "projection": _projection(ports, models, at, missing),
        "orchestrator": orchestrator,
    }
    well = all(check.ok for check in checks.values())
    body = Ready(
        status="ready" if well else "not ready",
        checks=checks,
        sequence=newest,
        position=at.seq if at else None,
        lag=max(newest - at.seq, 0) if at and newest is not None else None,
        maintenance=maintenance,
    )
    return Response(body, status_code=200 if well else 503, headers={"Cache-Control": "no-store"})


@get("/api/v1/queues", tags=["System"], summary="What waits in the work queues")
async def queues(ports: PortsParam) -> QueueList:
    """By agent type and lane, asked of the server at this moment."""
    return QueueList(await ports.queues())


@get("/api/v1/model", tags=["System"], summary="Which model the agents ask")
async def model(ports: PortsParam, probe: FromQuery[bool] = False) -> ModelView:
    """With `probe` a worker makes one cheap call, at most once a minute, and says what came of it."""
    told = await ports.model(probe)
    if told is None:
        words = "no worker that runs has a model"
        return ModelView(provider="", label="", models={}, prices="", worker="", state="unknown", found=words)
    return msgspec.convert(told, ModelView, from_attributes=True)


@get("/metrics", include_in_schema=False)
async def metrics(ports: PortsParam) -> Response[bytes]:
    """Figures for Prometheus; what does not answer is left out."""
    await ports.figures.look()
    return Response(ports.metrics.exposed(), media_type=CONTENT_TYPE)


@get("/problems", tags=["System"], summary="List the kinds of problems")
async def problem_kinds() -> list[ProblemKind]:
    """Everything that `type` of a problem document can be."""
    return [_kind(slug, kind) for slug, kind in PROBLEMS.items()]


@get("/problems/{slug:str}", tags=["System"], summary="Explain a kind of problem")
async def problem_kind(slug: FromPath[str]) -> ProblemKind:
    """What it means and what to do."""
    if slug not in PROBLEMS:
        raise NotFound(f"There is no kind of problem `{slug[:60]}`")
    return _kind(slug, PROBLEMS[slug])


def _kind(slug: str, kind: Kind) -> ProblemKind:
    return ProblemKind(type=f"/problems/{slug}", status=kind.status, title=kind.title, remedy=kind.remedy)


async def _log(ports: GatewayPorts) -> tuple[Check, int | None]:
    if not ports.connected():
        return Check(ok=False, detail="No connection to NATS"), None
    try:
        async with asyncio.timeout(_PING_S):
            newest = await ports.log.last_seq()
    except (AgenthubError, TimeoutError) as error:
        return Check(ok=False, detail=str(error) or "No answer"), None
    trouble = ports.writer.appends.trouble()
    return Check(ok=not trouble, detail=trouble), newest


async def _maintenance(ports: GatewayPorts) -> str:
    if not ports.connected():
        return ""
    try:
        async with asyncio.timeout(_PING_S):
            hold = (await read_holds(ports.log)).maintenance
    except (AgenthubError, TimeoutError):
        return ""  # the check of the log says what is the matter
    return hold.in_words("the hub is in maintenance") if hold else ""


async def _read_models(ports: GatewayPorts) -> tuple[Check, Position | None, list[str]]:
    try:
        async with asyncio.timeout(_PING_S), ports.database.connection() as connection:
            return Check(ok=True), await position(connection), await missing_views(connection)
    except (AgenthubError, TimeoutError) as error:
        return Check(ok=False, detail=str(error) or "No answer"), None, []


def _projection(ports: GatewayPorts, models: Check, at: Position | None, missing: list[str]) -> Check:
    if at is None:
        return Check(ok=False, detail="The projector has not run yet" if models.ok else "")
    if missing:
        return Check(
            ok=False,
            detail=f"The read models lack {', '.join(missing)}: the projector makes them again, if it runs",
        )
    trouble = ports.lag.trouble()
    return Check(ok=not trouble, detail=trouble)


async def _orchestrator(ports: GatewayPorts) -> Check:
    if not ports.connected():
        return Check(ok=False)
    try:
        async with asyncio.timeout(_PING_S):
            followers = await ports.followers()
    except (AgenthubError, TimeoutError) as error:
        return Check(ok=False, detail=str(error) or "No answer")
    if any(follower.caught_up for follower in followers):
        return Check(ok=True)
    if followers:
        reached = max(follower.position for follower in followers)
        return Check(ok=False, detail=f"The orchestrator still reads the log, it is at event {reached}")
    return Check(ok=False, detail="No orchestrator has said lately that it runs: goals stand still")


HANDLERS: list[Any] = [live, ready, queues, model, metrics, problem_kinds, problem_kind]
