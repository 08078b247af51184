"""One way to connect to NATS, with the settings that keep a service alive over restarts of the server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError

from agenthub_events.errors import StoreUnavailable
from agenthub_events.redaction import redact_text
from agenthub_events.subjects import STREAM
from agenthub_runtime.bus_users.keys import login_of
from agenthub_runtime.bus_users.rights import inbox_of
from agenthub_runtime.shutdown import end_tasks

_log = structlog.get_logger(__name__)

_TIME_WITHIN_S = 5.0
_NO_TOKEN = re.compile(r"[^a-zA-Z0-9_-]+")


async def connect(
    nats_url: str,
    name: str,
    *,
    give_up_after_s: float | None = None,
    on_reconnect: Callable[[], None] | None = None,
) -> Client:
    """Connect as `name` (shown by the server; with the user also the connection's own inbox), for ever.

    A seed in the address, in the place of a password, is not sent: it signs what the server asks to be signed.

    `on_reconnect` is called after each loss, once the connection is back: the server may be another process then.
    Waits for a server that is not there yet, so that any start order works. Raises `StoreUnavailable` when the
    server refuses the credentials, or does not answer within `give_up_after_s` seconds.
    """
    client = Client()
    watch = _Watch(client, name, on_reconnect)
    attempt = asyncio.ensure_future(_connect(client, nats_url, name, watch))
    either: set[asyncio.Future[Any]] = {attempt, watch.refused}
    try:
        await asyncio.wait(either, timeout=give_up_after_s, return_when=asyncio.FIRST_COMPLETED)
        if attempt.done():
            attempt.result()
            return client
    finally:
        if not client.is_connected:
            await end_tasks(attempt)
            await client.close()
    reason = "the server refuses the credentials" if watch.refused.done() else "no answer"
    raise StoreUnavailable(
        f"No connection to NATS at {_shown(nats_url)} ({reason}): check NATS_URL and the server"
    )


class _Told(msgspec.Struct):
    ts: datetime


async def server_time(client: Client, stream: str = STREAM) -> datetime:
    """What time it is for the server. Raises `StoreUnavailable` when it does not tell, or has no such stream."""
    try:
        answer = await client.request(f"$JS.API.STREAM.INFO.{stream}", timeout=_TIME_WITHIN_S)
        return msgspec.json.decode(answer.data, type=_Told).ts
    except (NatsError, TimeoutError, msgspec.MsgspecError) as error:
        raise StoreUnavailable(f"The event store does not tell its time: {error}") from error


class _Watch:
    """What a connection tells about itself while it lives."""

    def __init__(self, client: Client, name: str, on_reconnect: Callable[[], None] | None) -> None:
        self._client = client
        self._name = name
        self._on_reconnect = on_reconnect
        self._last_error = ""
        self.refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def on_error(self, error: Exception) -> None:
        """Log an error. Permission errors show only here: who waits for an answer sees no more than a time-out."""
        if isinstance(error, ConnectionClosedError) and self._client.is_closed:
            return  # by its owner, while something was under way
        text = redact_text(str(error)) or type(error).__name__
        if text != self._last_error:  # a server that is away causes the same error ten times a second
            _log.warning("nats_error", connection=self._name, error=text)
        self._last_error = text
        if "authorization violation" in text.lower() and not self.refused.done():
            self.refused.set_result(None)

    async def on_disconnect(self) -> None:
        if not self._client.is_closed:  # closed by its owner: no news
            _log.warning("nats_disconnected", connection=self._name)

    async def on_reconnect(self) -> None:
        self._last_error = ""
        _log.info("nats_reconnected", connection=self._name)
        if self._on_reconnect is not None:
            self._on_reconnect()


async def _connect(client: Client, nats_url: str, name: str, watch: _Watch) -> None:
    login = login_of(nats_url)
    token = _NO_TOKEN.sub("_", name)
    inbox = f"{inbox_of(login.user)}.{token}" if login.user else inbox_of(token)
    await client.connect(
        **{**login.options, "inbox_prefix": inbox},
        name=name,
        error_cb=watch.on_error,
        disconnected_cb=watch.on_disconnect,
        reconnected_cb=watch.on_reconnect,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,  # type: ignore[arg-type]  # slept as it is; declared too narrow
        connect_timeout=2,
        ping_interval=20,
        drain_timeout=5,
    )


def _shown(nats_url: str) -> str:
    return ", ".join(re.sub(r"(?<=://)[^@/]*@", "", address) for address in nats_url.split(","))


async def log_generation(nc: Client) -> str:
    """Which log this is: when its stream was made, as a word. Raises `StoreUnavailable`."""
    try:
        info = await nc.jetstream().stream_info(STREAM)
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The event log does not answer: {error}") from error
    created = info.created
    if created is None:
        raise StoreUnavailable("The server does not say when the event log was made")
    return f"{int(created.timestamp() * 1_000):x}"
