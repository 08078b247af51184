"""What servers do that speak the Messages API, or say so: each over real HTTP through the real client."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agenthub_worker.domain.model import ModelFault, ModelReply, ModelRequest
from agenthub_worker.llm.client import MessagesClient
from agenthub_worker.llm.providers import ProviderSettings, choose_provider
from tests.support.odd_model import (
    Habit,
    OddModel,
    answer,
    as_json,
    error,
    events,
    framed,
    hangs,
    slowly,
    stream,
    text,
    use,
    without,
)

TOOLS = [{"name": name, "description": "", "input_schema": {"type": "object"}} for name in ("bash", "git_diff")]
LS = use("bash", {"command": "ls"})
HTML = b"<!doctype html><html><body>It works!</body></html>"
CHUNK = {"id": "c", "object": "chat.completion.chunk", "choices": [{"delta": {"content": "hi"}}]}


@asynccontextmanager
async def asking(*habits: Habit, idle_timeout_s: float = 60.0) -> AsyncIterator[tuple[OddModel, MessagesClient]]:
    """A server with these habits, and a client for it."""
    async with OddModel(*habits) as model:
        provider = choose_provider(ProviderSettings(provider="anthropic", api_key="k", base_url=model.url))
        client = MessagesClient(provider, idle_timeout_s=idle_timeout_s)
        try:
            yield model, client
        finally:
            await client.aclose()


async def reply_to(*habits: Habit, idle_timeout_s: float = 60.0) -> ModelReply:
    """What the client makes of an answer."""
    async with asking(*habits, idle_timeout_s=idle_timeout_s) as (_, client):
        return await client.complete(a_request(), on_activity=ignore)


async def fault_of(*habits: Habit, idle_timeout_s: float = 60.0) -> tuple[ModelFault, int]:
    """The fault that the client makes of an answer, and how often it called."""
    async with asking(*habits, idle_timeout_s=idle_timeout_s) as (model, client):
        with pytest.raises(ModelFault) as raised:
            await client.complete(a_request(), on_activity=ignore)
        return raised.value, len(model.requests)


def a_request() -> ModelRequest:
    return ModelRequest(model="m", system="s", messages=[{"role": "user", "content": "go"}], tools=TOOLS)


def ignore(words: str) -> None:
    words.encode()


CALLED = events(LS)
FRAMES = {
    "missing message_stop": framed(without(CALLED, "message_stop")),
    "missing content_block_stop": framed(without(CALLED, "content_block_stop")),
    "missing message_start": framed(without(CALLED, "message_start")),
    "missing event names": framed(CALLED, named=False),
    "CRLF line ends": framed(CALLED, end="\r\n"),
    "CR line ends": framed(CALLED, end="\r"),
    "a byte order mark": b"\xef\xbb\xbf" + framed(CALLED),
    "comments and pings between": b": keep\n\n" + framed([{"type": "ping"}, *CALLED]) + b"data: [DONE]\n\n",
    "events of unknown kinds": framed([*CALLED[:1], {"type": "weather", "is": "fine"}, *CALLED[1:]]),
    "a start that comes twice": framed([*CALLED[:3], *CALLED]),
    "more behind the end": framed(CALLED) + b"data: {oops\n\n",
    "no index": framed([{k: v for k, v in event.items() if k != "index"} for event in CALLED]),
    "stop_reason null": framed(events(LS, stop=None)),
    "an empty line before it": b"\n\n" + framed(CALLED),
}


@pytest.mark.parametrize("habit", FRAMES)
async def test_a_reply_is_read_in_any_frame(habit: str) -> None:
    reply = await reply_to(answer(FRAMES[habit]))
    assert [(block["name"], block["input"]) for block in reply.tool_calls] == [("bash", {"command": "ls"})]


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "application/json", ""])
async def test_a_stream_is_read_under_any_content_type(kind: str) -> None:
    assert (await reply_to(answer(framed(CALLED), kind=kind))).stop_reason == "tool_use"


async def test_an_answer_that_was_not_streamed_is_a_reply() -> None:
    whole = {"id": "m1", "type": "message", "role": "assistant", "content": [text("hm"), LS], "stop_reason": None}
    reply = await reply_to(as_json(whole))
    assert reply.text == "hm"
    assert reply.tool_calls == (LS,)
    assert reply.usage is None
    plain = await reply_to(as_json({**whole, "content": ["said", LS]}))
    assert (plain.text, plain.tool_calls) == ("said", (LS,))


async def test_a_packed_answer_is_unpacked() -> None:
    packed = answer(gzip.compress(framed(CALLED)), headers={"content-encoding": "gzip"})
    assert (await reply_to(packed)).tool_calls


@pytest.mark.parametrize("stop", ["tool_use", "end_turn", "stop_sequence", None, "", "tool_calls", "stop"])
async def test_whole_calls_are_meant_to_be_run_whatever_the_ending_is_called(stop: str | None) -> None:
    reply = await reply_to(stream(LS, stop=stop))
    assert (reply.stop_reason, len(reply.tool_calls)) == ("tool_use", 1)


@pytest.mark.parametrize(
    ("stop", "read"),
    [
        ("max_tokens", "max_tokens"),
        ("length", "max_tokens"),
        ("refusal", "refusal"),
        ("solar_flare", "solar_flare"),
    ],
)
async def test_calls_of_a_reply_that_was_cut_off_are_not_run(stop: str, read: str) -> None:
    reply = await reply_to(stream(LS, stop=stop))
    assert (reply.stop_reason, reply.tool_calls) == (read, ())


async def test_half_a_call_at_the_limit_of_tokens_is_kept_and_not_run() -> None:
    reply = await reply_to(stream(use("bash", '{"command": "rm -r /wor'), stop="max_tokens"))
    assert (reply.content[0]["input"], reply.tool_calls) == ({}, ())


ARGUMENTS: dict[str, tuple[Any, Any]] = {
    "JSON text": (json.dumps(json.dumps({"command": "ls"})), {"command": "ls"}),
    "JSON text of JSON text": (json.dumps(json.dumps(json.dumps({"command": "ls"}))), {"command": "ls"}),
    "empty": ("", {}),
    "blank": ("  ", {}),
    "null": ("null", {}),
    "a list": ("[1]", {"input": [1]}),
    "a number": ("7", {"input": 7}),
    "lonely halves of a character": (r'{"command": "a\ud83d b"}', {"command": "a\ufffd b"}),
    "NUL": (r'{"command": "a\u0000b"}', {"command": "a\x00b"}),
}


@pytest.mark.parametrize("habit", ARGUMENTS)
async def test_arguments_become_an_object(habit: str) -> None:
    given, read = ARGUMENTS[habit]
    assert [call["input"] for call in (await reply_to(stream(use("bash", given)))).tool_calls] == [read]


async def test_arguments_may_stand_in_the_start_of_a_block() -> None:
    for given in ({"command": "ls"}, '{"command": "ls"}'):
        told = [event for event in CALLED if event["type"] != "content_block_delta"]
        told[1] = {**told[1], "content_block": {**LS, "input": given}}
        assert (await reply_to(answer(framed(told)))).tool_calls == (LS,)


@pytest.mark.parametrize("given", ['{"command": "ls', "{'command': 'ls'}", "ls -l", '{"n": NaN}', '{"n": 1e999}'])
async def test_a_call_whose_arguments_are_no_json_is_not_run(given: str) -> None:
    fault, _ = await fault_of(stream(use("bash", given)))
    assert fault.kind == "invalid"


@pytest.mark.parametrize("name", ["Bash", "BASH", "functions.bash", "default_api:bash", "mcp__hub__bash", " bash"])
async def test_a_tool_is_found_in_another_case_or_behind_a_prefix(name: str) -> None:
    assert (await reply_to(stream(use(name, {})))).tool_calls[0]["name"] == "bash"


@pytest.mark.parametrize("name", ["launch_rocket", "functions.rocket", "bashful", "", "git"])
async def test_a_tool_that_is_not_on_offer_keeps_its_name(name: str) -> None:
    assert (await reply_to(stream(use(name, {})))).tool_calls[0]["name"] == name


@pytest.mark.parametrize(
    "usage",
    [None, {}, "many", [1], {"input_tokens": -5, "output_tokens": 1}, {"input_tokens": 10**30, "output_tokens": 1},
     {"input_tokens": "lots", "output_tokens": 1}, {"input_tokens": 4}, {"input_tokens": 0, "output_tokens": 0},
     {"input_tokens": 0, "output_tokens": 9},
     {"input_tokens": True, "output_tokens": 3}, {"input_tokens": 1e999, "output_tokens": 3}],
)  # fmt: skip
async def test_counts_that_cannot_be_true_are_unknown(usage: Any) -> None:
    whole = {"type": "message", "content": [LS], "stop_reason": "tool_use", "usage": usage}
    body = json.dumps(whole).replace("Infinity", "1e999")
    assert (await reply_to(answer(body.encode(), kind="application/json"))).usage is None


async def test_counts_written_as_text_are_read() -> None:
    usage = (await reply_to(stream(LS, usage={"input_tokens": "11", "output_tokens": 7.0}))).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (11, 7)


async def test_a_character_that_comes_in_two_halves_is_joined() -> None:
    told = events(text("x"))
    halves = [{**told[2], "delta": {"type": "text_delta", "text": half}} for half in ("\ud83d", "\ude00")]
    reply = await reply_to(answer(framed([*told[:2], *halves, *told[3:]])))
    assert reply.text == "\U0001f600"


@pytest.mark.parametrize("id_", ["", None, 7.5, "call.1", "a b", "\x00", "x" * 300, ["a"]])
async def test_an_id_that_is_none_is_left_to_the_run(id_: Any) -> None:
    call = use("bash", {}, id_=id_)
    assert (await reply_to(stream(call))).tool_calls[0]["id"] == ""
    del call["id"]
    assert (await reply_to(stream(call))).tool_calls[0]["id"] == ""


async def test_names_from_the_server_hold_nothing_that_a_database_or_a_terminal_minds() -> None:
    reply = await reply_to(stream(LS, stop="fl\x00are\x1b[2J", model="m\x00\n" + "x" * 999))
    assert (reply.stop_reason, len(reply.model)) == ("fl are [2J", 200)
    assert reply.model.isprintable()


async def test_blocks_that_all_begin_under_one_index_stay_apart() -> None:
    told = [{**event, "index": 0} if "index" in event else event for event in events(text("a"), LS, text("b"), LS)]
    reply = await reply_to(answer(framed(told)))
    assert [block["type"] for block in reply.content] == ["text", "tool_use", "text", "tool_use"]
    assert [call["input"] for call in reply.tool_calls] == [{"command": "ls"}] * 2


@pytest.mark.parametrize("left_out", [(), ("message_stop",)])
async def test_a_connection_that_stays_open_behind_a_whole_reply_does_not_hang_it(
    left_out: tuple[str, ...],
) -> None:
    async def stays(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(framed(without(CALLED, *left_out))))
        await hangs(writer)

    assert (await reply_to(stays, idle_timeout_s=2.0)).stop_reason == "tool_use"


async def test_a_connection_that_breaks_behind_a_whole_reply_does_not_break_it() -> None:
    whole = answer(framed(without(CALLED, "message_stop")), headers={"content-length": "99999"})
    assert (await reply_to(whole)).stop_reason == "tool_use"


async def test_blocks_of_unknown_kinds_come_through() -> None:
    odd = {"type": "reasoning_trace", "steps": [1, {"a": None}]}
    assert (await reply_to(stream(odd, LS))).content == [odd, LS]


async def test_a_reply_in_one_enormous_line_is_read() -> None:
    reply = await reply_to(stream(text("x" * 3_000_000), stop="end_turn"))
    assert len(reply.text) == 3_000_000


FAULTS: dict[str, tuple[Habit, str, str]] = {
    "a web page": (answer(HTML, kind="text/html"), "config", "does not speak the Messages API"),
    "a web page as a stream": (answer(HTML), "config", "does not speak the Messages API"),
    "words": (answer(b"Ollama is running", kind="text/plain"), "config", "does not speak the Messages API"),
    "another API": (as_json({"object": "chat.completion", "choices": []}), "config", "Messages API"),
    "another API, streamed": (answer(framed([CHUNK], named=False)), "config", "Messages API"),
    "another API, by lines": (answer(b'{"done":false}\n{"done":true}\n', kind="x/y"), "config", "Messages API"),
    "a list": (as_json([1, 2]), "config", "Messages API"),
    "404 with a page": (answer(HTML, status=404, kind="text/html"), "config", "Messages API"),
    "405": (as_json({"detail": "Method Not Allowed"}, status=405), "config", "Messages API"),
    "302": (answer(b"", status=302, headers={"location": "https://login.example/"}), "config", "login.example"),
    "308": (answer(b"", status=308, headers={"location": "/v2/messages"}), "config", "/v2/messages"),
    "no such model": (error("not_found_error", "model: claude-x", 404), "config", "claude-x"),
    "no such model, 400": (as_json({"error": "model 'm' not found, pull it"}, status=400), "config", "pull it"),
    "a wrong key": (error("authentication_error", "invalid x-api-key", 401), "config", "x-api-key"),
    "a wrong key, 400": (as_json({"error": {"message": "API key not valid"}}, status=400), "config", "not valid"),
    "404 of another API": (
        as_json({"error": {"message": "Invalid URL", "type": "invalid_request_error"}}, status=404),
        "config",
        "Messages API",
    ),
    "402": (as_json({"error": "pay"}, status=402), "config", "pay"),
    "413": (answer(b"too large", status=413), "too_long", "no longer fits"),
    "too long, 400": (error("invalid_request_error", "prompt is too long: 9 > 8", 400), "too_long", "split"),
    "too long, other words": (
        as_json({"error": {"message": "This model's maximum context length is 4096 tokens"}}, status=400),
        "too_long",
        "4096",
    ),
    "too long, 500": (as_json({"error": "exceeds the available context size"}, status=500), "too_long", "split"),
    "422": (as_json({"detail": [{"msg": "field required"}]}, status=422), "rejected", "field required"),
    "424": (as_json({"message": "dependency"}, status=424), "transient", "dependency"),
    "429 with a date": (
        error("rate_limit_error", "slow", 429, retry_after="Fri, 31 Dec 2100 23:59:59 GMT"),
        "overload",
        "limit",
    ),
    "an error with 200": (as_json({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}),
                          "overload", "Busy"),
    "another API's error with 200": (as_json({"error": {"message": "loading"}}), "transient", "loading"),
    "an error event": (
        answer(framed([*CALLED[:3], {"type": "error", "error": {"type": "api_error", "message": "broken"}}])),
        "transient",
        "broken",
    ),
    "an error event of another shape": (answer(b'data: {"error": "CUDA out of memory"}\n\n'), "transient", "CUDA"),
    "an error event that is no JSON": (answer(b"event: error\ndata: kaput\n\n"), "transient", "kaput"),
    "an empty answer": (answer(b""), "transient", "before it was complete"),
    "only pings": (answer(framed([{"type": "ping"}])), "transient", "before it was complete"),
    "an early end": (answer(framed(CALLED[:3])), "transient", "before it was complete"),
    "packed rubbish": (answer(b"not gzip", headers={"content-encoding": "gzip"}), "garbled", "decoded"),
    "bytes that are no UTF-8": (answer(b'data: {"type": "\xff\xfe"}\n\n'), "garbled", "decoded"),
    "events that are no JSON": (answer(b"event: message_start\ndata: {oops\n\n"), "garbled", "not JSON"),
    "events that are no objects": (answer(b"data: 7\n\n"), "garbled", "no object"),
    "JSON that breaks off": (answer(b'{"type": "message", "cont', kind="application/json"), "garbled", "cannot"),
    "a bottomless nest": (stream(use("bash", '{"a":' * 5_000 + "1" + "}" * 5_000)), "invalid", "deep"),
    "a nest that is too deep": (stream(use("bash", '{"a":' * 200 + "1" + "}" * 200)), "invalid", "deep"),
    "too large a number": (stream(use("bash", '{"n": ' + "9" * 30 + "}")), "invalid", "too large"),
    "a reply without end": (stream(text("x" * 5_000_000)), "invalid", "4 MB"),
    "an answer without end": (answer(b"data: " + b"x" * (17 << 20)), "garbled", "16 MB"),
}  # fmt: skip


@pytest.mark.parametrize("habit", FAULTS)
async def test_what_is_no_reply_is_a_fault_with_its_own_words(habit: str) -> None:
    given, kind, words = FAULTS[habit]
    fault, _ = await fault_of(given)
    assert (fault.kind, words in fault.message) == (kind, True), fault.message
    assert "\n" not in fault.message


@pytest.mark.parametrize("habit", ["a web page", "302", "404 with a page", "a wrong key", "too long, 400", "422"])
async def test_what_no_retry_mends_is_asked_once(habit: str) -> None:
    assert (await fault_of(FAULTS[habit][0]))[1] == 1


@pytest.mark.parametrize(
    ("asked", "wait"),
    [("120", 120.0), ("Fri, 31 Dec 2100 23:59:59 GMT", 3600.0), ("99999999999", 3600.0), ("inf", 3600.0),
     ("-3", 0.0), ("nan", None), ("soon", None), ("Fri, 99 Foo 99999", None), ("", None)],
)  # fmt: skip
async def test_any_wish_for_a_wait_is_bounded(asked: str, wait: float | None) -> None:
    fault, _ = await fault_of(error("rate_limit_error", "slow down", 429, retry_after=asked))
    assert (fault.kind, fault.retry_after_s) == ("overload", wait)


async def test_a_slow_server_is_not_a_hung_one() -> None:
    async def pause() -> None:
        await asyncio.sleep(0.3)

    whole = answer(framed([CALLED[0], *([{"type": "ping"}] * 5), *CALLED[1:]]))
    reply = await reply_to(slowly(whole, 12, pause), idle_timeout_s=2.0)
    assert reply.stop_reason == "tool_use"


async def test_time_in_which_the_whole_machine_stood_still_is_no_silence_of_the_server() -> None:
    async def stands_still() -> None:
        time.sleep(1.0)  # noqa: ASYNC251  the client's loop is this one

    whole = answer(framed(CALLED))
    reply = await reply_to(slowly(whole, 6, stands_still), idle_timeout_s=0.5)
    assert reply.stop_reason == "tool_use"


async def test_a_server_that_says_nothing_is_hung() -> None:
    fault, calls = await fault_of(hangs, idle_timeout_s=0.3)
    assert (fault.kind, calls, fault.may_be_billed) == ("hung", 1, True)
    assert "sent nothing for 0.3 s" in fault.message


@pytest.mark.parametrize("sign", [b": alive\n\n", framed([{"type": "ping"}]), b"\n", b"d"])
async def test_signs_of_life_alone_are_believed_for_a_while_only(sign: bytes) -> None:
    async def only_alive(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b""))
        while True:
            writer.write(sign)
            await writer.drain()
            await asyncio.sleep(0.05)

    clock = asyncio.get_running_loop().time
    began = clock()
    fault, calls = await fault_of(only_alive, idle_timeout_s=1.0)
    assert (fault.kind, calls, fault.may_be_billed) == ("hung", 1, True)
    assert "sent no piece of a reply for 5 s, though it was sending something" in fault.message
    assert clock() - began > 3.0


async def test_a_connection_that_is_reset_in_the_middle_is_tried_again() -> None:
    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(framed(CALLED[:2]), headers={"content-length": "99999"}))
        await writer.drain()
        writer.transport.abort()

    fault, _ = await fault_of(reset)
    assert (fault.kind, fault.may_be_billed) == ("transient", True)


@pytest.mark.parametrize("ending", ["closed", "reset", "half a head", "no HTTP"])
async def test_a_call_that_was_sent_and_not_answered_is_not_sent_again_unseen(ending: str) -> None:
    """Its model may have been at work: whoever asks once more has to record it first."""

    async def leave(writer: asyncio.StreamWriter) -> None:
        if ending in ("half a head", "no HTTP"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-" if ending == "half a head" else b"what?\r\n\r\n")
            await writer.drain()
        if ending == "reset":
            writer.transport.abort()
        else:
            writer.close()

    fault, calls = await fault_of(leave, leave, leave)
    assert (fault.kind, fault.may_be_billed, calls) == ("transient", True, 1)


async def test_a_server_without_tls_is_unreachable_by_https() -> None:
    async def in_the_clear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer(HTML))
        writer.close()

    async with await asyncio.start_server(in_the_clear, "127.0.0.1", 0) as server:
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = MessagesClient(
            choose_provider(ProviderSettings(provider="anthropic", api_key="k", base_url=address))
        )
        with pytest.raises(ModelFault) as raised:
            await client.complete(a_request(), on_activity=ignore)
        await client.aclose()
    assert (raised.value.kind, raised.value.may_be_billed) == ("unreachable", False)
    assert address in raised.value.message


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://no-such-host.invalid", "http://[::1]:1/api"])
async def test_nobody_listening_is_unreachable_and_the_address_is_named(address: str) -> None:
    client = MessagesClient(choose_provider(ProviderSettings(provider="anthropic", api_key="k", base_url=address)))
    with pytest.raises(ModelFault) as raised:
        await client.complete(a_request(), on_activity=ignore)
    await client.aclose()
    assert raised.value.kind == "unreachable"
    assert "unreachable" in raised.value.message
    assert address in raised.value.message


async def test_a_credential_in_the_address_is_not_told() -> None:
    address = "http://user:hunter2@127.0.0.1:1"
    client = MessagesClient(choose_provider(ProviderSettings(provider="anthropic", api_key="k", base_url=address)))
    with pytest.raises(ModelFault) as raised:
        await client.complete(a_request(), on_activity=ignore)
    await client.aclose()
    assert "hunter2" not in raised.value.message


@pytest.mark.parametrize("status", [408, 499, 502, 504, 520, 524, 598])
async def test_an_error_of_who_stands_before_the_model_may_be_billed_and_is_not_sent_again_unseen(
    status: int,
) -> None:
    """A proxy says it when it gave up waiting, or lost the model in the middle: the work may have been done."""
    lost = as_json({"error": {"message": "upstream"}}, status=status, x_should_retry="true")
    fault, calls = await fault_of(lost, lost, stream(LS))
    assert (fault.kind, fault.may_be_billed, calls) == ("transient", True, 1)


@pytest.mark.parametrize("status", [409, 429, 500, 503, 521, 529])
async def test_a_timeout_that_the_provider_names_may_be_billed_under_any_status_and_is_not_sent_again_unseen(
    status: int,
) -> None:
    slow = error("timeout_error", "too slow", status, retry_after_ms="1")
    fault, calls = await fault_of(slow, stream(LS))
    assert (fault.kind, fault.may_be_billed, calls) == ("transient", True, 1)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"timeout_error"', b'{"error": null}', HTML, b"\xff\xfe"])
async def test_an_error_whose_body_says_nothing_counts_by_its_status(body: bytes) -> None:
    odd = answer(body, status=500, headers={"retry-after-ms": "1"})
    fault, calls = await fault_of(odd)
    assert (fault.kind, fault.may_be_billed, calls) == ("transient", False, 2)


async def test_an_error_whose_body_breaks_off_is_not_sent_again_unseen() -> None:
    """What it was about to say is not known."""
    cut = answer(b'{"type":"error","er', status=500, headers={"content-length": "99999"})
    fault, calls = await fault_of(cut, stream(LS))
    assert (fault.kind, fault.may_be_billed, calls) == ("transient", True, 1)


@pytest.mark.parametrize(
    ("status", "kind"), [(500, "transient"), (503, "overload"), (529, "overload"), (521, "transient")]
)
async def test_an_error_of_a_server_that_has_turned_the_call_down_costs_nothing(status: int, kind: str) -> None:
    """The client may try once more by itself."""
    down = as_json({"error": {"message": "no"}}, status=status, retry_after_ms="1")
    fault, calls = await fault_of(down)
    assert (fault.kind, fault.may_be_billed, calls) == (kind, False, 2)


LONG = text("A plain sentence of some words, as models say them. " * 40)
COUNTED = {"input_tokens": 90, "output_tokens": 400}
INCREDIBLE: dict[str, list[dict[str, Any]]] = {
    "nothing said": events(LONG, usage={**COUNTED, "output_tokens": 0}),
    "the first count alone": without(events(LONG, usage={**COUNTED, "output_tokens": 1}), "message_delta"),
    "pieces and no sum": events(use("bash", {"command": "id; " * 99}), usage={**COUNTED, "output_tokens": 3}),
    "what was cached left out": events(LONG, usage={**COUNTED, "input_tokens": 3}),
    "a counter of the whole day": events(LONG, usage={**COUNTED, "input_tokens": 900_000_000}),
    "more than may be said": events(LONG, usage={**COUNTED, "output_tokens": 900_000_000}),
    "all of it cached before": events(LONG, usage={**COUNTED, "cache_read_input_tokens": 900_000_000}),
}  # fmt: skip


@pytest.mark.parametrize("habit", INCREDIBLE)
async def test_counts_that_do_not_fit_what_was_sent_and_said_are_unknown(habit: str) -> None:
    assert (await reply_to(answer(framed(INCREDIBLE[habit])))).usage is None


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        (LONG, COUNTED),
        (text("ok"), {"input_tokens": 60, "output_tokens": 1}),
        (text("-" * 4_000 + "\n" * 500), {"input_tokens": 60, "output_tokens": 40}),
        ({"type": "thinking", "thinking": "hm" * 900, "signature": "s"}, {"input_tokens": 60, "output_tokens": 2}),
        (text("yes"), {"input_tokens": 60, "output_tokens": 8_000}),
        (LONG, {**COUNTED, "input_tokens": 4, "cache_creation_input_tokens": 80}),
    ],
)  # fmt: skip
async def test_counts_that_fit_are_believed(said: dict[str, Any], usage: dict[str, int]) -> None:
    told = (await reply_to(stream(said, stop="end_turn", usage=usage))).usage
    assert told is not None
    assert told.output_tokens == usage["output_tokens"]
