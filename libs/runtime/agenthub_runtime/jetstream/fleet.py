"""Who is alive: a passing message a process every few seconds, kept by the server for 15 s; and whom they ask."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.errors import NotFoundError

HEARTBEAT_S = 5.0
STREAM = "FLEET"
# No name of a worker becomes a token with a colon in it.
_FOLLOWERS = "fleet.orchestrator:"
_TOKEN = re.compile(r"[^A-Za-z0-9_-]+")


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself: its queues, its slots, and the attempts that it holds.

    An attempt is named `<goal>.<task>.<attempt>`.

    With a `problem` it could not start, for that reason, and serves nothing. `draining`: it finishes what it holds
    and takes nothing new. `sandbox` is what its commands run in: `bwrap`, or `none`.
    """

    worker: str
    instance: str
    types: tuple[str, ...]
    slots: int
    holding: tuple[str, ...] = ()
    problem: str = ""
    draining: bool = False
    sandbox: str = ""


class FollowerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What an orchestrator says of itself: the last event it has folded, and whether it decides already."""

    instance: str
    position: int
    caught_up: bool


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """The model behind a worker: the provider, the model of each agent type, where prices come from.

    `state` and `found` say what one cheap call showed; `not asked` when none was made.
    """

    provider: str
    label: str
    models: Mapping[str, str]
    prices: str
    worker: str = ""
    state: Literal["ok", "failed", "not asked"] = "not asked"
    found: str = ""


S = TypeVar("S", WorkerStatus, FollowerStatus)

_ASK_MODEL = "ask.model"
_ANSWER_WITHIN_S = 32.0
_ENCODER = msgspec.json.Encoder()


class NatsFleet:
    """The fleet on a NATS connection. Liveness is no event: nothing is decided from it but patience."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc

    async def publish(self, status: WorkerStatus) -> None:
        """Say that this worker is alive; nothing waits for it."""
        await self._nc.publish(_subject(status.worker), _ENCODER.encode(status))

    async def publish_follower(self, status: FollowerStatus) -> None:
        """Say how far this orchestrator has come; nothing waits for it."""
        await self._nc.publish(f"{_FOLLOWERS}{_TOKEN.sub('-', status.instance)}", _ENCODER.encode(status))

    async def living(self) -> list[WorkerStatus]:
        """Every worker that has said so lately. Raises what the server answers."""
        subjects = [subject for subject in await self._subjects() if not subject.startswith(_FOLLOWERS)]
        found = await asyncio.gather(*(self._last(subject, WorkerStatus) for subject in subjects))
        return [status for status in found if status is not None]

    async def followers(self) -> list[FollowerStatus]:
        """Every orchestrator that has lately said how far it is. Raises what the server answers."""
        subjects = [subject for subject in await self._subjects() if subject.startswith(_FOLLOWERS)]
        found = await asyncio.gather(*(self._last(subject, FollowerStatus) for subject in subjects))
        return [status for status in found if status is not None]

    async def alive(self, worker: str, instance: str, holding: str) -> bool:
        """Whether this very instance has lately said that it holds the attempt `holding`."""
        try:
            status = await self._last(_subject(worker), WorkerStatus)
        except (NatsError, TimeoutError):
            return False
        return status is not None and status.instance == instance and holding in status.holding

    async def _subjects(self) -> list[str]:
        try:
            info = await self._nc.jetstream().stream_info(STREAM, subjects_filter="fleet.*")
        except NotFoundError:
            return []
        return list(info.state.subjects or ())

    async def _last(self, subject: str, kind: type[S]) -> S | None:
        try:
            found = await self._nc.jetstream().get_last_msg(STREAM, subject, direct=True)
        except NotFoundError:
            return None
        try:
            return msgspec.json.decode(found.data or b"", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


async def serve_model_reports(nc: Client, answer: Callable[[bool], Awaitable[ModelReport]]) -> None:
    """Answer who asks for the model; of all workers the server picks one. `answer` is told whether to probe."""

    async def reply(message: Msg) -> None:
        await message.respond(_ENCODER.encode(await answer(message.data == b"probe")))

    await nc.subscribe(_ASK_MODEL, queue="workers", cb=reply)


async def ask_for_model(nc: Client, *, probe: bool) -> ModelReport | None:
    """What a worker says of its model; None when no worker has one. Raises what the server answers."""
    try:
        found = await nc.request(_ASK_MODEL, b"probe" if probe else b"", timeout=_ANSWER_WITHIN_S)
    except NoRespondersError:
        return None
    return msgspec.json.decode(found.data, type=ModelReport)


def _subject(worker: str) -> str:
    return f"fleet.{_TOKEN.sub('-', worker)}"
