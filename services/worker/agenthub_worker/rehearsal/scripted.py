"""Scenarios that tests and simulations write by hand, and a model client that needs no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from agenthub_worker.domain.model import ModelReply, ModelRequest, TokenUsage
from agenthub_worker.rehearsal import wire
from agenthub_worker.rehearsal.conversation import Conversation, read_conversation
from agenthub_worker.rehearsal.turns import Scenario, Turn, call, labelled

Reply: TypeAlias = Turn | Callable[[Conversation], Turn]


class ScriptedReplies:
    """Fixed replies, by task.

    The key is a task id, else a kind, else an agent type, else `*`; the n-th assistant message of a conversation
    is the n-th reply, the last one is repeated.
    """

    def __init__(self, replies: Mapping[str, Sequence[Reply]]) -> None:
        self._replies = replies

    def step(self, conversation: Conversation) -> Turn | None:
        """The reply for this point of the conversation; None when no key fits."""
        for key in (conversation.task_id, conversation.kind, conversation.agent_type, "*"):
            replies = self._replies.get(key)
            if replies:
                reply = replies[min(conversation.assistant_messages, len(replies) - 1)]
                return reply(conversation) if callable(reply) else reply
        return None


class UnknownGoal:
    """The last scenario of every server: says that it has no script, and what to do instead."""

    def __init__(self, samples: Sequence[str]) -> None:
        known = "; ".join(f"“{sample}”" for sample in samples) or "none"
        self._question = (
            f"The rehearsal model only knows its sample goals ({known}) and cannot work on anything else. To have"
            " this goal done, configure a provider: set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL and"
            " AGENTHUB_MODEL for a local server, and start the hub again. Otherwise cancel the goal:"
            " an answer to this question cannot."
        )

    def step(self, conversation: Conversation) -> Turn:
        """A question to a person; plain text when the request offers no tool to ask with."""
        if "ask_human" not in conversation.tools:
            return Turn(self._question)
        what = f"Task {conversation.task_id} of the goal “{conversation.goal[:200]}” is in none of my scripts."
        return call(
            "ask_human",
            text=what,
            question=self._question,
            options=["I have configured a provider: try again"],
            consequences=["A real model takes the task up. This script asks the same again."],
            evidence=what,
        )


def next_turn(scenarios: Sequence[Scenario], conversation: Conversation) -> Turn:
    """The turn of the first scenario that knows the conversation. Raises `LookupError` when none does."""
    for scenario in scenarios:
        turn = scenario.step(conversation)
        if turn is not None:
            return labelled(turn, conversation)
    raise LookupError(f"no scenario for task {conversation.task_id}")


class ScriptedModelClient:
    """The in-memory client: the same scenarios and the same replies, without a wire."""

    def __init__(self, scenarios: Sequence[Scenario]) -> None:
        self._scenarios = scenarios
        self.requests: list[ModelRequest] = []

    async def complete(self, request: ModelRequest, *, on_activity: Callable[[str], None]) -> ModelReply:
        """The scenario's reply, at once. Raises `LookupError` when no scenario knows the conversation."""
        self.requests.append(request)
        body = msgspec.to_builtins(request)
        message = wire.message(next_turn(self._scenarios, read_conversation(body)), body)
        on_activity("")
        return ModelReply(
            content=message["content"],
            stop_reason=message["stop_reason"],
            usage=TokenUsage(
                input_tokens=message["usage"]["input_tokens"], output_tokens=message["usage"]["output_tokens"]
            ),
            model=message["model"],
            message_id=message["id"],
        )
