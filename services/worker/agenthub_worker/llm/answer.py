"""Reads the body of an answer as it comes: the events of a stream, or a message that was sent whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agenthub_worker.domain.model import ModelFault, ModelReply
from agenthub_worker.llm.clean_json import clean_text, loads
from agenthub_worker.llm.faults import answer_fault, garbled, wrong_api
from agenthub_worker.llm.reply import ReplyReader

if TYPE_CHECKING:
    import httpx2

LARGEST_ANSWER_BYTES = 16 << 20
# A server that only says that it lives is believed for so many times the silence that counts as hung.
SIGNS_OF_LIFE = 5
_SLICES = 10
_GOODBYE_S = 0.5
_BOM = b"\xef\xbb\xbf"


class Patience:
    """How long a call may go on without news: `life` for any byte, `news` for a piece of the reply.

    Counted in slices of the time, each of which counts once however late it ends: while this process stands still
    with its machine (suspended, moved, overloaded), nothing that the server sends is read, and it is no silence.
    Raises `TimeoutError` at its end.
    """

    def __init__(self, seconds: float) -> None:
        self._slice_s = seconds / _SLICES
        self._quiet = self._without_news = 0
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> Patience:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._slice_s, self._tick)
        return self

    async def __aexit__(self, *raised: Any) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(*raised)

    @property
    def is_spent(self) -> bool:
        """Whether no piece of the reply has come for as long as signs of life are believed."""
        return self._without_news >= _SLICES * SIGNS_OF_LIFE

    def life(self) -> None:
        """Something came."""
        self._quiet = 0

    def news(self) -> None:
        """A piece of the reply came."""
        self._quiet = self._without_news = 0

    def _tick(self) -> None:
        self._quiet += 1
        self._without_news += 1
        if self._quiet >= _SLICES or self.is_spent:
            self._timeout.reschedule(self._loop.time())
        else:
            self._timer = self._loop.call_later(self._slice_s, self._tick)


class ModelAnswer:
    """One answer of a server (`label` for people) to a call of `model`."""

    def __init__(self, response: httpx2.Response, reader: ReplyReader, label: str, model: str) -> None:
        self._response = response
        self._reader = reader
        self._label = label
        self._model = model
        # The SDK tells the span of a call what came, when it reads the events itself; here we do.
        self._observer = getattr(getattr(response, "stream", None), "stream_observer", None)

    async def read(self, patience: Patience, on_activity: Callable[[str], None]) -> ModelReply:
        """Read to the end. Raises `ModelFault`, and whatever the transport and the decoder raise."""
        body = _Body(self._response, patience, self._label)
        await body.open()
        match body.first:
            case b"{" | b"[":
                self._take_whole(await body.rest())
            case b"<":
                raise wrong_api(self._label, "a web page")
            case _:
                await self._take_events(body, patience, on_activity)
        return self._reader.reply()

    async def _take_events(self, body: _Body, patience: Patience, on_activity: Callable[[str], None]) -> None:
        import anthropic

        if self._observer is not None:
            self._observer.begin()
        # Only `aiter_bytes` is asked of what is given.
        async for sse in anthropic.AsyncStream.raw_events(body):  # type: ignore[arg-type]
            if not sse.data or sse.data.strip() == "[DONE]":
                on_activity("")
                continue
            event = self._event(sse.data, sse.event)
            if self._observer is not None:
                self._observer.item(_as_told_to_spans(event))
            if event.get("type") != "ping":
                patience.news()
            on_activity(clean_text(self._reader.take(event)))
            if self._reader.stopped:
                await body.leave()
                return
        if not self._reader.began and body.size and not self._is_stream():
            raise wrong_api(self._label, "text that is no stream of events")

    def _event(self, data: str, name: str | None) -> Mapping[str, Any]:
        try:
            event = loads(data)
        except ValueError as error:
            if name == "error":
                raise answer_fault(200, {}, data, self._label, self._model) from None
            raise garbled(self._label, f"an event that is not JSON ({error!s:.120})") from None
        if not isinstance(event, dict):
            raise garbled(self._label, "an event that is no object")
        if name == "error" or event.get("type") == "error" or (event.get("error") and "type" not in event):
            raise answer_fault(200, {}, event, self._label, self._model)
        if "type" not in event and not self._reader.began:
            if name:
                event = {**event, "type": name}
            elif event:
                raise wrong_api(self._label, "the events of another API")
        return event

    def _take_whole(self, data: bytes) -> None:
        text = data.decode()
        try:
            message = loads(text)
        except ValueError as error:
            raise self._not_whole(text, error) from None
        if isinstance(message, dict) and (message.get("type") == "error" or message.get("error")):
            raise answer_fault(200, {}, message, self._label, self._model)
        if not isinstance(message, dict) or not isinstance(message.get("content"), (list, str)):
            raise wrong_api(self._label, "the answer of another API")
        self._reader.whole(message, ended=True)

    def _not_whole(self, text: str, error: ValueError) -> ModelFault:
        """JSON that breaks off, or the lines of an API that streams one object a line."""
        try:
            loads(text.splitlines()[0])
        except ValueError:
            return garbled(self._label, f"JSON that cannot be read ({error!s:.120})")
        return wrong_api(self._label, "the lines of another API")

    def _is_stream(self) -> bool:
        return bool(self._response.headers.get("content-type", "").startswith("text/event-stream"))


def _as_told_to_spans(event: Mapping[str, Any]) -> object:
    """The SDK counts tokens from the head of a message only when that is of its own type."""
    from anthropic.types import RawMessageStartEvent

    if event.get("type") == "message_start" and isinstance(event.get("message"), dict):
        return RawMessageStartEvent.construct(type="message_start", message=event["message"])
    return event


class _Body:
    """The bytes of a response, with the first of them known before the rest is asked for."""

    def __init__(self, response: httpx2.Response, patience: Patience, label: str) -> None:
        self._chunks = response.aiter_bytes()
        self._patience = patience
        self._label = label
        self._begun = b""
        self.size = 0

    @property
    def first(self) -> bytes:
        """The first byte that is no blank; empty when there is none."""
        return self._begun.lstrip()[:1]

    async def open(self) -> None:
        """Read until the body shows what it is."""
        async for chunk in self._counted():
            self._begun += chunk
            if len(self._begun) >= len(_BOM) and self._begun.removeprefix(_BOM).lstrip():
                break
        self._begun = self._begun.removeprefix(_BOM)

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """All of it, piece by piece."""
        yield self._begun
        async for chunk in self._counted():
            yield chunk

    async def rest(self) -> bytes:
        """All of it at once."""
        return b"".join([chunk async for chunk in self.aiter_bytes()])

    async def leave(self) -> None:
        """Read what is left, so that the connection can be used again; what does not come soon is left there."""
        import httpx2

        with suppress(TimeoutError, httpx2.HTTPError):
            async with asyncio.timeout(_GOODBYE_S):
                async for _ in self._chunks:
                    pass

    async def _counted(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self._patience.life()
            self.size += len(chunk)
            if self.size > LARGEST_ANSWER_BYTES:
                raise garbled(self._label, f"an answer of more than {LARGEST_ANSWER_BYTES >> 20} MB")
            yield chunk
