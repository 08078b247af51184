"""A model server with habits: every call is answered with the bytes that a test gives, and recorded."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Self, TypeAlias

from agenthub_runtime.shutdown import end_tasks
from agenthub_worker.rehearsal.http import Request, read_request

Event: TypeAlias = dict[str, Any]
Habit: TypeAlias = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
"""A whole answer, or a function that writes one in its own time; the connection ends after it."""

USAGE = {"input_tokens": 11_000, "output_tokens": 700}
WRITE = {"command": "create", "path": "a.txt", "file_text": "a\n"}
REPORT = {"status": "done", "summary": "done"}


class OddModel:
    """Answers the n-th call with the n-th habit, and every later one with the last; `async with` runs it."""

    def __init__(self, *habits: Habit) -> None:
        self._habits: Sequence[Habit] = habits
        self._connections: set[asyncio.Task[None]] = set()
        self.url = ""
        self.requests: list[Request] = []

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The calls as JSON, oldest first."""
        return [request.json() for request in self.requests]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await end_tasks(*self._connections)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            request = await read_request(reader)
            if request is None:
                return
            habit = self._habits[min(len(self.requests), len(self._habits) - 1)]
            self.requests.append(request)
            if isinstance(habit, bytes):
                writer.write(habit)
                await writer.drain()
            else:
                await habit(writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        except ConnectionError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def text(words: str) -> Event:
    """A block of text."""
    return {"type": "text", "text": words}


def use(name: str, given: Any, *, id_: str = "call_1") -> Event:
    """A tool call; `given` that is a text goes out as it is, in place of JSON."""
    return {"type": "tool_use", "id": id_, "name": name, "input": given}


def events(*blocks: Event, stop: Any = "tool_use", usage: Any = USAGE, **head: Any) -> list[Event]:
    """The events of a stream, as the Messages API has them; `usage` None leaves it out."""
    counted = {} if usage is None else {"usage": usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "odd", "content": []}
    told: list[Event] = [{"type": "message_start", "message": {**message, "stop_reason": None, **counted, **head}}]
    for index, block in enumerate(blocks):
        start, delta = _parts(block)
        told.append({"type": "content_block_start", "index": index, "content_block": start})
        if delta is not None:
            told.append({"type": "content_block_delta", "index": index, "delta": delta})
        told.append({"type": "content_block_stop", "index": index})
    told.append({"type": "message_delta", "delta": {"stop_reason": stop}, **counted})
    told.append({"type": "message_stop"})
    return told


def _parts(block: Event) -> tuple[Event, Event | None]:
    match block:
        case {"type": "text", "text": words}:
            return {"type": "text", "text": ""}, {"type": "text_delta", "text": words}
        case {"type": "tool_use", "input": given}:
            written = given if isinstance(given, str) else json.dumps(given)
            return {**block, "input": {}}, {"type": "input_json_delta", "partial_json": written}
        case _:
            return block, None


def without(told: Iterable[Event], *kinds: str) -> list[Event]:
    """The events but those of some kinds."""
    return [event for event in told if event["type"] not in kinds]


def framed(told: Iterable[Event], *, end: str = "\n", named: bool = True) -> bytes:
    """Events as server-sent events, with other line ends or without their names if need be."""
    lines = (
        (f"event: {event.get('type')}{end}" if named else "") + f"data: {json.dumps(event)}" for event in told
    )
    return "".join(f"{line}{end}{end}" for line in lines).encode()


def answer(
    body: bytes, *, status: int = 200, kind: str = "text/event-stream", headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole HTTP answer; its body ends with the connection."""
    head = {"content-type": kind, "connection": "close", **(headers or {})}
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in head.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def stream(*blocks: Event, **how: Any) -> bytes:
    """A streamed reply."""
    return answer(framed(events(*blocks, **how)))


def as_json(value: Any, *, status: int = 200, **headers: str) -> bytes:
    """An answer that is JSON."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return answer(json.dumps(value).encode(), status=status, kind="application/json", headers=named)


def error(kind: str, words: str, status: int, **headers: str) -> bytes:
    """An error as the Messages API has it."""
    return as_json({"type": "error", "error": {"type": kind, "message": words}}, status=status, **headers)


def writes(**changes: Any) -> bytes:
    """A turn that writes a file."""
    return stream(use("str_replace_based_edit_tool", {**WRITE, **changes}, id_=f"w-{len(changes)}"))


def reports(id_: str = "report") -> bytes:
    """A turn that hands the work in."""
    return stream(use("report_result", REPORT, id_=id_))


def slowly(body: bytes, pieces: int, pause: Callable[[], Awaitable[None]]) -> Habit:
    """The same answer in pieces, with a pause before each."""

    async def write(writer: asyncio.StreamWriter) -> None:
        size = -(-len(body) // pieces)
        for start in range(0, len(body), size):
            await pause()
            writer.write(body[start : start + size])
            await writer.drain()

    return write


async def hangs(_: asyncio.StreamWriter) -> None:
    """Say nothing until the server is closed."""
    await asyncio.Event().wait()
