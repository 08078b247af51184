"""The rehearsal model as a process, and the orders that tests give it there."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agenthub_worker.rehearsal.catalog import rehearsal_server
from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.faults import Fault, FaultPlan
from agenthub_worker.rehearsal.server import ScriptedModelServer


@asynccontextmanager
async def rehearsal(*arguments: str) -> AsyncIterator[tuple[Process, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agenthub_worker.rehearsal", *arguments, stdout=PIPE, stderr=PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 120)
        yield process, line.decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def call(url: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def test_it_says_when_it_is_ready_and_ends_on_sigterm() -> None:
    async with rehearsal() as (process, line):
        ready = json.loads(line)
        assert ready["ready"] is True
        assert await asyncio.to_thread(call, f"{ready['url']}/health") == (
            200,
            {"status": "ok", "provider": "rehearsal", "scripted": True},
        )
        status, _ = await asyncio.to_thread(call, f"{ready['url']}/control/requests")
        assert status == 404
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 120) == 0


async def test_a_port_that_is_taken_is_said_in_plain_words() -> None:
    async with ScriptedModelServer() as other:
        port = other.url.rpartition(":")[2]
        async with rehearsal("--port", port) as (process, line):
            assert line == ""
            assert await asyncio.wait_for(process.wait(), 120) == 1
            assert process.stderr is not None
            assert f"cannot listen on port {port}" in (await process.stderr.read()).decode()


async def test_faults_are_ordered_and_requests_are_seen_from_another_process() -> None:
    message = {"model": "rehearsal", "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]}
    async with rehearsal("--control") as (_, line):
        url = json.loads(line)["url"]

        async def ask(path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
            return await asyncio.to_thread(call, url + path, method, body)

        assert await ask("/control/faults", "POST", [{"kind": "overloaded", "times": 3}]) == (200, {"pending": 3})
        status, error = await ask("/v1/messages", "POST", message)
        assert (status, error["error"]["type"]) == (529, "overloaded_error")
        assert await ask("/control/faults", "DELETE") == (200, {"pending": 0})
        status, reply = await ask("/v1/messages", "POST", message)
        assert (status, reply["stop_reason"]) == (200, "end_turn")
        _, seen = await ask("/control/requests")
        assert [request["fault"] for request in seen["requests"]] == ["overloaded", ""]
        assert (await ask("/control/faults", "POST", [{"kind": "earthquake"}]))[0] == 400
        assert (await ask("/v1/messages", "POST", [1]))[0] == 400


async def test_a_server_that_nobody_may_ask_for_its_calls_keeps_none() -> None:
    message = {"model": "rehearsal", "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]}
    async with rehearsal_server() as plain, rehearsal_server(control=True) as steered:
        for server in (plain, steered):
            assert (await asyncio.to_thread(call, f"{server.url}/v1/messages", "POST", message))[0] == 200
        assert plain.requests == []
        assert len(steered.requests) == 1


def test_a_fault_strikes_where_and_as_often_as_it_was_ordered() -> None:
    plan = FaultPlan()
    plan.add(Fault(kind="cut", task="t-write-*", turn=1), Fault(kind="hang", times=2))
    elsewhere = Conversation(task_id="t-other")
    here = Conversation(task_id="t-write-tests", assistant_messages=1)
    assert [
        fault.kind for conversation in (elsewhere, here, here, here) if (fault := plan.take(conversation))
    ] == [
        "hang",
        "cut",
        "hang",
    ]
    assert plan.pending == 0


@pytest.mark.parametrize(
    "garbage", [b"\r\n\r\n", b"GET /\r\n\r\n", b"POST /v1/messages HTTP/1.1\r\ncontent-length: x\r\n\r\n"]
)
async def test_what_is_no_http_gets_no_answer_and_does_no_harm(garbage: bytes) -> None:
    async with ScriptedModelServer() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(garbage)
        assert await asyncio.wait_for(reader.read(), 120) == b""
        writer.close()
        assert (await asyncio.to_thread(call, f"{server.url}/health"))[0] == 200
