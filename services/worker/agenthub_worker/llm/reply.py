"""Reads what a model server sends into one reply: lenient in what may be left out, strict in what may be run.

Servers that speak the Messages API differ in framing, in ids, in stop reasons and in how they write arguments.
What they mean is put into one form here, before anything is recorded: nothing behind has to know the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from agenthub_worker.domain.model import Block, ModelFault, ModelReply, TokenUsage
from agenthub_worker.llm.clean_json import cleaned, loads, one_line

LARGEST_REPLY_BYTES = 4 << 20
_MOST_TOKENS = 1_000_000_000
_NAME_MAX = 200
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")

# How other APIs, and servers that began with one of them, call the same endings.
_SAME_AS: Mapping[str, str] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "complete", "completed", "end", "finish"), "end_turn"),
    **dict.fromkeys(("tool_calls", "tool_call", "function_call"), "tool_use"),
    **dict.fromkeys(("length", "max_output_tokens", "max_new_tokens", "token_limit"), "max_tokens"),
    **dict.fromkeys(("content_filter", "safety"), "refusal"),
}
# Endings after which whole calls are meant to be run; an empty one is that of a server that names none.
_WHOLE = frozenset({"", "tool_use", "end_turn", "stop_sequence"})


class ReplyReader:
    """Folds the events of one stream. `label`: the server's name in faults; `tools`: the names on offer."""

    def __init__(self, label: str, model: str, tools: Collection[str] = ()) -> None:
        self._label = label
        self._model = model
        self._tools = tools
        self._begin({})
        self.began = False

    def _begin(self, head: Mapping[str, Any]) -> None:
        self._head = head
        self._blocks: list[Block] = []
        self._pieces: list[dict[str, list[str]]] = []
        # Where the block stands that was last begun under an index: some servers begin every block under 0.
        self._places: dict[int, int] = {}
        self._usage: dict[str, Any] = {}
        self._stop_reason: Any = None
        self.stopped = False

    @property
    def ended(self) -> bool:
        """Whether the reply is whole, even if the connection breaks or stays open now."""
        return self.stopped or bool(self._stop_reason)

    def take(self, event: Mapping[str, Any]) -> str:
        """One event; returns the text that it adds to the reply. Unknown kinds are passed over."""
        match event.get("type"):
            case "message_start":
                self.whole(_object(event.get("message")))
            case "content_block_start":
                self._add(event.get("index"), _object(event.get("content_block")))
            case "content_block_delta":
                return self._delta(event.get("index"), _object(event.get("delta")))
            case "message_delta":
                self.began = True
                self._stop_reason = _object(event.get("delta")).get("stop_reason") or self._stop_reason
                self._count(event.get("usage"))
            case "message_stop":
                self.stopped = True
        return ""

    def whole(self, message: Mapping[str, Any], *, ended: bool = False) -> None:
        """A message object: the head of a stream, or (`ended`) all of an answer that was not streamed."""
        self._begin(message)
        self.began = True
        content = message.get("content")
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        for block in content if isinstance(content, list) else ():
            # Some servers write a list of plain texts.
            self._add(None, {"type": "text", "text": block} if isinstance(block, str) else _object(block))
        self._stop_reason = message.get("stop_reason")
        self.stopped = ended
        self._count(message.get("usage"))

    def reply(self) -> ModelReply:
        """The reply, once the answer has ended. Raises `ModelFault` when it cannot be used."""
        if not self.ended:
            raise ModelFault(
                "transient",
                f"{self._label} ended its answer before it was complete; the call can be made again.",
            )
        reason = one_line(str(self._stop_reason or ""))[:_NAME_MAX]
        reason = _SAME_AS.get(reason.lower(), reason)
        content = [self._finished(index, cut=reason not in _WHOLE) for index in range(len(self._blocks))]
        if reason in _WHOLE and any(block.get("type") == "tool_use" for block in content):
            reason = "tool_use"
        if len(json.dumps(content)) > LARGEST_REPLY_BYTES:
            raise self._invalid(f"a reply of more than {LARGEST_REPLY_BYTES >> 20} MB")
        return ModelReply(
            content=content,
            stop_reason=reason or "end_turn",
            usage=token_usage(self._usage),
            model=one_line(str(self._head.get("model") or self._model))[:_NAME_MAX],
            message_id=one_line(str(self._head.get("id") or ""))[:_NAME_MAX],
        )

    def _add(self, index: object, block: Mapping[str, Any]) -> int:
        self.began = True
        place = len(self._blocks)
        self._blocks.append(dict(block))
        self._pieces.append({})
        self._places[index if isinstance(index, int) else place] = place
        return place

    def _place(self, index: object, kind: str) -> int:
        """Where a piece belongs; a block that was never begun is begun by it."""
        place = self._places.get(index) if isinstance(index, int) else len(self._blocks) - 1
        return self._add(index, {"type": kind}) if place is None or place < 0 else place

    def _delta(self, index: object, delta: Mapping[str, Any]) -> str:
        kind, field = _DELTAS.get(str(delta.get("type")), ("", ""))
        piece = delta.get(field)
        if kind and isinstance(piece, str):
            self._pieces[self._place(index, kind)].setdefault(field, []).append(piece)
            return piece if field == "text" else ""
        if delta.get("type") == "citations_delta":
            block = self._blocks[self._place(index, "text")]
            known = block.get("citations")
            block["citations"] = [*(known if isinstance(known, list) else ()), delta.get("citation")]
        return ""

    def _finished(self, index: int, *, cut: bool) -> Block:
        block = dict(self._blocks[index])
        for field, pieces in self._pieces[index].items():
            if field != "partial_json":
                block[field] = f"{block.get(field) or ''}{''.join(pieces)}"
        if block.get("type") == "text":
            block["text"] = str(block.get("text") or "")
        if block.get("type") == "tool_use":
            # An id that other servers would not take is no id: the run gives the call one of its own.
            given = block.get("id")
            block["id"] = given if isinstance(given, str) and _ID.fullmatch(given) else ""
            block["name"] = offered(one_line(str(block.get("name") or ""))[:_NAME_MAX], self._tools)
            written = "".join(self._pieces[index].get("partial_json", ()))
            block["input"] = self._arguments(written.strip() or block.get("input"), cut=cut)
        try:
            return dict(cleaned(block))
        except ValueError as error:
            raise self._invalid(str(error)) from None

    def _arguments(self, given: Any, *, cut: bool) -> dict[str, Any]:
        """A call's input as an object, however it was written; of a reply that was cut off no call is run."""
        for _ in range(3):
            if not isinstance(given, str):
                break
            try:
                given = loads(given) if given.strip() else {}
            except ValueError as error:
                if cut:
                    return {}
                raise self._invalid(f"tool input that is not JSON ({error!s:.200})") from None
        if isinstance(given, dict):
            return given
        return {} if given is None else {"input": given}

    def _count(self, usage: Any) -> None:
        # The counts of a later event are totals that replace those of the first.
        self._usage.update({name: count for name, count in _object(usage).items() if count is not None})

    def _invalid(self, what: str) -> ModelFault:
        return ModelFault("invalid", f"The model {self._model} sent {what}; the turn was thrown away.")


