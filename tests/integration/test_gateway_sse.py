"""The live feed over HTTP: no gap, no matter who was away; the same frames by SSE and by WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx2
import pytest
from nats.aio.client import Client
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.goal import GoalCompleted, GoalPaused, GoalResumed
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.runs import RunId
from agenthub_gateway.live.broadcaster import Broadcaster
from agenthub_gateway.live.frames import Filter
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from agenthub_runtime.settings.records import GatewaySettings
from tests.support.following import BACKOFF
from tests.support.gateway import Gateway, planned, running_gateway, settings, write
from tests.support.until import PATIENCE_S, until

NOBODY = "postgresql://nobody@127.0.0.1:1/none"


class Message(NamedTuple):
    id: str
    event: str
    data: dict[str, Any]


@pytest.fixture
def log(bus: Client) -> JetStreamEventLog:
    return JetStreamEventLog(bus)


@pytest.fixture
def wanted(bus: Client, nats_server: NatsServer) -> GatewaySettings:
    return settings(nats_server.authorised_url, NOBODY)


@pytest.fixture
async def gateway(wanted: GatewaySettings) -> AsyncIterator[Gateway]:
    async with running_gateway(wanted) as running:
        yield running


async def listen(
    gateway: Gateway, params: dict[str, Any] | None = None, *, last_event_id: str = ""
) -> AsyncGenerator[Message, None]:
    """Messages of the stream; a message without data counts as none."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with gateway.client.stream("GET", "/api/v1/stream", params=params, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-cache", "no")
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if line and name:
                fields[name] = value
            elif "data" in fields:
                yield Message(fields.get("id", ""), fields.get("event", ""), json.loads(fields["data"]))
                fields = {}
            else:
                fields = {}


async def take(stream: AsyncIterator[Message], count: int) -> list[Message]:
    async with asyncio.timeout(PATIENCE_S):
        return [await anext(stream) for _ in range(count)]


async def toggles(log: JetStreamEventLog, goal_id: str, count: int) -> list[int]:
    return [
        await write(log, goal_id, "_", GoalPaused(by="p") if number % 2 == 0 else GoalResumed(by="p"))
        for number in range(count)
    ]


