"""How many tokens a prompt can have at most, whatever it is made of."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest

from agenthub_worker.llm import counts
from agenthub_worker.llm.counts import most_tokens

BYTES = random.Random(7).randbytes(60_000)
CODE = Path(counts.__file__).read_text()

# For each the tokens that a byte has been seen to make, and no fewer than that may be reserved.
DENSE = {
    "base64": (base64.b64encode(BYTES).decode(), 0.75),
    "base64 in lines": (base64.encodebytes(BYTES).decode(), 0.75),
    "base64 in short lines": ("\n".join(base64.b64encode(BYTES[n : n + 15]).decode() for n in range(3000)), 0.65),
    "base64 for addresses": (base64.urlsafe_b64encode(BYTES).decode(), 0.75),
    "base32 in small letters": (base64.b32encode(BYTES).decode().lower(), 0.75),
    "hexadecimal": (BYTES.hex(), 0.7),
    "identifiers of commits": ("\n".join(BYTES[n : n + 20].hex() for n in range(3000)), 0.7),
    "a table of numbers": ("3.14159,2.71828;1.41421\n" * 3000, 0.9),
    "Chinese": ("永遠の命令系統を調べる。" * 3000, 0.9),
    "emoji": ("😀🧑‍🚀🏳️‍🌈" * 3000, 0.9),
    "Cyrillic": ("Привет, как дела? " * 3000, 0.7),
    "letters without words": ("acgttgca" * 3000, 0.9),
    "signs": ("{}[]();,.!?<>|&" * 3000, 0.9),
}


@pytest.mark.parametrize("name", DENSE)
def test_dense_text_has_room_for_a_token_of_nearly_each_byte(name: str) -> None:
    text, tokens_a_byte = DENSE[name]
    data = text.encode()
    assert most_tokens(data) >= tokens_a_byte * len(data)


@pytest.mark.parametrize("name", DENSE)
def test_no_text_has_more_tokens_than_bytes(name: str) -> None:
    data = json.dumps(DENSE[name][0], ensure_ascii=False).encode()
    assert len(data) / 3 <= most_tokens(data) <= len(data)


@pytest.mark.parametrize(
    "text",
    [
        "The worker keeps what it was told, and goes on where another one was killed in the middle of it. " * 300,
        CODE * 5,
        "services/worker/agenthub_worker/lease/claiming: who_takes_an_attempt_that_another_one_held\n" * 300,
    ],
)
def test_words_and_code_are_not_made_dear(text: str) -> None:
    data = json.dumps(text).encode()
    assert most_tokens(data) <= 1.5 * len(data) / 3


def test_a_piece_of_dense_text_counts_among_words() -> None:
    words, key = b"plain words of a language " * 100, base64.b64encode(BYTES[:3000])
    assert most_tokens(words + key) >= len(words) / 4.9 + len(key)
