"""Services as NATS knows them: `nats micro ls|info|stats` shows each process, what it serves and how busy it is.

A service also takes orders of people here, each on a subject of its own: `ask.<service>.<instance>.<verb>`. What
it is told so holds for this process: nothing of it is an event, and nothing outlives a restart.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.micro import add_service
from nats.micro.request import ERROR_CODE_HEADER, ERROR_HEADER
from nats.micro.request import Request as MicroRequest

from agenthub_events.errors import CommandRefused, InvalidInput, StoreUnavailable
from agenthub_runtime.telemetry.logs import log_level, set_log_level

log = structlog.get_logger(__name__)

STATUS, DRAIN, UNDRAIN, LOG_LEVEL, SCALE = "status", "drain", "undrain", "log-level", "scale"
SURVEY = "survey"
_SEMANTIC = re.compile(r"\d+\.\d+\.\d+")
_NO_TOKEN = re.compile(r"[^A-Za-z0-9_-]+")
_WITHIN_S = 5.0
# A repository at an address is fetched for it.
_LONGER_S = {SURVEY: 25.0}
_GATHER_S = 0.5
_INVALID = "400"

Answer = Mapping[str, object]
Order = Callable[[bytes], Awaitable[Answer]]


class ServiceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One process that has answered: `instance` tells it from others of its kind, `status` is what it says now."""

    service: str
    instance: str
    version: str
    about: Mapping[str, str]
    status: Mapping[str, Any]


@asynccontextmanager
async def registered(
    nc: Client,
    service: str,
    *,
    instance: str,
    description: str,
    about: Mapping[str, str] | None = None,
    status: Callable[[], Answer] = dict,
    orders: Mapping[str, Order] | None = None,
) -> AsyncIterator[None]:
    """Be found as `service` for as long as the body runs, and take `orders` (besides the log level) by verb.

    `about` is what stays, `status` what changes. An order raises `InvalidInput` or `CommandRefused` to say no.
    """
    found = _SEMANTIC.match(version("agenthub"))
    told = await add_service(
        nc,
        name=service,
        version=found.group() if found else "0.0.0",
        description=description,
        metadata={"instance": instance, **(about or {})},
        stats_handler=lambda _: dict(status()),
    )

    async def tell(_: bytes) -> Answer:
        return {"log_level": log_level(), **status()}

    for verb, order in {STATUS: tell, LOG_LEVEL: _change_level, **(orders or {})}.items():
        await told.add_endpoint(name=verb, subject=_subject(service, instance, verb), handler=_handler(order))
    try:
        yield
    finally:
        with suppress(NatsError):  # the connection may be gone before
            await told.stop()


async def ask_service(nc: Client, service: str, instance: str, verb: str, body: object = None) -> dict[str, Any]:
    """Give an order to one process. None of this name: `LookupError`. Raises what it says no with, too.

    Raises `InvalidInput`, `CommandRefused` and `StoreUnavailable`.
    """
    data = b"" if body is None else msgspec.json.encode(body)
    try:
        answer = await nc.request(_subject(service, instance, verb), data, timeout=_LONGER_S.get(verb, _WITHIN_S))
    except NoRespondersError:
        raise LookupError(f"no {service} `{instance}` runs") from None
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"{service} `{instance}` does not answer: {error}") from error
    if refusal := (answer.headers or {}).get(ERROR_HEADER):
        if (answer.headers or {}).get(ERROR_CODE_HEADER) == _INVALID:
            raise InvalidInput(refusal)
        raise CommandRefused("not-now", refusal)
    return msgspec.json.decode(answer.data, type=dict[str, Any])


async def services(nc: Client, service: str = "", *, gather_s: float = _GATHER_S) -> list[ServiceSeen]:
    """Every process (of one kind) that answers within `gather_s` seconds. Raises `StoreUnavailable`."""
    heard: list[Msg] = []

    async def note(message: Msg) -> None:
        if message.data:
            heard.append(message)

    inbox = nc.new_inbox()
    try:
        subscription = await nc.subscribe(inbox, cb=note)
        await nc.publish(f"$SRV.STATS.{service}" if service else "$SRV.STATS", b"", reply=inbox)
        await asyncio.sleep(gather_s)
        await subscription.unsubscribe()
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The bus does not say who runs: {error}") from error
    seen = (_seen(message.data) for message in heard)
    return sorted((one for one in seen if one), key=lambda one: (one.service, one.instance))


async def any_service(nc: Client, service: str) -> ServiceSeen | None:
    """The process of a kind that answers first; None when none does within `_GATHER_S` seconds."""
    try:
        answer = await nc.request(f"$SRV.STATS.{service}", timeout=_GATHER_S)
    except (NatsError, TimeoutError):
        return None
    return _seen(answer.data)


class _Endpoint(msgspec.Struct):
    data: dict[str, Any] | None = None


class _Stats(msgspec.Struct):
    name: str
    version: str
    metadata: dict[str, str] = {}
    endpoints: list[_Endpoint] = []


def _seen(data: bytes) -> ServiceSeen | None:
    try:
        stats = msgspec.json.decode(data, type=_Stats)
    except msgspec.MsgspecError:
        return None  # somebody else's service
    about = dict(stats.metadata)
    return ServiceSeen(
        service=stats.name,
        instance=about.pop("instance", ""),
        version=stats.version,
        about=about,
        status=(stats.endpoints[0].data if stats.endpoints else None) or {},
    )


def _handler(order: Order) -> Callable[[MicroRequest], Awaitable[None]]:
    async def handle(request: MicroRequest) -> None:
        try:
            answer = await order(request.data)
        except InvalidInput as error:
            await request.respond_error(_INVALID, str(error))
        except CommandRefused as error:
            await request.respond_error("409", str(error))
        else:
            await request.respond(msgspec.json.encode(answer))

    return handle


class _Level(msgspec.Struct, forbid_unknown_fields=True):
    level: str


async def _change_level(body: bytes) -> Answer:
    try:
        wanted = msgspec.json.decode(body, type=_Level).level
        before = set_log_level(wanted)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidInput(f'Expected {{"level": "debug|info|warning|error"}}: {error}', field="level") from None
    log.warning("log_level_changed", was=before, now=wanted)
    return {"was": before, "now": wanted}


def _subject(service: str, instance: str, verb: str) -> str:
    return f"ask.{service}.{_NO_TOKEN.sub('-', instance) or '-'}.{verb}"
