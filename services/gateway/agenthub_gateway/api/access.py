"""What handlers share: their parameters and how they are documented."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, ParameterKwarg, QueryParameter, SkipValidation

from agenthub_gateway.errors import NotFound
from agenthub_gateway.ports import GatewayPorts

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


def says(
    kind: type[Any], media_type: str = "application/json", *, unwell: bool = False
) -> dict[int, ResponseSpec]:
    """Documents what a handler answers when it makes the bytes itself.

    With an ETag that the caller has the answer is empty. `unwell`: the same comes with 503 too.
    """
    spec = ResponseSpec(kind, description="OK", media_type=media_type, generate_examples=False)
    if unwell:
        return {200: spec, 503: replace(spec, description="Not ready")}
    return {200: spec, 304: ResponseSpec(None, description="The caller has it", generate_examples=False)}


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


def no_goal(goal_id: str) -> NotFound:
    """There is no such goal, as far as the read models know."""
    return NotFound(f"There is no goal `{goal_id[:60]}`")
