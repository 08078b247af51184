"""The scripted Messages API server, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec
import structlog

from agenthub_runtime.shutdown import end_tasks
from agenthub_worker.rehearsal import wire
from agenthub_worker.rehearsal.conversation import Conversation, read_conversation
from agenthub_worker.rehearsal.faults import STATUS, Fault, FaultPlan, spoil
from agenthub_worker.rehearsal.http import Request, read_request, send_chunk, send_head, send_json
from agenthub_worker.rehearsal.scripted import UnknownGoal, next_turn
from agenthub_worker.rehearsal.turns import Scenario

HOST = "127.0.0.1"
MODEL = "rehearsal"
_LABEL_HEADER = {"x-agenthub-rehearsal": "scripted"}
# A broken stream ends after this many events: the start and the beginning of the first block.
_BREAKS_AFTER = 3
_HEADER_LIMIT = 64 * 1024

_log = structlog.get_logger(__name__)


class RecordedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A call to the Messages API as it arrived; the credential's header is left out."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    conversation: Conversation
    fault: str = ""


class ScriptedModelServer:
    """Serves `scenarios` (the first that knows a conversation answers it); `async with` starts and stops it.

    `samples` are the goals that the refusal of any other goal names. `control` opens `/control/faults` and
    `/control/requests` for tests in another process. `record` keeps every call in `requests`, for ever.
    """

    def __init__(
        self,
        scenarios: Sequence[Scenario] = (),
        *,
        samples: Sequence[str] = (),
        port: int = 0,
        control: bool = False,
        record: bool = True,
    ) -> None:
        self._scenarios = (*scenarios, UnknownGoal(samples))
        self._port = port
        self._control = control
        self._recording = record
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.faults = FaultPlan()
        self.requests: list[RecordedRequest] = []

    async def start(self) -> None:
        """Listen on loopback. Raises `OSError` when the port is taken."""
        self._server = await asyncio.start_server(self._accept, HOST, self._port, limit=_HEADER_LIMIT)
        self._port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        await end_tasks(*self._connections)
        if self._server is not None:
            await self._server.wait_closed()

    async def idle(self) -> None:
        """Wait until no connection is open."""
        while self._connections:
            await asyncio.wait(set(self._connections))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def url(self) -> str:
        """The base address for a client, without `/v1`."""
        return f"http://{HOST}:{self._port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            request = await read_request(reader)
            if request is not None:
                await self._answer(request, reader, writer)
        except asyncio.CancelledError:
            # Only `aclose` cancels; the stream's own callback would report the cancellation as an error.
            writer.transport.abort()
        except ConnectionError:
            pass
        except Exception as error:
            _log.exception("rehearsal_request_failed")
            await send_json(writer, 500, wire.error("api_error", f"the rehearsal server failed: {error}"))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match request.method, request.path:
            case "POST", "/v1/messages":
                await self._messages(request, reader, writer)
            case "POST", "/v1/messages/count_tokens":
                await send_json(writer, 200, {"input_tokens": wire.count_tokens(request.json())}, _LABEL_HEADER)
            case "GET", "/v1/models":
                models = {"data": [wire.model_info(MODEL)], "has_more": False, "first_id": MODEL, "last_id": MODEL}
                await send_json(writer, 200, models, _LABEL_HEADER)
            case "GET", path if path == f"/v1/models/{MODEL}":
                await send_json(writer, 200, wire.model_info(MODEL), _LABEL_HEADER)
            case "GET", "/health":
                await send_json(writer, 200, {"status": "ok", "provider": MODEL, "scripted": True})
            case method, path if self._control and path.startswith("/control/"):
                await self._steer(method, path, request, writer)
            case _:
                await send_json(
                    writer, 404, wire.error("not_found_error", f"no {request.method} {request.path} here")
                )

    async def _messages(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            body = request.json()
        except ValueError as error:
            await send_json(writer, 400, wire.error("invalid_request_error", str(error)))
            return
        conversation = read_conversation(body)
        fault = self.faults.take(conversation)
        if self._recording:
            self._record(request, body, conversation, fault)
        if fault is not None and fault.kind in STATUS:
            status, error_type, text = STATUS[fault.kind]
            await send_json(writer, status, wire.error(error_type, text), _wait_header(fault))
            return
        if fault is not None and fault.kind == "hang":
            await reader.read()
            return
        reply = wire.message(next_turn(self._scenarios, conversation), body)
        if fault is not None:
            reply = spoil(reply, fault)
        if body.get("stream"):
            await _stream(reply, fault, reader, writer)
        else:
            await send_json(writer, 200, reply, _LABEL_HEADER)

    def _record(
        self, request: Request, body: Mapping[str, Any], conversation: Conversation, fault: Fault | None
    ) -> None:
        secret = {"x-api-key", "authorization"}
        self.requests.append(
            RecordedRequest(
                body=body,
                headers={name: value for name, value in request.headers.items() if name not in secret},
                conversation=conversation,
                fault=fault.kind if fault else "",
            )
        )

    async def _steer(self, method: str, path: str, request: Request, writer: asyncio.StreamWriter) -> None:
        match method, path:
            case "POST", "/control/faults":
                try:
                    faults = msgspec.json.decode(request.body, type=list[Fault])
                except msgspec.MsgspecError as error:
                    await send_json(writer, 400, wire.error("invalid_request_error", str(error)))
                    return
                self.faults.add(*faults)
                await send_json(writer, 200, {"pending": self.faults.pending})
            case "DELETE", "/control/faults":
                self.faults.clear()
                await send_json(writer, 200, {"pending": 0})
            case "GET", "/control/requests":
                await send_json(writer, 200, {"requests": msgspec.to_builtins(self.requests)})
            case _:
                await send_json(writer, 404, wire.error("not_found_error", f"no {method} {path} here"))


async def _stream(
    reply: dict[str, Any], fault: Fault | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    breaks = fault is not None and fault.kind in {"cut", "stall", "early_end", "stream_error"}
    send_head(writer, 200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **_LABEL_HEADER})
    for number, (name, data) in enumerate(wire.events(reply)):
        if breaks and number == _BREAKS_AFTER:
            assert fault is not None
            await _break(fault, reader, writer)
            return
        await send_chunk(writer, wire.sse(name, data))
    await send_chunk(writer, b"")


async def _break(fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    match fault.kind:
        case "cut":
            writer.transport.abort()
        case "stall":
            await reader.read()
        case "stream_error":
            await send_chunk(writer, wire.sse("error", wire.error("overloaded_error", "Overloaded")))
            await send_chunk(writer, b"")
        case _:
            await send_chunk(writer, b"")


def _wait_header(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after_s is None else {"retry-after": f"{fault.retry_after_s:g}"}
