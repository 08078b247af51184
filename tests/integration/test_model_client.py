"""Every way in which a model server misbehaves, over real HTTP and through the real SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agenthub_worker.domain.model import ModelFault, ModelRequest
from agenthub_worker.llm.client import MessagesClient
from agenthub_worker.llm.providers import ProviderSettings, choose_provider
from agenthub_worker.rehearsal.faults import Fault, FaultName
from agenthub_worker.rehearsal.scripted import ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import Turn, call

BASH = {
    "name": "bash",
    "description": "run a command",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}
FIRST_MESSAGE = "GOAL g-1\nA goal\n\nTASK t-one (work)\nA task\n\nExecute this task autonomously."


def a_request(**changes: Any) -> ModelRequest:
    fields: dict[str, Any] = {
        "model": "rehearsal",
        "system": "You are coder, an agent of type coding.\nWork.",
        "messages": [{"role": "user", "content": FIRST_MESSAGE}],
        "tools": [BASH],
        "max_tokens": 1_000,
    }
    return ModelRequest(**(fields | changes))


def ignore(_: str) -> None:
    """Activity nobody watches."""


@pytest.fixture
async def server() -> AsyncIterator[ScriptedModelServer]:
    thoughtful = Turn("Let me look. " * 100, call("bash", command="ls").calls, thinking="Where do I begin?")
    async with ScriptedModelServer([ScriptedReplies({"t-one": [thoughtful]})]) as running:
        yield running


@pytest.fixture
async def client(server: ScriptedModelServer) -> AsyncIterator[MessagesClient]:
    made = client_of(server)
    yield made
    await made.aclose()


def client_of(server: ScriptedModelServer, *, idle_timeout_s: float = 60.0) -> MessagesClient:
    provider = choose_provider(ProviderSettings(provider="rehearsal", base_url=server.url))
    return MessagesClient(provider, idle_timeout_s=idle_timeout_s)


async def test_a_reply_arrives_whole_with_its_blocks_as_they_were_sent(client: MessagesClient) -> None:
    arrived: list[str] = []
    reply = await client.complete(a_request(), on_activity=arrived.append)
    kinds = [block["type"] for block in reply.content]
    assert kinds == ["thinking", "text", "tool_use"]
    assert reply.content[0]["signature"].startswith("signed-")
    assert reply.content[2]["input"] == {"command": "ls"}
    assert "".join(arrived) == reply.text
    assert reply.text.startswith("REHEARSAL")
    assert reply.tool_calls == (reply.content[2],)
    assert reply.stop_reason == "tool_use"
    assert reply.usage is not None
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > 0


async def test_the_blocks_can_be_sent_back_unchanged(server: ScriptedModelServer, client: MessagesClient) -> None:
    reply = await client.complete(a_request(), on_activity=ignore)
    result = {"type": "tool_result", "tool_use_id": reply.tool_calls[0]["id"], "content": "README"}
    messages = [
        {"role": "user", "content": FIRST_MESSAGE},
        {"role": "assistant", "content": reply.content},
        {"role": "user", "content": [result]},
    ]
    await client.complete(a_request(messages=messages), on_activity=ignore)
    assert server.requests[-1].body["messages"] == messages
    assert server.requests[-1].conversation.turns[0][0].text == "README"


async def test_the_credential_is_sent_but_not_recorded(
    server: ScriptedModelServer, client: MessagesClient
) -> None:
    await client.complete(a_request(), on_activity=ignore)
    assert "x-api-key" not in server.requests[0].headers
    assert server.requests[0].headers["anthropic-version"]


async def test_nothing_in_the_environment_redirects_a_rehearsal(
    server: ScriptedModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-a-real-looking-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    client = client_of(server)
    await client.complete(a_request(), on_activity=ignore)
    await client.aclose()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "calls", "billed", "words"),
    [
        ("rate_limit", "overload", 2, False, "limit"),
        ("overloaded", "overload", 2, False, "provider's limit"),
        ("server_error", "transient", 2, False, "provider's trouble"),
        ("unauthorized", "config", 1, False, "settings"),
        ("unknown_model", "config", 1, False, "settings"),
        ("no_credit", "config", 1, False, "credit balance"),
        ("bad_request", "rejected", 1, False, "does not accept"),
        ("cut", "transient", 1, True, "broke in the middle"),
        ("early_end", "transient", 1, True, "before it was complete"),
        ("stream_error", "overload", 1, True, "Overloaded"),
        ("broken_json", "invalid", 1, True, "not JSON"),
    ],
)
async def test_a_fault_gets_its_kind_and_says_whose_it_is(
    server: ScriptedModelServer,
    client: MessagesClient,
    *,
    fault: FaultName,
    kind: str,
    calls: int,
    billed: bool,
    words: str,
) -> None:
    server.faults.add(
        Fault(kind=fault, times=5, retry_after_s=0.01 if fault in {"rate_limit", "overloaded"} else None)
    )
    with pytest.raises(ModelFault) as raised:
        await client.complete(a_request(), on_activity=ignore)
    assert (raised.value.kind, raised.value.may_be_billed) == (kind, billed)
    assert words in raised.value.message
    assert len(server.requests) == calls


async def test_one_short_overload_is_ridden_out(server: ScriptedModelServer, client: MessagesClient) -> None:
    server.faults.add(Fault(kind="overloaded", times=1))
    reply = await client.complete(a_request(), on_activity=ignore)
    assert reply.stop_reason == "tool_use"
    assert [request.fault for request in server.requests] == ["overloaded", ""]


async def test_a_long_wait_is_left_to_the_queue(server: ScriptedModelServer, client: MessagesClient) -> None:
    server.faults.add(Fault(kind="rate_limit", times=5, retry_after_s=90))
    with pytest.raises(ModelFault) as raised:
        await client.complete(a_request(), on_activity=ignore)
    assert raised.value.retry_after_s == 90
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["hang", "stall"])
async def test_a_server_that_says_nothing_is_given_up(server: ScriptedModelServer, fault: FaultName) -> None:
    server.faults.add(Fault(kind=fault))
    client = client_of(server, idle_timeout_s=0.3)
    with pytest.raises(ModelFault, match="sent nothing") as raised:
        await client.complete(a_request(), on_activity=ignore)
    assert (raised.value.kind, raised.value.may_be_billed) == ("hung", True)
    await client.aclose()


async def test_a_server_that_is_not_there_is_named(server: ScriptedModelServer) -> None:
    client = client_of(server)
    await server.aclose()
    with pytest.raises(ModelFault, match="cannot be reached") as raised:
        await client.complete(a_request(), on_activity=ignore)
    assert (raised.value.kind, raised.value.may_be_billed) == ("unreachable", False)
    assert server.url in raised.value.message
    await client.aclose()


async def test_tool_calls_of_a_reply_cut_by_max_tokens_are_not_run(
    server: ScriptedModelServer, client: MessagesClient
) -> None:
    server.faults.add(Fault(kind="max_tokens"))
    reply = await client.complete(a_request(), on_activity=ignore)
    assert reply.stop_reason == "max_tokens"
    assert any(block["type"] == "tool_use" for block in reply.content)
    assert reply.tool_calls == ()


async def test_a_refusal_is_a_reply_that_ends_the_run(server: ScriptedModelServer, client: MessagesClient) -> None:
    server.faults.add(Fault(kind="refusal"))
    reply = await client.complete(a_request(), on_activity=ignore)
    assert (reply.stop_reason, reply.tool_calls) == ("refusal", ())


@pytest.mark.parametrize(
    ("fault", "name", "input_"),
    [("malformed_input", "bash", {"no_such_field": 1}), ("unknown_tool", "launch_rocket", {"command": "ls"})],
)
async def test_a_wrong_tool_call_comes_through_as_it_is(
    server: ScriptedModelServer, client: MessagesClient, fault: FaultName, name: str, input_: dict[str, Any]
) -> None:
    server.faults.add(Fault(kind=fault))
    reply = await client.complete(a_request(), on_activity=ignore)
    assert [(block["name"], block["input"]) for block in reply.tool_calls] == [(name, input_)]


async def test_cancelling_a_call_closes_its_connection(
    server: ScriptedModelServer, client: MessagesClient
) -> None:
    server.faults.add(Fault(kind="stall"))
    started = asyncio.Event()
    running = asyncio.create_task(client.complete(a_request(), on_activity=lambda _: started.set()))
    await asyncio.wait_for(started.wait(), 120)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # The stalled handler returns as soon as its client is gone.
    await asyncio.wait_for(server.idle(), 120)


async def test_sampling_parameters_reach_the_server(server: ScriptedModelServer, client: MessagesClient) -> None:
    await client.complete(a_request(extra={"temperature": 0.2}), on_activity=ignore)
    assert server.requests[0].body["temperature"] == 0.2
    assert "cache_control" not in server.requests[0].body


async def test_prompt_caching_is_asked_of_anthropic(server: ScriptedModelServer) -> None:
    provider = choose_provider(ProviderSettings(provider="anthropic", api_key="k", base_url=server.url))
    client = MessagesClient(provider)
    await client.complete(a_request(model=provider.model_for("coding")), on_activity=ignore)
    await client.aclose()
    assert server.requests[0].body["cache_control"] == {"type": "ephemeral"}
    assert server.requests[0].body["model"] == "claude-sonnet-5-5"
