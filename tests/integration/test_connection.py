"""Connecting to NATS: any start order, restarts, refused credentials, an inbox of one's own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from nats.errors import ConnectionClosedError

from agenthub_events.errors import StoreUnavailable
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.connection import connect
from tests.support.until import until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(DataDir(tmp_path))
    await server.start()
    yield server
    await server.stop()


async def test_a_service_that_starts_before_its_server_connects_when_it_comes(server: NatsServer) -> None:
    await server.stop()
    with structlog.testing.capture_logs() as lines:
        connecting = asyncio.ensure_future(connect(server.authorised_url, "early"))
        await until(lambda: any(line["event"] == "nats_error" for line in lines), what="a try has failed")
    assert not connecting.done()
    await server.start()
    client = await asyncio.wait_for(connecting, 120)
    assert client.is_connected
    await client.close()


async def test_a_connection_outlives_a_killed_server(server: NatsServer) -> None:
    client = await connect(server.authorised_url, "survivor")
    assert server.process is not None
    server.process.send(signal.SIGKILL)
    await server.process.wait()
    await until(lambda: not client.is_connected, what="the loss is noticed")
    await server.start()
    await until(lambda: client.is_connected, what="connected again")
    await client.close()


async def test_wrong_credentials_are_refused_at_once_without_showing_them(server: NatsServer) -> None:
    wrong = server.url.replace("://", "://agenthub:hush@")
    with pytest.raises(StoreUnavailable, match="credentials") as caught:
        await asyncio.wait_for(connect(wrong, "stranger"), 120)
    assert "hush" not in str(caught.value)


async def test_no_server_is_reported_after_the_given_time(server: NatsServer) -> None:
    await server.stop()
    with pytest.raises(StoreUnavailable, match="no answer"):
        await connect(server.authorised_url, "impatient", give_up_after_s=0.3)


async def test_every_connection_has_an_inbox_of_its_own(server: NatsServer) -> None:
    client = await connect(server.authorised_url, "Worker-1 (coding)")
    assert client.new_inbox().startswith("_INBOX_agenthub.Worker-1_coding_.")
    await client.close()


async def test_closing_is_no_news_and_a_lost_server_is(server: NatsServer) -> None:
    with structlog.testing.capture_logs() as lines:
        client = await connect(server.authorised_url, "quiet")
        await client.close()
        # As the library's own tasks do when they come back to a connection that its owner has closed meanwhile.
        await client._error_cb(ConnectionClosedError())
    assert lines == []
    with structlog.testing.capture_logs() as lines:
        client = await connect(server.authorised_url, "loud")
        await server.stop()
        await until(lambda: any(line["event"] == "nats_disconnected" for line in lines), what="it is told")
        await client.close()
