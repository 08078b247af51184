"""Listening to the hub."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import WebSocket, get, websocket
from litestar.exceptions import WebSocketException
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import ServerSentEvent

from agenthub_events.errors import AgenthubError, InvalidInput
from agenthub_gateway.api.access import PortsParam, no_goal
from agenthub_gateway.api.goal_reads import TypeQuery, is_goal_id
from agenthub_gateway.live.frames import Filter, parse_types
from agenthub_gateway.live.resume_position import starting_place
from agenthub_gateway.live.streams import Source, serve_socket, sse_messages
from agenthub_gateway.ports import GatewayPorts

GoalQuery = Annotated[str | None, QueryParameter(name="goal", description="Only frames of this goal.")]
Runs = Annotated[
    bool,
    QueryParameter(
        name="runs",
        description="Also what agents give out while they work (`run.output`), and their tools (`run.tool`).",
    ),
]
LastEventId = Annotated[str | None, HeaderParameter(name="Last-Event-ID")]
Beginning = Annotated[
    int | None,
    QueryParameter(
        name="from", ge=0, description="Begin after this sequence, e.g. an `Agenthub-Position`. Default: now."
    ),
]


@get("/api/v1/stream", tags=["Live"], summary="Follow events (Server-Sent Events)", media_type="text/event-stream")
async def stream(
    ports: PortsParam,
    *,
    goal_id: GoalQuery = None,
    kinds: TypeQuery = None,
    from_sequence: Beginning = None,
    last_event_id: LastEventId = None,
    runs: Runs = False,
) -> ServerSentEvent:
    """Each event with `id: <generation>:<sequence>`; a client that comes back with it misses nothing."""
    wanted = await _filter(ports, goal_id, kinds)
    place, generation, first = await starting_place(
        ports.feed, last_event_id=last_event_id, from_sequence=from_sequence
    )
    listener = Source(ports.feed, place, wanted, ports.outputs if runs else None)
    return ServerSentEvent(
        sse_messages(listener, wanted, generation, first), headers={"Agenthub-Position": str(place)}
    )


@websocket("/api/v1/ws")
async def socket_stream(
    socket: WebSocket[Any, Any, Any],
    ports: PortsParam,
    *,
    goal_id: GoalQuery = None,
    kinds: TypeQuery = None,
    from_sequence: Beginning = None,
    runs: Runs = False,
) -> None:
    """The same frames over a WebSocket, one JSON object each."""
    try:
        wanted = await _filter(ports, goal_id, kinds)
        await serve_socket(socket, ports.feed, wanted, from_sequence, ports.outputs if runs else None)
    except AgenthubError as error:
        raise WebSocketException(code=1008, detail=str(error)[:120]) from error


async def _filter(ports: GatewayPorts, goal_id: str | None, kinds: list[str] | None) -> Filter:
    """Raises `InvalidInput` for what is no type or goal id, and `NotFound` for a goal that nobody submitted."""
    wanted = Filter(goal_id, parse_types(kinds or ()))
    if goal_id is not None:
        if not is_goal_id(goal_id):
            raise InvalidInput(
                f"`{goal_id[:60]}` is no goal id: expected `g-` and 26 letters or digits", field="goal"
            )
        if await ports.log.last(goal_id) is None:
            raise no_goal(goal_id)
    return wanted


HANDLERS: list[Any] = [stream, socket_stream]
