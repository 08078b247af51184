"""The one model client: the anthropic SDK on the Messages API, always streaming.

It speaks to Anthropic, to a local server with the same API, and to the rehearsal model. The SDK is slow to load
(over a second), so that is left to the first call: a worker that waits for work costs nothing.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agenthub_events.redaction import encodable, mapped
from agenthub_worker.domain.model import ModelFault, ModelReply, ModelRequest, TokenUsage
from agenthub_worker.llm.faults import fault_of, retry_after_seconds

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

    from agenthub_worker.llm.providers import Provider

IDLE_TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 10.0
# The SDK tries once more by itself when that is quick; a longer wait belongs to the queue, not to a worker's slot.
QUICK_RETRIES = 1
QUICK_RETRY_MAX_WAIT_S = 2.0


class MessagesClient:
    """A `ModelClient` for one provider. Close it when the worker ends.

    `idle_timeout_s`: how long the server may send nothing before the call counts as hung.
    """

    def __init__(self, provider: Provider, *, idle_timeout_s: float = IDLE_TIMEOUT_S) -> None:
        self._provider = provider
        self._idle_timeout_s = idle_timeout_s
        self._client: AsyncAnthropic | None = None

    async def complete(self, request: ModelRequest, *, on_activity: Callable[[str], None]) -> ModelReply:
        """Stream one reply to its end. Raises `ModelFault`; cancelling closes the connection at once."""
        client = await self._opened()
        import anthropic
        import httpx2

        try:
            return await self._stream(client, request, on_activity)
        except TimeoutError as error:
            raise ModelFault(
                "transient",
                f"{self._provider.label} sent nothing for {self._idle_timeout_s:g} s; the call was given up and"
                " can be made again.",
            ) from error
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as error:
            # ValueError is what the SDK raises for tool input that is not JSON.
            raise fault_of(error, self._provider.label, request.model) from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def _opened(self) -> AsyncAnthropic:
        if self._client is None:
            await asyncio.to_thread(importlib.import_module, "anthropic")
            self._client = _sdk_client(self._provider, self._idle_timeout_s)
        return self._client

    async def _stream(
        self, client: AsyncAnthropic, request: ModelRequest, on_activity: Callable[[str], None]
    ) -> ModelReply:
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout(self._idle_timeout_s) as idle:
            async with client.messages.stream(**self._arguments(request)) as stream:
                async for event in stream:
                    idle.reschedule(clock() + self._idle_timeout_s)
                    on_activity(_added_text(event))
                message = await stream.get_final_message()
        if message.stop_reason is None:
            raise ModelFault(
                "transient",
                f"{self._provider.label} ended its answer before it was complete; the call can be made again.",
            )
        return ModelReply(
            # Half of a surrogate pair is no text: nobody could send it back, or store it.
            content=[mapped(block.to_dict(mode="json"), encodable) for block in message.content],
            stop_reason=str(message.stop_reason),
            usage=TokenUsage(
                input_tokens=message.usage.input_tokens,
                output_tokens=message.usage.output_tokens,
                cache_read_tokens=message.usage.cache_read_input_tokens or 0,
                cache_write_tokens=message.usage.cache_creation_input_tokens or 0,
            ),
            model=str(message.model),
            message_id=message.id,
        )

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


def _sdk_client(provider: Provider, idle_timeout_s: float) -> AsyncAnthropic:
    import anthropic
    import httpx2

    # Key and address are always given, so that nothing in the environment or in a profile on disk can send a
    # rehearsal or a test to a provider that costs money.
    return anthropic.AsyncAnthropic(
        api_key=provider.api_key,
        base_url=provider.base_url,
        max_retries=QUICK_RETRIES,
        # Our own idle timeout acts first; this one only frees the socket should that ever fail.
        timeout=httpx2.Timeout(idle_timeout_s * 2, connect=CONNECT_TIMEOUT_S),
        middleware=[_no_long_waits],
        http_client=_direct_transport() if _is_loopback(provider.base_url) else None,
    )


def _direct_transport() -> httpx2.AsyncClient:
    """A transport that ignores proxy settings: a proxy cannot reach this machine's own loopback."""
    import httpx2

    return httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(trust_env=False), trust_env=False)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


async def _no_long_waits(request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    response = await call_next(request)
    wait = retry_after_seconds(response.headers)
    if wait is not None and wait > QUICK_RETRY_MAX_WAIT_S:
        response.headers["x-should-retry"] = "false"
    return response


def _added_text(event: Any) -> str:
    return str(event.text) if event.type == "text" else ""