async def test_every_event_arrives_with_its_place_in_the_log(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    async with aclosing(listen(gateway, {"from": 0})) as stream:
        [first] = await take(stream, 1)
        assert (first.event, first.data["type"], first.data["sequence"]) == ("goal.accepted", "goal.accepted", 1)
        assert first.data["goal_id"] == goal_id
        assert first.data["event"]["goal"] == "Build a thing"
        generation, _, place = first.id.rpartition(":")
        assert (bool(generation), place) == (True, "1")
        seq = await write(log, goal_id, "_", planned("a"))
        [second] = await take(stream, 1)
        assert (second.event, second.id) == ("goal.planned", f"{generation}:{seq}")


async def test_by_default_the_stream_begins_now(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    async with gateway.client.stream("GET", "/api/v1/stream") as response:
        assert response.headers["agenthub-position"] == "1"
        lines = response.aiter_lines()
        assert (await anext(lines)).startswith(": agenthub ")
        await write(log, goal_id, "_", GoalPaused(by="p"))
        async with asyncio.timeout(PATIENCE_S):
            async for line in lines:
                if line.startswith("id: "):
                    break
        assert line.endswith(":2")


async def test_a_listener_resumes_without_gap_after_the_gateway_was_away(
    wanted: GatewaySettings, log: JetStreamEventLog
) -> None:
    async with running_gateway(wanted) as before:
        goal_id = (await before.submit())["goal_id"]
        await toggles(log, goal_id, 4)
        async with aclosing(listen(before, {"from": 0})) as stream:
            seen = await take(stream, 3)
    missed = await toggles(log, goal_id, 60)
    async with running_gateway(wanted) as after, aclosing(listen(after, last_event_id=seen[-1].id)) as stream:
        resumed = await take(stream, 62)
        live = await write(log, goal_id, "_", GoalPaused(by="p"))
        resumed += await take(stream, 1)
    assert [message.data["sequence"] for message in seen + resumed] == list(range(1, live + 1))
    assert missed[-1] == live - 1


async def test_the_end_of_the_gateway_ends_every_stream_at_once(wanted: GatewaySettings) -> None:
    async with running_gateway(wanted) as gateway:
        streams = [asyncio.ensure_future(_drain(gateway)) for _ in range(3)]
        async with connect(f"{gateway.url.replace('http', 'ws')}/api/v1/ws") as socket:
            await gateway.submit()
            await socket.recv()
            gateway.hub.feed.close()
            async with asyncio.timeout(60):
                await asyncio.gather(*streams)
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


async def _drain(gateway: Gateway) -> int:
    return len([message async for message in listen(gateway, {"from": 0})])


async def test_a_place_in_another_log_is_told_apart(gateway: Gateway) -> None:
    await gateway.submit()
    for wrong in ("feed:1", "feed:999999"):
        async with aclosing(listen(gateway, last_event_id=wrong)) as stream:
            [reset] = await take(stream, 1)
            assert (reset.event, reset.id, reset.data["sequence"]) == ("reset", "", 1)
            assert reset.data["generation"]
    async with aclosing(listen(gateway, {"from": 99})) as stream:
        assert (await take(stream, 1))[0].event == "reset"
    response = await gateway.client.get("/api/v1/stream", headers={"Last-Event-ID": "nonsense"})
    assert (response.status_code, response.json()["errors"][0]["key"]) == (422, "Last-Event-ID")


@pytest.mark.parametrize("wrong", [">", "a b", "*", "g-1", "g-" + "0" * 26 + ".>"])
async def test_what_is_no_goal_is_not_listened_to(gateway: Gateway, wrong: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        response = await gateway.client.get("/api/v1/stream", params={"goal": wrong})
    assert (response.status_code, response.json()["errors"][0]["key"]) == (422, "goal")
    with pytest.raises(InvalidStatus):
        async with connect(f"{gateway.url.replace('http', 'ws')}/api/v1/ws?goal={quote(wrong)}"):
            pass


async def test_a_goal_that_nobody_submitted_is_not_listened_to(gateway: Gateway) -> None:
    nobodys = "g-" + "0" * 26
    async with asyncio.timeout(PATIENCE_S):
        response = await gateway.client.get("/api/v1/stream", params={"goal": nobodys})
    assert (response.status_code, response.json()["title"]) == (404, "There is nothing here")
    assert (await gateway.client.get(f"/api/v1/goals/{nobodys}/events")).status_code == 404
    assert (await gateway.client.get("/api/v1/goals/a%20b/events")).status_code == 404


async def test_goals_and_types_are_filtered_and_first_names_are_understood(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    one, two = [(await gateway.submit())["goal_id"] for _ in range(2)]
    await write(log, two, "_", GoalCompleted(completion_summary="Done"))
    order = TaskEnqueued(
        task_id="t-a", agent="a", agent_type="coding", attempt=1, lane="p2", title="Sign tokens", timeout_s=9
    )
    await write(log, one, "t-a", order, "coding", "p2")
    await write(log, one, "t-a", AgentBlocked(question="Which key?", task_id="t-a", error="no key"))
    async with aclosing(listen(gateway, {"from": 0, "type": ["task.blocked", "workflow.finished"]})) as stream:
        finished, blocked = await take(stream, 2)
    assert (finished.event, finished.data["type"], finished.data["goal_id"]) == (
        "workflow.finished",
        "workflow.finished",
        two,
    )
    assert (blocked.event, blocked.data["event"]["type"]) == ("task.blocked", "agent.blocked")
    async with aclosing(listen(gateway, {"from": 0, "goal": one})) as stream:
        own = await take(stream, 4)
    assert [message.event for message in own] == [
        "goal.accepted",
        "task.enqueued",
        "intervention_required",
        "agent.blocked",
    ]
    assert (own[2].id, own[3].data["aliases"]) == ("", ["task.blocked"])
    assert own[2].data == {
        "type": "intervention_required",
        "workflow_id": one,
        "blocked_tasks": [
            {"task_id": "t-a", "title": "Sign tokens", "blocker_reason": "Which key? (no key)"},
        ],
        "message": "Agents need your input to continue",
    }


async def test_a_message_that_nobody_can_read_is_shown_as_such(gateway: Gateway, bus: Client) -> None:
    await bus.jetstream().publish("evt.g-x._.goal.transmuted", b'{"type": "goal.transmuted"}')
    async with aclosing(listen(gateway, {"from": 0})) as stream:
        [message] = await take(stream, 1)
    assert (message.event, message.data["sequence"]) == ("goal.transmuted", 1)
    assert "unknown event type" in message.data["unreadable"]
    assert message.data["event"] is None


async def test_the_websocket_gives_the_same_frames(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    async with connect(f"{gateway.url.replace('http', 'ws')}/api/v1/ws?from=0&goal={goal_id}") as socket:
        async with asyncio.timeout(PATIENCE_S):
            first = json.loads(await socket.recv())
            await write(log, goal_id, "_", GoalPaused(by="p"))
            second = json.loads(await socket.recv())
    async with aclosing(listen(gateway, {"from": 0})) as stream:
        assert [message.data for message in await take(stream, 2)] == [first, second]


async def test_a_foreign_page_gets_no_websocket(gateway: Gateway) -> None:
    url = f"{gateway.url.replace('http', 'ws')}/api/v1/ws"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers={"Origin": "https://evil.example"}):
            pass
    assert refused.value.response.status_code == 403
    async with connect(url, additional_headers={"Origin": gateway.url}):
        pass


async def test_a_slow_listener_reads_on_from_the_log_and_misses_nothing(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    goal_id = (await gateway.submit())["goal_id"]

    async def generation() -> str:
        return "g"

    async with Broadcaster(log, generation, BACKOFF, ring=8) as feed:
        slow = feed.listen(after=0, wanted=Filter())
        await toggles(log, goal_id, 40)
        other = feed.listen(after=0, wanted=Filter(goal_id))
        for listener in (slow, other):
            seen: list[int | None] = []
            async with asyncio.timeout(PATIENCE_S):
                while len(seen) < 41:
                    seen += [frame.sequence for frame in await listener.next(1) or []]
            assert seen == list(range(1, 42))
            await listener.close()


async def test_a_listener_hears_on_after_the_bus_was_away(
    gateway: Gateway, nats_server: NatsServer, log: JetStreamEventLog
) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    async with aclosing(listen(gateway, {"from": 0})) as stream:
        await take(stream, 1)
        await nats_server.stop()
        await nats_server.start()
        await write(log, goal_id, "_", GoalPaused(by="p"))
        [message] = await take(stream, 1)
    assert (message.event, message.data["sequence"]) == ("goal.paused", 2)


async def test_what_agents_give_out_passes_by_for_those_who_ask(
    gateway: Gateway, log: JetStreamEventLog, bus: Client
) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    runs = JetStreamRunLog(bus)
    url = f"{gateway.url.replace('http', 'ws')}/api/v1/ws?runs=true&goal={goal_id}"
    async with (
        aclosing(listen(gateway, {"runs": "true", "goal": goal_id, "from": 0})) as stream,
        aclosing(listen(gateway, {"from": 0})) as plain,
        connect(url) as socket,
    ):
        await take(stream, 1)
        await until(lambda: gateway.hub.outputs.following, what="the outputs are followed")
        await runs.emit(RunId("g-other", "t-a", 1), "output", b"not wanted")
        await runs.emit(RunId(goal_id, "t-a", 2), "output", b"3 passed\n")
        [piece] = await take(stream, 1)
        assert (piece.event, piece.id, piece.data["run_seq"]) == ("run.output", "", 2)
        assert (piece.data["attempt"], piece.data["kind"], piece.data["text"]) == (2, "output", "3 passed\n")
        async with asyncio.timeout(PATIENCE_S):
            assert json.loads(await socket.recv()) == piece.data
        await write(log, goal_id, "_", GoalPaused(by="p"))
        assert [message.event for message in await take(stream, 1)] == ["goal.paused"]
        assert [message.event for message in await take(plain, 2)] == ["goal.accepted", "goal.paused"]
    await until(lambda: not gateway.hub.outputs.following, what="nobody listens any more")


async def test_leaving_listeners_leave_nothing_behind(gateway: Gateway) -> None:
    await gateway.submit()
    for _ in range(5):
        async with aclosing(listen(gateway, {"from": 0})) as stream:
            await take(stream, 1)
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=PATIENCE_S) as other:
        assert (await other.get("/health/live")).status_code == 200
