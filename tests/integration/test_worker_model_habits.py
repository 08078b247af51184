"""What becomes of a task on a model server with habits: every one has its outcome, and none looks like a crash."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskCompleted, TaskFailed, TaskParked, TaskStarted
from agenthub_events.runs import ToolIntent, ToolReceipt, TurnIntent
from agenthub_runtime.embedded.servers.nats import NatsServer
from tests.support.odd_model import (
    REPORT,
    USAGE,
    WRITE,
    Habit,
    OddModel,
    answer,
    as_json,
    error,
    events,
    framed,
    hangs,
    reports,
    stream,
    text,
    use,
    without,
)
from tests.support.servers import running_nats
from tests.support.workbench import Desk, running_worker

EDIT = "str_replace_based_edit_tool"
LOST = answer(b"<html>hello</html>", kind="text/html")


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for the module: every test has a goal of its own and leaves no order behind."""
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


async def ended_on(
    bus: Client, folder: Path, *habits: Habit, idle_timeout_s: float = 60.0, **how: Any
) -> tuple[Event, Desk, OddModel]:
    """How a task ends on a server with these habits."""
    desk = Desk(bus)
    await desk.accept(**how.pop("goal", {}))
    context = how.pop("context", None)
    async with (
        OddModel(*habits) as model,
        running_worker(bus, model, folder, idle_timeout_s=idle_timeout_s, **how),
    ):
        await desk.order(context=context)
        ended = await desk.ended()
    return ended, desk, model


async def tools_run(desk: Desk) -> list[tuple[int, str]]:
    return [(r.step.turn, r.step.name) for r in await desk.steps() if isinstance(r.step, ToolIntent)]


def sent_back(model: OddModel) -> list[dict[str, Any]]:
    """The blocks of the assistant in the last call."""
    said = [message for message in model.bodies[-1]["messages"] if message["role"] == "assistant"]
    return [block for message in said for block in message["content"]]


def well_paired(model: OddModel) -> bool:
    """Whether every call has one result, in the message behind it, and no id is used twice."""
    messages = model.bodies[-1]["messages"]
    ids: list[str] = []
    for said, heard in itertools.pairwise(messages):
        called = [block["id"] for block in said["content"] if block["type"] == "tool_use"]
        results = [block["tool_use_id"] for block in heard["content"] if block["type"] == "tool_result"]
        if called != results:
            return False
        ids += called
    return len(ids) == len(set(ids))


async def test_empty_blocks_of_text_are_never_sent_back(bus: Client, tmp_path: Path) -> None:
    first = stream(text(""), use(EDIT, WRITE, id_="w"), text(" \n"))
    ended, _, model = await ended_on(bus, tmp_path, first, stream(text(""), stop="end_turn"), reports())
    assert isinstance(ended, TaskCompleted), ended
    assert [block["type"] for block in sent_back(model)] == ["tool_use"]
    assert well_paired(model)


@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence", None])
async def test_whole_calls_are_run_whatever_the_ending(bus: Client, tmp_path: Path, stop: str | None) -> None:
    ended, desk, _ = await ended_on(bus, tmp_path, stream(use(EDIT, WRITE, id_="w"), stop=stop), reports())
    assert isinstance(ended, TaskCompleted), ended
    assert (1, EDIT) in await tools_run(desk)
    assert [change.path for change in ended.result.files] == ["a.txt"]


async def test_calls_of_a_reply_at_its_limit_are_not_run(bus: Client, tmp_path: Path) -> None:
    cut = stream(use(EDIT, WRITE, id_="w"), stop="max_tokens")
    ended, desk, model = await ended_on(bus, tmp_path, cut, reports())
    assert isinstance(ended, TaskCompleted), ended
    assert await tools_run(desk) == []
    assert ended.result.files == ()
    assert well_paired(model)