# The kinds of pieces: which kind of block they make up, and in which field they stand.
_DELTAS: Mapping[str, tuple[str, str]] = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "input_json_delta": ("tool_use", "partial_json"),
}


def offered(name: str, tools: Collection[str]) -> str:
    """The tool on offer that `name` means: written in another case, with `-` for `_`, or behind a prefix."""
    if name in tools or not tools:
        return name
    plain = _plain(name)
    for tool in tools:
        if plain == _plain(tool):
            return tool
    for mark in (".", ":", "/", "__"):
        bare = _plain(name.rpartition(mark)[2])
        found = [tool for tool in tools if bare == _plain(tool)]
        if mark in name and found:
            return found[0]
    return name


def _plain(name: str) -> str:
    return name.strip().casefold().replace("-", "_")


def token_usage(given: Mapping[str, Any]) -> TokenUsage | None:
    """The counts of a reply; None when the server gives none, or none that can be true."""
    counts = {ours: _tokens(given.get(theirs)) for ours, theirs in _COUNTS.items()}
    for optional in ("cache_read_tokens", "cache_write_tokens"):
        if _COUNTS[optional] not in given:
            counts[optional] = 0
    known = {name: count for name, count in counts.items() if count is not None}
    if len(known) < len(counts):
        return None
    usage = TokenUsage(**known)
    # There is no call without a word that went in.
    return usage if usage.total_input_tokens else None


_COUNTS: Mapping[str, str] = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}


def _tokens(given: Any) -> int | None:
    if isinstance(given, str) and given.isdecimal() and len(given) < len(str(_MOST_TOKENS)):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return None
    return int(given) if 0 <= given <= _MOST_TOKENS else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
