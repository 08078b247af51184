"""What the worker asks of a model, what it gets back, and the ways in which that can go wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from agenthub_events.errors import AgenthubError

FaultKind: TypeAlias = Literal[
    "transient",
    "overload",
    "unreachable",
    "hung",
    "garbled",
    "config",
    "too_long",
    "rejected",
    "invalid",
    "refused",
]
Block: TypeAlias = dict[str, Any]
Message: TypeAlias = Mapping[str, Any]

# The only stop reason after which the tool calls of a reply may be run.
RUNS_TOOLS = "tool_use"


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call: `messages` and `tools` in the shape of the Messages API, `max_tokens` the reply's limit.

    `extra` holds sampling parameters that only some servers know (`temperature`, `top_p`, ...), sent as they are.
    """

    model: str
    system: str
    messages: Sequence[Message]
    tools: Sequence[Mapping[str, Any]] = ()
    max_tokens: int = 8_192
    extra: Mapping[str, Any] = msgspec.field(default_factory=dict)


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens as the provider counts them; the whole input is input + cache_read + cache_write."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def total_input_tokens(self) -> int:
        """Everything that went in, whatever it was billed as."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens


class ModelReply(msgspec.Struct, frozen=True, kw_only=True):
    """A complete answer. `content` are the blocks as they came, unknown fields and signatures included.

    `usage` None: the server did not say what it counted.
    """

    content: list[Block]
    stop_reason: str
    usage: TokenUsage | None
    model: str
    message_id: str

    @property
    def text(self) -> str:
        """The words of the reply, without thinking and tool calls."""
        return "\n".join(str(block.get("text", "")) for block in self.content if block.get("type") == "text")

    @property
    def tool_calls(self) -> tuple[Block, ...]:
        """The calls that may be run: none unless the model stopped for them, whatever blocks it left."""
        if self.stop_reason != RUNS_TOOLS:
            return ()
        return tuple(block for block in self.content if block.get("type") == "tool_use")


class ModelFault(AgenthubError):
    """A call brought no usable reply.

    `kind` says what went wrong, `agenthub_worker.domain.after_fault` what follows: `transient` (the next try may
    work), `overload` (no room: wait, `retry_after_s` if the provider said so), `unreachable` (nobody listens at
    the address), `hung` (nothing comes), `garbled` (what comes cannot be read), `config` (this hub's settings are
    wrong), `too_long` (the conversation does not fit into the model), `rejected` (the server does not take the
    request in this form), `invalid` (the model's reply breaks the format), `refused` (the model declined).
    `message` says in plain words whose fault it is and what to do next. `may_be_billed` False: the provider has
    certainly charged nothing, because it turned the call down, or because the connection failed before any byte of
    an answer.
    """

    def __init__(
        self, kind: FaultKind, message: str, *, retry_after_s: float | None = None, may_be_billed: bool = True
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after_s = retry_after_s
        self.may_be_billed = may_be_billed


class ModelClient(Protocol):
    """Something that answers model requests."""

    async def complete(self, request: ModelRequest, *, on_activity: Callable[[str], None]) -> ModelReply:
        """Ask once and wait for the whole reply.

        `on_activity` is called for everything that arrives, with the text it adds (often empty), so that the
        caller can show life. Raises `ModelFault`; cancelling the call closes the connection.
        """
        ...


class OpenModelClient(ModelClient, Protocol):
    """A client with connections of its own."""

    async def aclose(self) -> None:
        """Close the connections."""
        ...


def with_own_ids(content: Sequence[Block], used: Collection[str], name: str) -> list[Block]:
    """`content` with an id of our own for every call whose id is missing or was used before.

    `name` makes the ids of this reply unlike those of any other of the run.
    """
    taken = set(used)
    result: list[Block] = []
    for number, block in enumerate(content):
        known = block.get("type") != "tool_use" or (block.get("id") and block["id"] not in taken)
        result.append(block if known else {**block, "id": f"toolu_{name}_{number}"})
        taken.add(str(result[-1].get("id") or ""))
    return result


def request_hash(request: ModelRequest) -> str:
    """sha256 of the request's canonical JSON (sorted keys, no spaces): equal requests have equal hashes."""
    return hashlib.sha256(msgspec.json.encode(msgspec.to_builtins(request), order="sorted")).hexdigest()
