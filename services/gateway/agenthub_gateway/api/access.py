"""What handlers share: the hub, the caller, answers with position and ETag."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, ParameterKwarg, QueryParameter, SkipValidation

from agenthub_gateway.api.payloads.decoding import body_hash
from agenthub_gateway.commands.append import CommandOutcome, Intent, request_id_for
from agenthub_gateway.errors import NotFound, ProjectionBehind
from agenthub_gateway.ports import GatewayPorts
from agenthub_gateway.security import LOCAL_PRINCIPAL, PRINCIPAL
from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.readmodels import Position, position

AnyRequest = Request[Any, Any, Any]
PortsParam = SkipValidation[NamedDependency[GatewayPorts]]
KeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Makes a repetition of the request find the first one's outcome.",
    ),
]
After = Annotated[
    int | None,
    QueryParameter(name="after", ge=0, description="Wait up to 2 s until the read models hold this event."),
]
Cursor = Annotated[str | None, QueryParameter(name="cursor", description="The `next_cursor` of the page before.")]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=500, description="How many items at most.")]

POSITION_HEADER = "Agenthub-Position"
REPLAYED_HEADER = "Idempotency-Replayed"
WAIT_S = 2.0
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def says(kind: type[Any], description: str = "OK") -> dict[int, ResponseSpec]:
    """Documents what a handler answers when it makes the bytes itself."""
    return {200: ResponseSpec(kind, description=description, generate_examples=False)}


def public_names(request: AnyRequest) -> dict[str, str]:
    """What callers call the parameters of the handler of a request, where it is another name than the code's."""
    handler: Any = request.scope.get("route_handler")
    if handler is None:
        return {}
    names = {}
    for name, parameter in handler.parsed_fn_signature.parameters.items():
        declared = parameter.kwarg_definition
        if isinstance(declared, ParameterKwarg) and declared.name:
            names[name] = declared.name
    return names


def principal_of(request: AnyRequest) -> str:
    """Who sends the request."""
    return str(request.scope["state"].get(PRINCIPAL, LOCAL_PRINCIPAL))


def intent_of(request: AnyRequest, ports: GatewayPorts, key: str | None, body: msgspec.Struct) -> Intent:
    """The envelope of the command in a request. Raises `InvalidInput` for a key that cannot be used."""
    actor = principal_of(request)
    trace = request.headers.get("traceparent", "")
    return Intent(
        actor=actor,
        request_id=f"r-{ports.ids.token()}" if key is None else request_id_for(actor, key),
        body_hash=body_hash(body),
        keyed=key is not None,
        traceparent=trace if _TRACEPARENT.fullmatch(trace) else "",
    )


def accepted_headers(outcome: CommandOutcome, location: str) -> dict[str, str]:
    """The headers of a 202."""
    headers = {"Location": location}
    if outcome.replayed:
        headers[REPLAYED_HEADER] = "true"
    return headers


@asynccontextmanager
async def snapshot(ports: GatewayPorts, after: int | None) -> AsyncIterator[tuple[Connection, Position | None]]:
    """One consistent view of the read models, not older than the event `after`.

    Raises `ProjectionBehind` and `DatabaseUnavailable`.
    """
    if after and not await ports.position.wait(after, WAIT_S):
        current = ports.position.current
        raise ProjectionBehind(
            f"The read models hold events up to {current.seq if current else 0}, you asked for {after}"
        )
    async with (
        ports.database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection, await position(connection)


def answer(request: AnyRequest, payload: object, at: Position | None) -> Response[bytes]:
    """A read's answer: its ETag tells whether anything has changed, its position how new it is."""
    return tagged(request, msgspec.json.encode(payload), at, "application/json")


def tagged(
    request: AnyRequest, body: bytes, at: Position | None, media_type: str, more: Mapping[str, str] | None = None
) -> Response[bytes]:
    """Bytes with an ETag, or 304 when the caller has them."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", **(more or {})}
    if at is not None:
        headers[POSITION_HEADER] = str(at.seq)
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in known:
        return Response(content=b"", status_code=304, headers=headers, media_type=media_type)
    return Response(content=body, headers=headers, media_type=media_type)


def no_goal(goal_id: str) -> NotFound:
    """There is no such goal, as far as the read models know."""
    return NotFound(f"There is no goal `{goal_id[:60]}`")
