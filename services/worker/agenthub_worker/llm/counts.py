"""Whether a server can have counted right: by the size of what it was sent and of what it said.

A proxy that drops the counts of what was cached, a stream whose last count is missing, a counter that has run
wild: what they would book is not what is billed. Such counts are unknown, and what is unknown costs its worst.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterable
from typing import Any

import msgspec

from agenthub_worker.domain.model import Block, ModelReply, ModelRequest, TokenUsage

# No vocabulary has tokens that long but runs of one character, so a text of some length never has fewer tokens.
_LONGEST_TOKEN_BYTES = 32
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)
# What a server may add on its own: its words about tools, and the marks between messages.
_ADDED_TOKENS = 10_000
# What words of a language or of code have at least; other text has fewer, down to one.
_BYTES_A_TOKEN, _LETTERS_A_TOKEN = 3, 4
_OF_WORDS = (string.ascii_lowercase + string.whitespace).encode()
_DIGITS_AND_CAPITALS = (string.digits + string.ascii_uppercase).encode()
# Longer than words are: keys, hashes, base64.
_UNBROKEN = re.compile(rb"[A-Za-z0-9+/=_-]{32,}|[a-z]{20,}")
_ODD_SHARE = 1 / 8


def with_credible_counts(reply: ModelReply, request: ModelRequest) -> ModelReply:
    """`reply`, with its counts unknown when they cannot be those of `request` and what it says."""
    usage = reply.usage
    if usage is None or _credible(usage, request, reply.content):
        return reply
    return msgspec.structs.replace(reply, usage=None)


def most_tokens(data: bytes) -> int:
    """As how many tokens a server may count `data` at most.

    A letter of another script, a digit, a sign or a piece of base64 can be a token for each of its bytes.
    """
    words = _UNBROKEN.sub(_if_words, data)
    others = len(words.translate(None, _OF_WORDS))
    plain = (len(words) - others) / _LETTERS_A_TOKEN
    return math.ceil(max(len(data) / _BYTES_A_TOKEN, len(data) - len(words) + others + plain))


def _if_words(found: re.Match[bytes]) -> bytes:
    """A path or a name of many words as it is, and nothing in the place of what has none."""
    run = found.group()
    odd = len(run) - len(run.translate(None, _DIGITS_AND_CAPITALS))
    return b"" if odd >= len(run) * _ODD_SHARE or (run.isalpha() and run.islower()) else run


def _credible(usage: TokenUsage, request: ModelRequest, said: Iterable[Block]) -> bool:
    sent, heard = msgspec.json.encode(request), _words(said)
    # No token is shorter than a byte; what is only thought stays within the limit of the reply.
    return (
        _enough(usage.total_input_tokens, sent)
        and _enough(usage.output_tokens, heard)
        and usage.total_input_tokens <= len(sent) + _ADDED_TOKENS
        and usage.output_tokens <= request.max_tokens + len(heard) + _ADDED_TOKENS
    )


def _enough(tokens: int, data: bytes) -> bool:
    room = tokens * _LONGEST_TOKEN_BYTES
    return len(data) <= room or len(_RUN.sub(rb"\1", data)) <= room


def _words(said: Iterable[Block]) -> bytes:
    """What the model has written out: texts and calls, but not thinking, which comes shortened or locked."""
    return b"".join(_written(block) for block in said)


def _written(block: Block) -> bytes:
    match block.get("type"):
        case "text":
            return str(block.get("text") or "").encode(errors="replace")
        case "tool_use":
            given: Any = block.get("input")
            return msgspec.json.encode(given) if given else b""
        case _:
            return b""