@pytest.mark.parametrize("ids", [("same", "same"), ("", ""), ("same", "")])
async def test_ids_that_are_used_again_become_our_own(bus: Client, tmp_path: Path, ids: tuple[str, str]) -> None:
    """In one turn, and in the turns after it."""
    two = stream(*(use(EDIT, {**WRITE, "path": f"{n}.txt"}, id_=id_) for n, id_ in enumerate(ids)))
    three = stream(use(EDIT, {**WRITE, "path": "3.txt"}, id_=ids[0]))
    ended, _, model = await ended_on(bus, tmp_path, two, three, reports(ids[0]))
    assert isinstance(ended, TaskCompleted), ended
    assert sorted(change.path for change in ended.result.files) == ["0.txt", "1.txt", "3.txt"]
    assert well_paired(model)


async def test_several_calls_of_a_turn_run_in_their_order(bus: Client, tmp_path: Path) -> None:
    calls = [use(EDIT, {**WRITE, "path": f"{n}.txt"}, id_=f"c{n}") for n in range(3)]
    ended, desk, model = await ended_on(bus, tmp_path, stream(*calls), reports())
    assert isinstance(ended, TaskCompleted), ended
    receipts = [r.step.tool_use_id for r in await desk.steps() if isinstance(r.step, ToolReceipt)]
    assert receipts[:3] == ["c0", "c1", "c2"]
    assert well_paired(model)


@pytest.mark.parametrize("usage", [None, "many", {"input_tokens": -1, "output_tokens": -1}])
async def test_a_reply_without_counts_is_of_unknown_cost_and_bounded_by_calls(
    bus: Client, tmp_path: Path, usage: Any
) -> None:
    looks = [stream(use("glob", {"pattern": f"*.{n}"}, id_=f"g{n}"), usage=usage) for n in range(9)]
    ended, desk, model = await ended_on(
        bus, tmp_path, *looks, priced_as="claude-sonnet-5-5", goal={"max_llm_calls": 3}
    )
    assert isinstance(ended, TaskParked), ended
    assert ended.reason == "budget"
    assert len(model.requests) == 3
    assert [called.cost_usd for called in await desk.of(LlmCalled)] == [None] * 3
    assert ended.usage.cost_usd is None


async def test_a_reply_without_counts_takes_its_worst_price_of_a_limit_of_money(
    bus: Client, tmp_path: Path
) -> None:
    looks = [stream(use("glob", {"pattern": f"*.{n}"}, id_=f"g{n}"), usage=None) for n in range(9)]
    ended, _, model = await ended_on(
        bus, tmp_path, *looks, priced_as="claude-sonnet-5-5", goal={"max_cost_usd": 0.6}
    )
    assert isinstance(ended, TaskParked), ended
    assert ended.reason == "budget"
    assert 1 < len(model.requests) < 9


