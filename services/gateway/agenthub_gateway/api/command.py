"""What command handlers share: how a command is declared, who sends it, and what answers it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import SkipValidation

from agenthub_gateway.api.access import AnyRequest, KeyHeader, PortsParam
from agenthub_gateway.api.payloads.body_hashes import hashes_of
from agenthub_gateway.api.payloads.decoding import Further, strict_body
from agenthub_gateway.api.payloads.responses import CommandAccepted
from agenthub_gateway.commands.append import CommandOutcome, Intent, request_id_for
from agenthub_gateway.edge.guard import LOCAL_PRINCIPAL, PRINCIPAL
from agenthub_gateway.ports import GatewayPorts

REPLAYED_HEADER = "Idempotency-Replayed"
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a command: a principal, with or without a key that makes a repetition find the first outcome."""

    ports: GatewayPorts
    principal: str
    key: str | None
    traceparent: str

    def intent(self, body: msgspec.Struct) -> Intent:
        """The envelope of the command in `body`. Raises `InvalidInput` for a key that cannot be used."""
        key, hashes = self.key, hashes_of(body)
        return Intent(
            actor=self.principal,
            request_id=f"r-{self.ports.ids.token()}" if key is None else request_id_for(self.principal, key),
            body_hash=hashes.now,
            earlier_hashes=hashes.earlier,
            keyed=key is not None,
            traceparent=self.traceparent,
        )


CallerParam = SkipValidation[NamedDependency[Caller]]


def caller_of(request: AnyRequest, ports: PortsParam, key: KeyHeader = None) -> Caller:
    """The caller of a request, as a dependency."""
    trace = request.headers.get("traceparent", "")
    return Caller(
        ports=ports,
        principal=str(request.scope["state"].get(PRINCIPAL, LOCAL_PRINCIPAL)),
        key=key,
        traceparent=trace if _TRACEPARENT.fullmatch(trace) else "",
    )


def command(
    path: str | list[str],
    body: type[msgspec.Struct],
    summary: str,
    *,
    tag: str,
    optional: bool = False,
    described: str = "The event is in the log",
    further: Further | None = None,
) -> Callable[[Any], HTTPRouteHandler]:
    """Declare a handler that takes a strictly read `body` (or none, when it is optional) and answers 202."""
    return post(
        path,
        status_code=202,
        before_request=strict_body(body, optional=optional, further=further),
        tags=[tag],
        summary=summary,
        response_description=described,
    )


def accepted(outcome: CommandOutcome, body: object = None) -> Response[Any]:
    """The 202 of a stored command: where its goal is, and whether this is the outcome of an earlier request."""
    headers = {"Location": f"/api/v1/goals/{outcome.goal_id}"}
    if outcome.replayed:
        headers[REPLAYED_HEADER] = "true"
    plain = CommandAccepted(goal_id=outcome.goal_id, event_id=outcome.event_id or None, sequence=outcome.sequence)
    return Response(plain if body is None else body, status_code=202, headers=headers)
