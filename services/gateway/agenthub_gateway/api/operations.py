"""What people who look after the hub do: hold work back, drain and scale workers, change log levels."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from agenthub_events.agent_types import AGENT_TYPES, AgentType, agent_type_of
from agenthub_events.errors import InvalidInput
from agenthub_events.rules.holds import Hold, Holds
from agenthub_gateway.api.access import PortsParam
from agenthub_gateway.api.command import REPLAYED_HEADER, Caller, CallerParam, command
from agenthub_gateway.api.payloads.requests import EmptyBody, ReasonBody
from agenthub_gateway.commands.append import CommandOutcome
from agenthub_gateway.commands.holding import end_maintenance, pause_queue, resume_queue, start_maintenance
from agenthub_gateway.errors import NotFound
from agenthub_runtime.operations.holding import read_holds
from agenthub_runtime.operations.registry import DRAIN, LOG_LEVEL, SCALE, UNDRAIN

_TAG = "Operations"
_TOLD = "It was told so"
Nothing = JSONBody[EmptyBody | None]
OptionalReason = JSONBody[ReasonBody | None]


class HoldView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that people hold back. `agent_type` is empty for the hub as a whole: that is maintenance."""

    agent_type: str
    since: datetime
    by: str
    reason: str


class HoldsView(msgspec.Struct, frozen=True, kw_only=True):
    """What is held back now.

    In `maintenance` no queue gives an order out; `paused` are those that give none out after it either.
    """

    maintenance: HoldView | None
    paused: list[HoldView]


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the hub that answers on the bus: `about` stays, `status` is what it says of itself now."""

    service: str
    instance: str
    version: str
    about: dict[str, str]
    status: dict[str, Any]


class ServiceList(msgspec.Struct, frozen=True):
    """Every process that has answered within half a second."""

    items: list[ServiceView]


class LogLevelBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From which level on to log, and who: a `service`, one `instance` of it, or everybody."""

    level: Literal["debug", "info", "warning", "error"]
    service: Annotated[str, Meta(max_length=60, pattern="^[A-Za-z0-9_-]*$")] = ""
    instance: Annotated[str, Meta(max_length=100)] = ""


class LevelChange(msgspec.Struct, frozen=True, kw_only=True):
    """One process, and its level before and after."""

    service: str
    instance: str
    was: str
    now: str


class LevelChanges(msgspec.Struct, frozen=True):
    """Who was told."""

    items: list[LevelChange]


class DrainView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker after it was told: `holding` are the attempts that it still works on."""

    worker: str
    draining: bool
    holding: list[str]


class ScaleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many workers are to serve `types` (one agent type, or several joined by `+`)."""

    types: Annotated[str, Meta(min_length=1, max_length=120, examples=["coding"])]
    workers: Annotated[int, Meta(ge=0, le=64)]


