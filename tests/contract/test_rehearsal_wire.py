"""The scripted server's messages and events are what the SDK's own models say they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from agenthub_events.context import PlanOrder, WorkContext
from agenthub_events.task_ids import kind_of
from agenthub_worker.domain.model import ModelClient, ModelRequest
from agenthub_worker.domain.prompt import first_message, system_prompt
from agenthub_worker.llm.client import MessagesClient
from agenthub_worker.llm.providers import ProviderSettings, choose_provider
from agenthub_worker.rehearsal import wire
from agenthub_worker.rehearsal.catalog import SAMPLE_GOALS, SCENARIOS, rehearsal_server
from agenthub_worker.rehearsal.conversation import read_conversation
from agenthub_worker.rehearsal.scripted import ScriptedModelClient, UnknownGoal, next_turn
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import Turn, call

# A second of CPU time to load: not for every process that collects this file, but for the one that runs it.
if TYPE_CHECKING:
    import anthropic

TASKS = (
    "plan-1",
    "plan-2",
    "t-design-architecture",
    "t-implement-jwt-module",
    "t-implement-login-service",
    "t-write-tests",
    "t-implement-2fa-support",
    "t-implement-price-calculator",
    "debug-tests-1",
    "fix-tests-1-1",
    "gate-tests-1",
    "gate-security-1",
    "gate-review-1",
    "merge-t-x-1",
)


def bodies() -> Iterator[dict[str, Any]]:
    for goal in (*(sample.goal for sample in SAMPLE_GOALS), "Something else"):
        for task_id in TASKS:
            context = WorkContext(
                goal_id="g-1",
                goal=goal,
                task_id=task_id,
                kind=kind_of(task_id),
                title="A task",
                requirements=("Unit tests",),
                plan=PlanOrder(number=2, feedback="Please add 2FA support") if task_id == "plan-2" else None,
            )
            yield {
                "model": "rehearsal",
                "max_tokens": 1_000,
                "system": system_prompt("coding", "coding", "Work."),
                "messages": [{"role": "user", "content": [{"type": "text", "text": first_message(context)}]}],
                "tools": [{"name": "ask_human", "input_schema": {"type": "object"}}],
            }


def replies() -> Iterator[dict[str, Any]]:
    for body in bodies():
        yield wire.message(next_turn((*SCENARIOS, UnknownGoal(())), read_conversation(body)), body)
    for turn in (
        Turn("Words."),
        Turn("", stop_reason="refusal"),
        Turn("x", call("bash", command="ls").calls, thinking="Hm"),
    ):
        yield wire.message(turn, {"messages": []})


def test_every_reply_is_a_message_of_the_sdk_and_streams_as_its_events() -> None:
    from anthropic.types import Message, RawMessageStreamEvent
    from pydantic import TypeAdapter

    events: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for reply in replies():
        Message.model_validate(reply)
        for _, event in wire.events(reply):
            events.validate_python(event)


def test_the_same_conversation_gets_the_same_reply_and_another_one_other_ids() -> None:
    first, second = list(replies()), list(replies())
    assert first == second
    ids = [reply["id"] for reply in first[: len(TASKS)]]
    assert len(set(ids)) == len(ids)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedModelServer]:
    async with rehearsal_server() as running:
        yield running


@pytest.fixture
async def sdk(server: ScriptedModelServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    import anthropic

    async with anthropic.AsyncAnthropic(api_key="rehearsal", base_url=server.url, max_retries=0) as client:
        yield client


async def test_models_and_token_counts_are_answered(sdk: anthropic.AsyncAnthropic) -> None:
    from anthropic.types import ModelInfo

    models = [model async for model in sdk.models.list()]
    assert [model.id for model in models] == ["rehearsal"]
    assert isinstance(await sdk.models.retrieve("rehearsal"), ModelInfo)
    counted = await sdk.messages.count_tokens(
        model="rehearsal", messages=[{"role": "user", "content": "word " * 400}]
    )
    assert 400 <= counted.input_tokens <= 600


async def test_a_call_without_streaming_is_answered_too(sdk: anthropic.AsyncAnthropic) -> None:
    reply = await sdk.messages.create(
        model="rehearsal", max_tokens=100, messages=[{"role": "user", "content": "Hello?"}]
    )
    assert reply.stop_reason == "end_turn"
    assert reply.content[0].type == "text"
    assert "only knows its sample goals" in reply.content[0].text


async def test_an_address_that_does_not_exist_is_not_found(sdk: anthropic.AsyncAnthropic) -> None:
    from anthropic import NotFoundError

    with pytest.raises(NotFoundError):
        await sdk.models.retrieve("claude-opus-5-5")
    with pytest.raises(NotFoundError):
        await sdk.get("/control/requests", cast_to=object)


@pytest.fixture(params=["over HTTP", "in memory"])
async def client(request: pytest.FixtureRequest, server: ScriptedModelServer) -> AsyncIterator[ModelClient]:
    if request.param == "in memory":
        yield ScriptedModelClient(SCENARIOS)
        return
    real = MessagesClient(choose_provider(ProviderSettings(provider="rehearsal", base_url=server.url)))
    yield real
    await real.aclose()


async def test_both_clients_give_the_same_reply_to_the_same_request(client: ModelClient) -> None:
    body = next(bodies())
    request = ModelRequest(
        model="rehearsal", system=body["system"], messages=body["messages"], tools=body["tools"], max_tokens=1_000
    )
    activity: list[str] = []
    reply = await client.complete(request, on_activity=activity.append)
    expected = wire.message(next_turn(SCENARIOS, read_conversation(body)), body)
    assert reply.content == expected["content"]
    assert (reply.message_id, reply.stop_reason, reply.model) == (expected["id"], "tool_use", "rehearsal")
    assert reply.usage is not None
    assert reply.usage.output_tokens == expected["usage"]["output_tokens"]
    assert activity
