"""Ways in which a model server misbehaves, ordered by tests."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

import msgspec

from agenthub_worker.rehearsal.conversation import Conversation

FaultName: TypeAlias = Literal[
    "rate_limit",
    "overloaded",
    "server_error",
    "unauthorized",
    "unknown_model",
    "bad_request",
    "no_credit",
    "hang",
    "stall",
    "cut",
    "early_end",
    "stream_error",
    "max_tokens",
    "refusal",
    "malformed_input",
    "broken_json",
    "unknown_tool",
]

# Faults that replace the reply by an error response: status, error type, message.
STATUS: dict[str, tuple[int, str, str]] = {
    "rate_limit": (429, "rate_limit_error", "Number of requests has exceeded your rate limit"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "server_error": (500, "api_error", "Internal server error"),
    "unauthorized": (401, "authentication_error", "invalid x-api-key"),
    "unknown_model": (404, "not_found_error", "model not found"),
    "bad_request": (400, "invalid_request_error", "messages: at least one message is required"),
    "no_credit": (400, "invalid_request_error", "Your credit balance is too low to access the API"),
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One order to misbehave.

    `task` is a glob over the task id (default: any task), `turn` the number of assistant messages that the
    conversation must have (default: any), `times` how often it strikes, `retry_after_s` the header of `rate_limit`
    and `overloaded`.
    """

    kind: FaultName
    task: str = "*"
    turn: int | None = None
    times: int = 1
    retry_after_s: float | None = None

    def strikes(self, conversation: Conversation) -> bool:
        """Whether the fault is meant for this conversation."""
        return fnmatchcase(conversation.task_id, self.task) and self.turn in (
            None,
            conversation.assistant_messages,
        )


class FaultPlan:
    """The faults that are still to happen, in order."""

    def __init__(self) -> None:
        self._left: list[tuple[Fault, int]] = []

    def add(self, *faults: Fault) -> None:
        """Order faults, after those that are ordered already."""
        self._left.extend((fault, fault.times) for fault in faults)

    def clear(self) -> None:
        """Forget what has not happened yet."""
        self._left.clear()

    @property
    def pending(self) -> int:
        """How many strikes are still to come."""
        return sum(left for _, left in self._left)

    def take(self, conversation: Conversation) -> Fault | None:
        """The fault for this request, which is used up by it; None when the server is to behave."""
        for index, (fault, left) in enumerate(self._left):
            if fault.strikes(conversation):
                self._left[index : index + 1] = [(fault, left - 1)] if left > 1 else []
                return fault
        return None


def spoil(reply: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """`reply` with the fault of its content; a new object, or the same when the fault is not one of content."""
    match fault.kind:
        case "refusal":
            return {**reply, "content": [], "stop_reason": "refusal"}
        case "max_tokens":
            return {**_with_input(reply, '{"command": "pytest tests/te'), "stop_reason": "max_tokens"}
        case "malformed_input":
            return _with_input(reply, '{"no_such_field": 1}')
        case "broken_json":
            return _with_input(reply, '{"command": pytest]')
        case "unknown_tool":
            return _with_call(reply, {"name": "launch_rocket"})
        case _:
            return reply


def _with_input(reply: dict[str, Any], raw: str) -> dict[str, Any]:
    return _with_call(reply, {"input": raw})


def _with_call(reply: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    calls = [block for block in reply["content"] if block["type"] == "tool_use"]
    call = {"type": "tool_use", "id": f"toolu_{reply['id'][4:]}", "name": "bash", "input": {"command": "true"}}
    others = [block for block in reply["content"] if block["type"] != "tool_use"]
    spoilt = {**(calls[0] if calls else call), **change}
    return {**reply, "content": [*others, spoilt], "stop_reason": "tool_use"}