class ScaleView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: `started` run, `leaving` finish what they hold and then end."""

    types: str
    workers: int
    started: list[str]
    leaving: list[str]


@get("/api/v1/holds", tags=[_TAG], summary="What is held back")
async def holds(*, ports: PortsParam) -> HoldsView:
    """Maintenance of the hub, and queues that are paused."""
    return view_of(await read_holds(ports.log))


@command("/api/v1/maintenance/start", ReasonBody, "Put the hub into maintenance", tag=_TAG, optional=True)
async def begin(caller: CallerParam, data: OptionalReason = None) -> Response[HoldsView]:
    """No order is given out any more; what is being worked on is finished. Goals are still taken, and wait."""
    body = data or ReasonBody()
    done = await start_maintenance(caller.ports.writer, caller.ports.lanes, body.reason, caller.intent(body))
    return await _held(caller, done)


@command("/api/v1/maintenance/end", EmptyBody, "End the maintenance", tag=_TAG, optional=True)
async def end(caller: CallerParam, data: Nothing = None) -> Response[HoldsView]:
    """Orders are given out again, but those of queues that are paused."""
    done = await end_maintenance(caller.ports.writer, caller.ports.lanes, caller.intent(data or EmptyBody()))
    return await _held(caller, done)


@command("/api/v1/queues/{agent_type:str}/pause", ReasonBody, "Pause a queue", tag=_TAG, optional=True)
async def pause(
    agent_type: FromPath[str], caller: CallerParam, data: OptionalReason = None
) -> Response[HoldsView]:
    """No order for this agent type is given out; what is being worked on is finished."""
    body, wanted = data or ReasonBody(), _queue(agent_type)
    ports = caller.ports
    return await _held(
        caller, await pause_queue(ports.writer, ports.lanes, wanted, body.reason, caller.intent(body))
    )


@command("/api/v1/queues/{agent_type:str}/resume", EmptyBody, "Resume a queue", tag=_TAG, optional=True)
async def resume(agent_type: FromPath[str], caller: CallerParam, data: Nothing = None) -> Response[HoldsView]:
    """Orders for this agent type are given out again, unless the hub is in maintenance."""
    ports, intent = caller.ports, caller.intent(data or EmptyBody())
    return await _held(caller, await resume_queue(ports.writer, ports.lanes, _queue(agent_type), intent))


@command(
    "/api/v1/workers/{worker:str}/drain", EmptyBody, "Drain a worker", tag=_TAG, optional=True, described=_TOLD
)
async def drain(worker: FromPath[str], caller: CallerParam, data: Nothing = None) -> DrainView:
    """It finishes what it holds and takes nothing new. No event says so: after a restart it takes orders again."""
    del data
    return await _drain(caller, worker, DRAIN)


@command(
    "/api/v1/workers/{worker:str}/undrain",
    EmptyBody,
    "Let a worker take orders again",
    tag=_TAG,
    optional=True,
    described=_TOLD,
)
async def undrain(worker: FromPath[str], caller: CallerParam, data: Nothing = None) -> DrainView:
    """The end of a drain."""
    del data
    return await _drain(caller, worker, UNDRAIN)


@get("/api/v1/services", tags=[_TAG], summary="Which processes run")
async def services(*, ports: PortsParam) -> ServiceList:
    """As `nats micro stats` shows them: what they serve, and how busy they are."""
    return ServiceList(
        [msgspec.convert(one, ServiceView, from_attributes=True) for one in await ports.services("")]
    )


@command("/api/v1/log-level", LogLevelBody, "Change the log level", tag=_TAG, described=_TOLD)
async def log_level(*, data: JSONBody[LogLevelBody], caller: CallerParam) -> LevelChanges:
    """Of every process, of those of a service, or of one. It holds until the process starts again."""
    ports = caller.ports
    told = [
        one for one in await ports.services(data.service) if not data.instance or one.instance == data.instance
    ]
    if not told:
        raise NotFound(
            f"No process of {data.service or 'any service'} answers on the bus"
            + (f" as {data.instance}" if data.instance else "")
        )
    changes = []
    for one in told:
        answer = await ports.tell(one.service, one.instance, LOG_LEVEL, {"level": data.level})
        changes.append(
            LevelChange(service=one.service, instance=one.instance, was=answer["was"], now=answer["now"])
        )
    return LevelChanges(changes)


@command("/api/v1/scale", ScaleBody, "Change the number of workers", tag=_TAG, described=_TOLD)
async def scale(*, data: JSONBody[ScaleBody], caller: CallerParam) -> ScaleView:
    """Only of an embedded hub, which starts its workers itself, and until it starts again."""
    types = "+".join(dict.fromkeys(agent_type_of(name) for name in data.types.split("+")))
    try:
        body = {"types": types, "workers": data.workers}
        answer = await caller.ports.tell("supervisor", "embedded", SCALE, body)
    except LookupError:
        raise NotFound("This hub does not start its workers itself: scale what starts them") from None
    return msgspec.convert(answer, ScaleView)


def view_of(held: Holds) -> HoldsView:
    """What is held back, for readers."""
    return HoldsView(
        maintenance=_view("", held.maintenance) if held.maintenance else None,
        paused=[_view(name, held.paused[name]) for name in AGENT_TYPES if name in held.paused],
    )


def _view(agent_type: str, hold: Hold) -> HoldView:
    return HoldView(agent_type=agent_type, since=hold.since, by=hold.by, reason=hold.reason)


async def _held(caller: Caller, outcome: CommandOutcome) -> Response[HoldsView]:
    headers = {"Location": "/api/v1/holds", **({REPLAYED_HEADER: "true"} if outcome.replayed else {})}
    return Response(view_of(await read_holds(caller.ports.log)), status_code=202, headers=headers)


async def _drain(caller: Caller, worker: str, verb: str) -> DrainView:
    try:
        answer = await caller.ports.tell("worker", worker, verb, None)
    except LookupError:
        raise NotFound(f"No worker `{worker[:60]}` runs") from None
    return DrainView(worker=worker, draining=answer["draining"], holding=answer["holding"])


def _queue(name: str) -> AgentType:
    try:
        return agent_type_of(name)
    except InvalidInput:
        raise NotFound(f"There is no queue `{name[:60]}`: there are {', '.join(AGENT_TYPES)}") from None


HANDLERS: list[Any] = [holds, begin, end, pause, resume, drain, undrain, services, log_level, scale]
