"""The Messages API on the wire: a turn as a message, and a message as server-sent events."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from agenthub_worker.rehearsal.turns import Turn

_TEXT_CHUNK = 400
_JSON_CHUNK = 4_000
# A script has no tokenizer; four characters a token is the usual rule of thumb.
_CHARACTERS_PER_TOKEN = 4


def message(turn: Turn, body: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to the request `body` as a Messages API object; its ids depend on nothing but the conversation."""
    seed = hashlib.sha256(json.dumps(body.get("messages", []), sort_keys=True, default=str).encode()).hexdigest()
    content: list[dict[str, Any]] = []
    if turn.thinking:
        content.append({"type": "thinking", "thinking": turn.thinking, "signature": f"signed-{seed[:16]}"})
    if turn.text:
        content.append({"type": "text", "text": turn.text})
    for index, wanted in enumerate(turn.calls):
        content.append(
            {
                "type": "tool_use",
                "id": f"toolu_{seed[:22]}{index:02d}",
                "name": wanted.name,
                "input": dict(wanted.input),
            }
        )
    return {
        "id": f"msg_{seed[:24]}",
        "type": "message",
        "role": "assistant",
        "model": str(body.get("model", "rehearsal")),
        "content": content,
        "stop_reason": turn.stopped_by,
        "stop_sequence": None,
        "usage": {"input_tokens": count_tokens(body), "output_tokens": max(1, _tokens(content))},
    }


def count_tokens(body: Mapping[str, Any]) -> int:
    """An estimate of the request's input tokens."""
    return max(1, _tokens([body.get(part) for part in ("system", "messages", "tools")]))


def events(reply: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events that stream `reply`: (name, data) pairs in order."""
    opening = {**reply, "content": [], "stop_reason": None, "usage": {**reply["usage"], "output_tokens": 0}}
    yield "message_start", {"type": "message_start", "message": opening}
    for index, block in enumerate(reply["content"]):
        start, deltas = _block_events(block)
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    yield (
        "message_delta",
        {
            "type": "message_delta",
            "delta": {"stop_reason": reply["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": reply["usage"]["output_tokens"]},
        },
    )
    yield "message_stop", {"type": "message_stop"}


def sse(name: str, data: Mapping[str, Any]) -> bytes:
    """One server-sent event as bytes."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def error(error_type: str, text: str) -> dict[str, Any]:
    """An error object of the Messages API."""
    return {"type": "error", "error": {"type": error_type, "message": text}}


def model_info(model: str) -> dict[str, Any]:
    """How the server describes its model."""
    return {
        "type": "model",
        "id": model,
        "display_name": "Rehearsal (scripted, no language model)",
        "created_at": "2026-01-01T00:00:00Z",
    }


def _block_events(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "text":
            deltas = [{"type": "text_delta", "text": part} for part in _parts(block["text"], _TEXT_CHUNK)]
            return {"type": "text", "text": ""}, deltas
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}, [
                {"type": "thinking_delta", "thinking": block["thinking"]},
                {"type": "signature_delta", "signature": block["signature"]},
            ]
        case _:
            # A fault may have replaced the input by text that is no JSON; it goes out as it is.
            raw = block["input"] if isinstance(block["input"], str) else json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": part} for part in _parts(raw, _JSON_CHUNK)]
            return {**block, "input": {}}, deltas


def _parts(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def _tokens(value: Any) -> int:
    return len(json.dumps(value, default=str)) // _CHARACTERS_PER_TOKEN
