"""What running agents give out while they work: text of the model, output of tools. It passes by and is not kept.

Nothing is followed while nobody listens. A listener that is too slow loses the oldest pieces; `run_seq` shows it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

import msgspec
import structlog

from agenthub_events.errors import StoreUnavailable
from agenthub_gateway.live.frames import OUTPUT, Frame
from agenthub_runtime.jetstream.wire import RawMessage

_log = structlog.get_logger(__name__)

SUBJECTS = ("run.*.*.*.out.>",)
KEPT = 256
_TOKENS = 6
_RETRY_S = 0.5


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

    def __init__(self, stream: OutputStream) -> None:
        self._stream = stream
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
            self._task = asyncio.create_task(self._run(), name="run-outputs")
        return tap

    async def close(self, tap: Tap) -> None:
        """Stop listening."""
        self._taps.discard(tap)
        if not self._taps:
            await self._stop()

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.following = False

    async def _run(self) -> None:
        while True:
            try:
                async for batch in self._stream.follow(SUBJECTS, after=await self._stream.last_seq()):
                    self.following = True
                    self._give_out(batch)
            except StoreUnavailable as error:
                _log.warning("run_outputs_interrupted", error=str(error))
            except Exception:
                _log.exception("run_outputs_failed")
            await asyncio.sleep(_RETRY_S)

    def _give_out(self, batch: Sequence[RawMessage]) -> None:
        for message in batch:
            frame = output_frame(message)
            if frame is not None:
                for tap in self._taps:
                    tap.put(frame)


def output_frame(message: RawMessage) -> Frame | None:
    """The frame of `run.<goal>.<task>.<attempt>.out.<kind>`; None when the subject is no such."""
    tokens = message.subject.split(".", _TOKENS - 1)
    if len(tokens) != _TOKENS or not tokens[3].isdecimal():
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
