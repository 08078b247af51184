"""Streams for tests of the log: each test has its own, declared as in `nats/streams/EVENTS.json`."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import nats
from nats.aio.client import Client

from agenthub_runtime.bus_users.keys import login_of
from tests.support.until import until

_DECLARED = Path(__file__).parents[2] / "nats" / "streams" / "EVENTS.json"
_numbers = itertools.count(1)
_NO_STORE = 10049


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Client]:
    """A connection that comes back at once when its server does."""
    nc = await nats.connect(
        **login_of(url).options,
        reconnect_time_wait=0.05,
        max_reconnect_attempts=-1,
        error_cb=_keep_quiet,
        **options,
    )
    try:
        yield nc
    finally:
        await nc.close()


async def create_stream(nc: Client, name: str, **changes: Any) -> None:
    """Create a stream as EVENTS is declared, but for its name and `changes`."""
    config = {**msgspec.json.decode(_DECLARED.read_bytes()), "name": name, **changes}

    async def created() -> bool:
        answer = await ask(nc, f"STREAM.CREATE.{name}", config)
        # A busy server may fail to make the store while it still removes those of streams before.
        busy = answer.get("error", {}).get("err_code") == _NO_STORE
        assert busy or "error" not in answer, answer
        return not busy

    await until(created, what=f"the server makes stream {name}")


async def drop_stream(nc: Client, name: str) -> None:
    """Delete a stream with everything in it."""
    assert (await ask(nc, f"STREAM.DELETE.{name}", {})).get("success")


async def ask(nc: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """One call of the JetStream API; the raw answer, errors included."""
    reply = await nc.request(f"$JS.API.{path}", msgspec.json.encode(body), timeout=60)
    answer: dict[str, Any] = msgspec.json.decode(reply.data)
    return answer


def fresh_name(prefix: str) -> str:
    """A name that no other test of this session uses."""
    return f"{prefix}{next(_numbers)}"


async def _keep_quiet(_: Exception) -> None:
    """Tests stop servers on purpose."""
