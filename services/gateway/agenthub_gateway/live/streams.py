"""The two ways of listening over HTTP: Server-Sent Events and WebSocket, with the same frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect
from litestar.response.sse import ServerSentEventMessage

from agenthub_gateway.live.broadcaster import Broadcaster, Listener
from agenthub_gateway.live.frames import Filter, Frame, renamed
from agenthub_gateway.live.places import frame_id, starting_place

PING_S = 15.0


async def sse_messages(
    listener: Listener, wanted: Filter, generation: str, first: Frame | None, *, ping_s: float = PING_S
) -> AsyncIterator[ServerSentEventMessage]:
    """What goes over the wire, until the listener leaves or the gateway stops."""
    try:
        # A comment at once: the client sees that the stream is open.
        yield ServerSentEventMessage(data=None, comment=f"agenthub {generation}")
        if first is not None:
            yield ServerSentEventMessage(first.data, event=first.name)
        while (frames := await listener.next(ping_s)) is not None:
            if not frames:
                yield ServerSentEventMessage(data=None, comment="ping")
            for frame in frames:
                yield _message(frame, wanted, generation)
    finally:
        await listener.close()


def _message(frame: Frame, wanted: Filter, generation: str) -> ServerSentEventMessage:
    name = wanted.name_for(frame) or frame.name
    identity = None if frame.sequence is None else frame_id(generation, frame.sequence)
    return ServerSentEventMessage(renamed(frame, name), event=name, id=identity)


async def serve_socket(
    socket: WebSocket[Any, Any, Any], feed: Broadcaster, wanted: Filter, from_sequence: int | None
) -> None:
    """Send frames until the other side leaves or the gateway stops."""
    place, _, first = await starting_place(feed, last_event_id=None, from_sequence=from_sequence)
    await socket.accept()
    listener = feed.listen(after=place, wanted=wanted)
    leaving = asyncio.ensure_future(_until_gone(socket))
    sending = asyncio.ensure_future(_send(socket, listener, wanted, first))
    try:
        await asyncio.wait({leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
        if not leaving.done():
            await socket.close(code=1001, reason="The gateway stops: connect again")
    finally:
        for task in (leaving, sending):
            task.cancel()
        await asyncio.gather(leaving, sending, return_exceptions=True)
        await listener.close()


async def _send(socket: WebSocket[Any, Any, Any], listener: Listener, wanted: Filter, first: Frame | None) -> None:
    if first is not None:
        await socket.send_data(first.data.decode())
    while (frames := await listener.next(PING_S)) is not None:
        for frame in frames:
            name = wanted.name_for(frame) or frame.name
            await socket.send_data(renamed(frame, name).decode())


async def _until_gone(socket: WebSocket[Any, Any, Any]) -> None:
    try:
        while True:
            await socket.receive_data(mode="text")
    except WebSocketDisconnect:
        return
