"""The two ways of listening over HTTP: Server-Sent Events and WebSocket, with the same frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect
from litestar.response.sse import ServerSentEventMessage

from agenthub_gateway.live.broadcaster import Broadcaster
from agenthub_gateway.live.frames import Filter, Frame, renamed
from agenthub_gateway.live.outputs import RunOutputs
from agenthub_gateway.live.resume_position import frame_id, starting_place
from agenthub_runtime.shutdown import end_tasks

PING_S = 15.0


class Source:
    """Frames of the log and, when they are wanted, pieces of output, as they come."""

    def __init__(self, feed: Broadcaster, after: int, wanted: Filter, outputs: RunOutputs | None) -> None:
        self._feed = feed
        self._listener = feed.listen(after=after, wanted=wanted)
        self._outputs = outputs
        self._tap = outputs.open(wanted.goal_id) if outputs else None
        self._waiting: dict[str, asyncio.Future[list[Frame] | None]] = {}

    async def next(self, timeout_s: float) -> list[Frame] | None:
        """The next frames; an empty list when nothing comes in time, None when the gateway stops."""
        if self._tap is None:
            return await self._listener.next(timeout_s)
        if "log" not in self._waiting:
            self._waiting["log"] = asyncio.ensure_future(self._listener.next(timeout_s))
        if "output" not in self._waiting:
            self._waiting["output"] = asyncio.ensure_future(self._tap.taken())
        await asyncio.wait(self._waiting.values(), return_when=asyncio.FIRST_COMPLETED)
        frames: list[Frame] = []
        for name in [name for name, future in self._waiting.items() if future.done()]:
            came = self._waiting.pop(name).result()
            if came is None:
                return None
            frames += came
        return frames

    def close(self) -> None:
        """Stop listening."""
        self._feed.release(self._let_go())

    async def _let_go(self) -> None:
        await end_tasks(*self._waiting.values())
        await self._listener.close()
        if self._outputs is not None and self._tap is not None:
            await self._outputs.close(self._tap)


async def sse_messages(
    listener: Source, wanted: Filter, generation: str, first: Frame | None, *, ping_s: float = PING_S
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
        listener.close()


def _message(frame: Frame, wanted: Filter, generation: str) -> ServerSentEventMessage:
    name = wanted.name_for(frame) or frame.name
    identity = None if frame.sequence is None else frame_id(generation, frame.sequence)
    return ServerSentEventMessage(renamed(frame, name), event=name, id=identity)


async def serve_socket(
    socket: WebSocket[Any, Any, Any],
    feed: Broadcaster,
    wanted: Filter,
    from_sequence: int | None,
    outputs: RunOutputs | None,
) -> None:
    """Send frames until the other side leaves or the gateway stops."""
    place, _, first = await starting_place(feed, last_event_id=None, from_sequence=from_sequence)
    await socket.accept()
    listener = Source(feed, place, wanted, outputs)
    leaving = asyncio.ensure_future(_until_gone(socket))
    sending = asyncio.ensure_future(_send(socket, listener, wanted, first))
    try:
        await asyncio.wait({leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
        if not leaving.done():
            await socket.close(code=1001, reason="The gateway stops: connect again")
    finally:
        feed.release(end_tasks(leaving, sending))
        listener.close()


async def _send(socket: WebSocket[Any, Any, Any], listener: Source, wanted: Filter, first: Frame | None) -> None:
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
