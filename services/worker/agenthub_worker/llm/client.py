"""The one model client: the anthropic SDK on the Messages API, always streaming.

It speaks to Anthropic, to a local server with the same API, and to the rehearsal model. The SDK is slow to load
(over a second), so that is left to the first call: a worker that waits for work costs nothing.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from agenthub_worker.domain.model import ModelReply, ModelRequest
from agenthub_worker.llm.answer import SIGNS_OF_LIFE, ModelAnswer, Patience
from agenthub_worker.llm.clean_json import loads
from agenthub_worker.llm.counts import with_credible_counts
from agenthub_worker.llm.faults import connection_fault, dripping, fault_of, hung, may_be_billed, was_turned_down
from agenthub_worker.llm.reply import ReplyReader
from agenthub_worker.llm.retry_after import retry_after_seconds

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

    from agenthub_worker.llm.providers import Provider

IDLE_TIMEOUT_S = 120.0
# A server without much of a graphics card reads a long prompt for minutes before it can say a word.
LOCAL_IDLE_TIMEOUT_S = 300.0
CONNECT_TIMEOUT_S = 10.0
# The SDK tries once more by itself when that is quick and nothing was sent, or the server has turned it down; a
# longer wait belongs to the queue, not to a worker's slot.
QUICK_RETRIES = 1
QUICK_RETRY_MAX_WAIT_S = 2.0

CallNext: TypeAlias = Callable[[Any], Awaitable[Any]]


class MessagesClient:
    """A `ModelClient` for one provider. Close it when the worker ends.

    `idle_timeout_s`: how long the server may send nothing before the call counts as hung.
    """

    def __init__(self, provider: Provider, *, idle_timeout_s: float | None = None) -> None:
        self._provider = provider
        usual = LOCAL_IDLE_TIMEOUT_S if provider.name == "local" else IDLE_TIMEOUT_S
        self._idle_timeout_s = idle_timeout_s or usual
        self._client: AsyncAnthropic | None = None

    async def complete(self, request: ModelRequest, *, on_activity: Callable[[str], None]) -> ModelReply:
        """Stream one reply to its end. Raises `ModelFault`; cancelling closes the connection at once."""
        try:
            reply = await self._stream(await self._opened(), request, on_activity)
            return with_credible_counts(reply, request)
        except TimeoutError as error:
            raise hung(self._provider.place, self._idle_timeout_s) from error
        except Exception as error:  # What a server sends must never look like a fault of the worker.
            raise fault_of(error, self._provider.place, request.model) from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def _opened(self) -> AsyncAnthropic:
        if self._client is None:
            await asyncio.to_thread(importlib.import_module, "anthropic")
            self._client = _sdk_client(self._provider)
        return self._client

    async def _stream(
        self, client: AsyncAnthropic, request: ModelRequest, on_activity: Callable[[str], None]
    ) -> ModelReply:
        import httpx2

        label = self._provider.place
        reader = ReplyReader(label, request.model, [str(tool["name"]) for tool in request.tools])
        patience = Patience(self._idle_timeout_s)
        try:
            async with (
                patience,
                await client.messages.create(**self._arguments(request), stream=True) as stream,
            ):
                patience.life()
                answer = ModelAnswer(stream.response, reader, label, request.model)
                return await answer.read(patience, on_activity)
        except (TimeoutError, httpx2.HTTPError) as error:
            # The connection stays open, or breaks, behind a reply that is whole.
            if reader.ended:
                return reader.reply()
            if isinstance(error, TimeoutError) and patience.is_spent:
                raise dripping(label, self._idle_timeout_s * SIGNS_OF_LIFE) from error
            raise

    def _arguments(self, request: ModelRequest) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": request.model,
            "system": request.system,
            "messages": list(request.messages),
            "max_tokens": request.max_tokens,
        }
        if request.tools:
            arguments["tools"] = list(request.tools)
        if request.extra:
            arguments["extra_body"] = dict(request.extra)
        if self._provider.caches_prompts:
            arguments["cache_control"] = {"type": "ephemeral"}
        return arguments


def _sdk_client(provider: Provider) -> AsyncAnthropic:
    import anthropic
    import httpx2

    # Key and address are always given, so that nothing in the environment or in a profile on disk can send a
    # rehearsal or a test to a provider that costs money.
    return anthropic.AsyncAnthropic(
        api_key=provider.api_key,
        base_url=provider.base_url,
        max_retries=QUICK_RETRIES,
        # How long a call may be silent is for our own patience to say, which knows when the machine stood still.
        timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S),
        middleware=[_quick_retries(provider.place)],
        http_client=_transport(direct=is_loopback(provider.base_url)),
    )


def _transport(*, direct: bool) -> httpx2.AsyncClient:
    """A transport that follows no redirect, so that the key goes nowhere but to the address that was set.

    `direct`: without proxy settings, for a proxy cannot reach this machine's own loopback.
    """
    import anthropic
    import httpx2

    if direct:
        return httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(trust_env=False), trust_env=False)
    return anthropic.DefaultAsyncHttpxClient(follow_redirects=False)


def is_loopback(url: str) -> bool:
    """Whether `url` is on this machine itself, where no proxy reaches."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _quick_retries(place: str) -> Callable[[Any, CallNext], Awaitable[Any]]:
    """Leaves to the SDK what is tried again soon and has cost nothing; `place` is the server's name in faults."""

    async def once(request: Any, call_next: CallNext) -> Any:
        import anthropic
        import httpx2

        try:
            response = await call_next(request)
        except anthropic.APIConnectionError as error:
            unsent = httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError
            if error.__cause__ is None or isinstance(error.__cause__, unsent | httpx2.UnsupportedProtocol):
                raise
            # The model may be at work on it already, and what nobody has recorded nobody counts.
            raise connection_fault(error.__cause__, place) from None
        wait = retry_after_seconds(response.headers)
        too_long = wait is not None and wait > QUICK_RETRY_MAX_WAIT_S
        if too_long or not was_turned_down(response.status_code) or await _may_be_billed(response, place):
            response.headers["x-should-retry"] = "false"
        return response

    return once


async def _may_be_billed(response: Any, place: str) -> bool:
    """Whether the body of an error says what its status does not: that a model was at work.

    Raises `ModelFault` when it cannot be read to its end.
    """
    import httpx2

    if response.status_code < 400:
        return False
    try:
        body = loads((await response.read()).decode(errors="replace"))
    except httpx2.HTTPError as error:
        raise fault_of(error, place, "") from error
    except ValueError:
        return False
    return may_be_billed(response.status_code, body)