@pytest.mark.parametrize("dense", [base64.b64encode(os.urandom(192_000)).decode(), "😀🏳️‍🌈" * 15_000])
async def test_a_dense_prompt_is_not_sent_where_its_tokens_could_pass_the_limit_of_money(
    bus: Client, tmp_path: Path, dense: str
) -> None:
    """A quarter of a million bytes, at more than one token for each two of them."""
    ended, desk, model = await ended_on(
        bus,
        tmp_path,
        stream(
            use("glob", {"pattern": "*"}), usage={"input_tokens": len(dense.encode()) // 2, "output_tokens": 9}
        ),
        priced_as="claude-sonnet-5-5",
        goal={"max_cost_usd": 0.5},
        context={"goal": dense},
    )
    assert isinstance(ended, TaskParked), ended
    assert ended.reason == "budget"
    assert sum(called.cost_usd or 0.0 for called in await desk.of(LlmCalled)) <= 0.5
    assert model.requests == []


async def test_calls_that_a_proxy_gave_up_waiting_for_are_counted_before_they_are_made_again(
    bus: Client, tmp_path: Path
) -> None:
    """What the server has seen is what the log knows, and no more than the goal may call."""
    lost = as_json({"error": {"message": "upstream timed out"}}, status=504)
    ended, desk, model = await ended_on(
        bus, tmp_path, lost, priced_as="claude-sonnet-5-5", goal={"max_llm_calls": 3}
    )
    assert isinstance(ended, TaskParked), ended
    assert ended.reason == "budget"
    assert "3 calls of this attempt brought no answer" in ended.detail
    assert len(model.requests) == 3
    assert len([r for r in await desk.steps() if isinstance(r.step, TurnIntent)]) == 3


@pytest.mark.parametrize("name", ["arguments", "a list in a field", "a number in a field"])
async def test_arguments_written_as_text_are_understood(bus: Client, tmp_path: Path, name: str) -> None:
    finding = {"file": "a.py", "line": "3", "severity": "low", "message": "hm"}
    given: dict[str, Any] = {
        "arguments": json.dumps(json.dumps(REPORT)),
        "a list in a field": {**REPORT, "findings": json.dumps([finding]), "insights": '["one"]'},
        "a number in a field": {**REPORT, "findings": [finding], "insights": ["one"]},
    }
    ended, _, model = await ended_on(bus, tmp_path, stream(use("report_result", given[name])))
    assert isinstance(ended, TaskCompleted), ended
    assert len(model.requests) == 1
    if name != "arguments":
        assert [(found.message, found.line) for found in ended.result.findings] == [("hm", 3)]
        assert ended.result.insights == ("one",)


async def test_a_text_that_looks_like_json_stays_a_text(bus: Client, tmp_path: Path) -> None:
    given = {**WRITE, "path": "a.json", "file_text": '{"a": 1}'}
    ended, desk, _ = await ended_on(bus, tmp_path, stream(use(EDIT, given)), reports())
    assert isinstance(ended, TaskCompleted), ended
    (begun,) = [r.step for r in await desk.steps() if isinstance(r.step, ToolIntent)]
    assert begun.input["file_text"] == '{"a": 1}'


async def test_input_that_is_no_object_is_told_to_the_model(bus: Client, tmp_path: Path) -> None:
    ended, desk, model = await ended_on(bus, tmp_path, stream(use("bash", "[1, 2]", id_="b")), reports())
    assert isinstance(ended, TaskCompleted), ended
    receipts = [r.step for r in await desk.steps() if isinstance(r.step, ToolReceipt)]
    assert receipts[0].is_error
    assert "`command`" in receipts[0].text
    assert well_paired(model)


async def test_what_the_server_would_not_take_back_is_recorded_and_not_sent(bus: Client, tmp_path: Path) -> None:
    odd = {"type": "reasoning_trace", "steps": [1]}
    unsigned = {"type": "thinking", "thinking": "hm"}
    signed = {"type": "thinking", "thinking": "hm", "signature": "s"}
    first = stream(odd, unsigned, signed, use(EDIT, WRITE, id_="w"))
    ended, _, model = await ended_on(bus, tmp_path, first, reports())
    assert isinstance(ended, TaskCompleted), ended
    assert sent_back(model)[0] == signed
    assert [block["type"] for block in sent_back(model)] == ["thinking", "tool_use"]


@pytest.mark.parametrize("name", ["Report_Result", "functions.report_result"])
async def test_a_tool_in_other_letters_is_the_tool(bus: Client, tmp_path: Path, name: str) -> None:
    ended, _, model = await ended_on(bus, tmp_path, stream(use(name, REPORT)))
    assert isinstance(ended, TaskCompleted), ended
    assert len(model.requests) == 1


async def test_a_paused_turn_goes_on_and_its_calls_are_not_run(bus: Client, tmp_path: Path) -> None:
    paused = stream(text("a moment"), use(EDIT, WRITE, id_="w"), stop="pause_turn")
    ended, desk, model = await ended_on(bus, tmp_path, paused, reports())
    assert isinstance(ended, TaskCompleted), ended
    assert await tools_run(desk) == []
    assert well_paired(model)


@pytest.mark.parametrize("stop", ["end_turn", "pause_turn", "tool_use"])
async def test_a_server_that_says_nothing_at_all_is_asked_twice_and_no_more(
    bus: Client, tmp_path: Path, stop: str
) -> None:
    ended, _, model = await ended_on(bus, tmp_path, stream(stop=stop))
    assert isinstance(ended, TaskFailed), ended
    assert ended.failure_class == "invalid"
    assert len(model.requests) == 2


CONFIG: dict[str, tuple[Habit, str]] = {
    "a web page": (LOST, "does not speak the Messages API"),
    "another API": (as_json({"object": "chat.completion", "choices": []}), "does not speak the Messages API"),
    "another API, streamed": (answer(b'data: {"choices": []}\n\n'), "does not speak the Messages API"),
    "no such address": (answer(b"<html>", status=404, kind="text/html"), "does not speak the Messages API"),
    "a redirect": (answer(b"", status=301, headers={"location": "https://x.example/"}), "x.example"),
    "no such model": (error("not_found_error", "model: claude-0", 404), "claude-0"),
    "no such model, 400": (as_json({"error": "model 'm' not found"}, status=400), "'m' not found"),
    "a wrong key": (error("authentication_error", "invalid x-api-key", 401), "x-api-key"),
    "a wrong key, 403": (as_json({"message": "Forbidden"}, status=403), "Forbidden"),
    "a request that it never takes": (as_json({"detail": "tools: not permitted"}, status=422), "not permitted"),
}


@pytest.mark.parametrize("habit", CONFIG)
async def test_what_the_settings_must_mend_pauses_after_one_call(bus: Client, tmp_path: Path, habit: str) -> None:
    given, words = CONFIG[habit]
    ended, _, model = await ended_on(bus, tmp_path, given)
    assert isinstance(ended, TaskParked), ended
    assert (ended.reason, ended.until) == ("config", None)
    assert words in ended.detail
    assert len(model.requests) == 1


async def test_nobody_listening_pauses_after_three_tries_and_names_the_address(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with OddModel(LOST) as gone:
        address = gone.url
    async with running_worker(bus, gone, tmp_path):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskParked), ended
    assert (ended.reason, ended.until) == ("unreachable", None)
    assert address in ended.detail
    assert sum(isinstance(r.step, TurnIntent) for r in await desk.steps()) == 3
    assert (await desk.spent()).unknown_calls == 0


async def test_the_third_hung_call_in_a_row_asks_a_person(bus: Client, tmp_path: Path) -> None:
    ended, _, model = await ended_on(bus, tmp_path, hangs, idle_timeout_s=0.3)
    assert isinstance(ended, AgentBlocked), ended
    assert "hung 3 times in a row" in ended.question
    assert model.url in ended.question
    assert len(model.requests) == 3


async def test_two_hung_calls_are_got_over(bus: Client, tmp_path: Path) -> None:
    write = stream(use(EDIT, WRITE, id_="w"))
    ended, _, _ = await ended_on(bus, tmp_path, hangs, hangs, write, hangs, hangs, reports(), idle_timeout_s=2.0)
    assert isinstance(ended, TaskCompleted), ended


TOO_LONG: dict[str, Habit] = {
    "400": error("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", 400),
    "413": answer(b"", status=413),
    "vLLM": as_json({"message": "This model's maximum context length is 4096 tokens."}, status=400),
    "llama.cpp": as_json(
        {"error": {"type": "exceed_context_size_error", "message": "request too big"}}, status=400
    ),
}


@pytest.mark.parametrize("habit", TOO_LONG)
async def test_a_prompt_that_is_too_long_is_not_sent_again(bus: Client, tmp_path: Path, habit: str) -> None:
    ended, desk, model = await ended_on(bus, tmp_path, stream(use(EDIT, WRITE, id_="w")), TOO_LONG[habit])
    assert isinstance(ended, TaskFailed), ended
    assert ended.failure_class == "limit"
    assert "split the task" in ended.reason
    assert len(model.requests) == 2
    assert len(await desk.of(TaskStarted)) == 1


async def test_a_request_that_is_turned_down_later_is_not_sent_again(bus: Client, tmp_path: Path) -> None:
    turned_down = error("invalid_request_error", "messages.1: unexpected block", 400)
    ended, _, model = await ended_on(bus, tmp_path, stream(use(EDIT, WRITE, id_="w")), turned_down)
    assert isinstance(ended, TaskFailed), ended
    assert ended.failure_class == "invalid"
    assert "unexpected block" in ended.reason
    assert len(model.requests) == 2


GARBLED: dict[str, Habit] = {
    "no JSON": answer(b"event: message_start\ndata: {oops\n\n"),
    "packed rubbish": answer(b"no gzip", headers={"content-encoding": "gzip"}),
    "no UTF-8": answer(b'data: {"\xff"}\n\n'),
}


@pytest.mark.parametrize("habit", GARBLED)
async def test_what_cannot_be_read_three_times_pauses_with_its_words(
    bus: Client, tmp_path: Path, habit: str
) -> None:
    ended, _, model = await ended_on(bus, tmp_path, GARBLED[habit])
    assert isinstance(ended, TaskParked), ended
    assert ended.reason == "config"
    assert model.url in ended.detail
    assert len(model.requests) == 3


async def test_a_call_that_is_never_json_fails_as_the_models_doing_and_is_not_run(
    bus: Client, tmp_path: Path
) -> None:
    ended, desk, model = await ended_on(bus, tmp_path, stream(use("bash", '{"command": "rm -r x')))
    assert isinstance(ended, TaskFailed), ended
    assert ended.failure_class == "invalid"
    assert "not JSON" in ended.reason
    assert await tools_run(desk) == []
    assert len(model.requests) == 3


PASSING: dict[str, Habit] = {
    "cut": answer(framed(events(text("x"))[:2])),
    "an error event": answer(framed([{"type": "error", "error": {"type": "api_error", "message": "hm"}}])),
    "an error with 200": as_json({"error": {"message": "loading"}}),
    "500 with a page": answer(b"<html>bad gateway</html>", status=502, kind="text/html"),
    "an empty answer": answer(b""),
    "no end and no reason": answer(framed(without(events(text("x")), "message_delta", "message_stop"))),
    "hung": hangs,
}


@pytest.mark.parametrize("habit", PASSING)
async def test_trouble_that_passes_costs_no_attempt(bus: Client, tmp_path: Path, habit: str) -> None:
    ended, desk, _ = await ended_on(bus, tmp_path, PASSING[habit], reports(), idle_timeout_s=2.0)
    assert isinstance(ended, TaskCompleted), ended
    assert len(await desk.of(TaskStarted)) == 1


async def test_odd_text_is_stored_and_the_run_goes_on(bus: Client, tmp_path: Path) -> None:
    told = events(text("x\x00y\x1b]52;c;eA==\x07"), use("bash", '{"command": "echo \\ud83d\\u0000"}', id_="b"))
    told[2]["delta"]["text"] += "\ud83d"
    ended, _, model = await ended_on(bus, tmp_path, answer(framed(told)), reports())
    assert isinstance(ended, TaskCompleted), ended
    assert sent_back(model)[0]["text"].endswith("\ufffd")


async def test_a_slow_server_brings_its_result(bus: Client, tmp_path: Path) -> None:
    async def slow(writer: asyncio.StreamWriter) -> None:
        for piece in (answer(b""), *(framed([event]) for event in events(use("report_result", REPORT)))):
            await asyncio.sleep(0.4)
            writer.write(piece)
            await writer.drain()

    ended, _, model = await ended_on(bus, tmp_path, slow, idle_timeout_s=2.5)
    assert isinstance(ended, TaskCompleted), ended
    assert len(model.requests) == 1
    assert ended.usage.input_tokens == USAGE["input_tokens"]
