"""What running agents give out while they work: text of the model, output of tools, which tool they call.

It passes by and is not kept here.

Nothing is followed while nobody listens. A listener that is too slow loses the oldest pieces; `run_seq` shows it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec

from agenthub_events.redaction import NO_SECRETS, KnownSecrets
from agenthub_gateway.live.frames import OUTPUT, Frame
from agenthub_gateway.live.tool_calls import STEPS, tool_frame
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.jetstream.wire import RawMessage
from agenthub_runtime.shutdown import end_tasks

SUBJECTS = ("run.*.*.*.out.>", *STEPS)
KEPT = 256
_TOKENS = 6


class OutputStream(Protocol):
    """The stream of recorded runs, as far as it is needed here."""

    async def last_seq(self) -> int:
        """The sequence of the newest message."""
        ...

    def follow(self, subject_filters: Sequence[str], *, after: int) -> AsyncGenerator[list[RawMessage], None]:
        """Batches of messages, forever."""
        ...


class OutputView(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of output of one attempt; `run_seq` is its place among all recorded runs."""

    type: str = OUTPUT
    run_seq: int
    goal_id: str
    task_id: str
    attempt: int
    kind: str
    text: str


class Tap:
    """One listener's pieces, the newest `KEPT` of them."""

    def __init__(self, goal_id: str | None) -> None:
        self.goal_id = goal_id
        self._pieces: deque[Frame] = deque(maxlen=KEPT)
        self._filled = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Take a piece when it is wanted."""
        if self.goal_id in (None, frame.goal_id):
            self._pieces.append(frame)
            self._filled.set()

    async def taken(self) -> list[Frame]:
        """Wait for pieces and take them all."""
        await self._filled.wait()
        self._filled.clear()
        pieces = list(self._pieces)
        self._pieces.clear()
        return pieces


class RunOutputs:
    """Follows the pieces for all listeners of this process. Use it as an async context manager.

    `following`: every piece from now on is heard.
    """

    def __init__(self, stream: OutputStream, backoff: Backoff, *, secrets: KnownSecrets = NO_SECRETS) -> None:
        self._stream = stream
        self._secrets = secrets
        self._backoff = backoff
        self._taps: set[Tap] = set()
        self._task: asyncio.Task[None] | None = None
        self.following = False

    async def __aenter__(self) -> RunOutputs:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    def open(self, goal_id: str | None) -> Tap:
        """Begin to listen, to one goal or to all."""
        tap = Tap(goal_id)
        self._taps.add(tap)
        if self._task is None:
            self._task = asyncio.create_task(
                follow_forever(
                    self._batches, self._give_out, what="run outputs", backoff=self._backoff, survives=True
                ),
                name="run-outputs",
            )
        return tap

    async def close(self, tap: Tap) -> None:
        """Stop listening."""
        self._taps.discard(tap)
        if not self._taps:
            await self._stop()

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await end_tasks(task)
            self.following = False

    async def _batches(self) -> AsyncGenerator[list[RawMessage], None]:
        async with aclosing(self._stream.follow(SUBJECTS, after=await self._stream.last_seq())) as batches:
            async for batch in batches:
                yield batch

    async def _give_out(self, batch: Sequence[RawMessage]) -> None:
        self.following = True
        for message in batch:
            frame = output_frame(message) or tool_frame(message, self._secrets)
            if frame is not None:
                for tap in self._taps:
                    tap.put(frame)


def output_frame(message: RawMessage) -> Frame | None:
    """The frame of `run.<goal>.<task>.<attempt>.out.<kind>`; None when the subject is no such."""
    tokens = message.subject.split(".", _TOKENS - 1)
    if len(tokens) != _TOKENS or tokens[4] != "out" or not tokens[3].isdecimal():
        return None
    view = OutputView(
        run_seq=message.seq,
        goal_id=tokens[1],
        task_id=tokens[2],
        attempt=int(tokens[3]),
        kind=tokens[5],
        text=message.data.decode("utf-8", "replace"),
    )
    return Frame(OUTPUT, view.goal_id, None, msgspec.json.encode(view))
