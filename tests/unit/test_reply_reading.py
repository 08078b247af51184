"""Whatever a server sends becomes a reply that can be stored and sent back, or a fault; never anything else."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agenthub_worker.domain.model import ModelFault, ModelReply, with_own_ids
from agenthub_worker.llm.clean_json import clean_text, one_line
from agenthub_worker.llm.faults import answer_fault
from agenthub_worker.llm.reply import ReplyReader, offered
from agenthub_worker.llm.retry_after import MAX_RETRY_AFTER_S, retry_after_seconds

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["{", '{"a": 1}', '"[1]"', "\ud83d", "\0"]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "tool_use", "thinking", "odd"]) | ANY_JSON},
    optional={name: ANY_JSON for name in ("text", "id", "name", "input", "thinking", "signature", "citations")},
)
DELTA = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["text_delta", "input_json_delta", "thinking_delta", "signature_delta", "citations_delta"]
        )
        | ANY_JSON
    },
    optional={
        **{name: ANY_TEXT | ANY_JSON for name in ("text", "partial_json", "thinking", "signature", "citation")},
        "stop_reason": st.sampled_from(["tool_use", "end_turn", "max_tokens", "stop"]) | ANY_JSON,
    },
)
MESSAGE = st.fixed_dictionaries(
    {}, optional={"content": st.lists(BLOCK, max_size=2) | ANY_JSON, "usage": ANY_JSON, "model": ANY_JSON}
)
EVENT = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop"]
        )
        | ANY_JSON
    },
    optional={
        "index": st.integers(0, 2) | ANY_JSON,
        "message": MESSAGE | ANY_JSON,
        "content_block": BLOCK | ANY_JSON,
        "delta": DELTA | ANY_JSON,
        "usage": st.dictionaries(st.sampled_from(["input_tokens", "output_tokens"]), ANY_JSON) | ANY_JSON,
    },
)


@settings(max_examples=400)
@given(st.lists(EVENT, max_size=8))
def test_any_events_become_a_reply_that_can_be_stored_or_a_fault(told: list[dict[str, Any]]) -> None:
    reader = ReplyReader("the server", "m", ("bash",))
    try:
        for event in (*told, {"type": "message_stop"}):
            clean_text(reader.take(event)).encode()
        reply = reader.reply()
    except ModelFault as fault:
        fault.message.encode()
        return
    assert msgspec.json.decode(msgspec.json.encode(reply), type=ModelReply).stop_reason == reply.stop_reason
    content = with_own_ids(reply.content, (), "1_1")
    calls = [block for block in content if block.get("type") == "tool_use"]
    assert all(isinstance(call["input"], dict) and isinstance(call["name"], str) for call in calls)
    assert len({call["id"] for call in calls}) == len(calls)


@given(st.integers(100, 599), ANY_JSON, st.dictionaries(st.just("retry-after"), ANY_TEXT))
def test_any_error_answer_becomes_a_fault_of_one_line(status: int, body: Any, headers: dict[str, str]) -> None:
    fault = answer_fault(status, headers, body, "the server", "m")
    assert one_line(fault.message) == fault.message
    assert len(fault.message) < 1_000


@given(ANY_TEXT)
def test_any_wish_for_a_wait_is_bounded(text: str) -> None:
    wait = retry_after_seconds({"retry-after": text})
    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER_S


@given(ANY_TEXT)
def test_a_name_means_a_tool_on_offer_or_stays_as_it_is(name: str) -> None:
    assert offered(name, ("bash", "glob")) in {name, "bash", "glob"}
