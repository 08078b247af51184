"""Writes the steps of a run: each one is stored before the next thing happens, behind the run's own fence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Literal

from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.context import WorkContext
from agenthub_events.ports import StepConflict, Stored
from agenthub_events.runs import RecordedStep, Resumed, RunId, Step
from agenthub_worker.domain.run import Run, fold
from agenthub_worker.hold import Hold, Lost

_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_RESUME_TRIES = 5


class RunBook:
    """The run of a held attempt, and the only one who may add to it. Make one with `open_book`."""

    def __init__(self, hold: Hold, run: Run, last_seq: int) -> None:
        self.hold = hold
        self.run = run
        self._last_seq = last_seq
        self._emitter = _Emitter(hold)

    async def write(self, step: Step) -> None:
        """Store a step and fold it. Raises `Lost` when somebody else has added to the run."""
        pause = _PAUSE_S
        while True:
            result = await self.hold.bench.runs.append(self.hold.run_id, step, expected=self._last_seq)
            match result:
                case Stored(seq=seq):
                    self._last_seq = seq
                    self.run.apply(step)
                    return
                case StepConflict():
                    raise Lost("another worker writes to the run")
            await self.hold.bench.pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def emit(self, kind: Literal["text", "output"], data: bytes) -> None:
        """Give out a piece of progress; nothing waits for it."""
        self._emitter.add(kind, data)


async def open_book(hold: Hold, context: WorkContext, first: str) -> RunBook:
    """Fold what is recorded of the attempt, and of those it resumes, and take the run over. Raises `Lost`."""
    bench = hold.bench
    for _ in range(_RESUME_TRIES):
        run = Run(first)
        for steps in await _earlier_runs(hold, hold.order):
            fold(run, steps)
        if hold.order.resumes or context.answered is not None:
            run.resume_in(answered=context.answered, changed=hold.order.changed)
        last = fold(run, await bench.patiently(lambda: bench.runs.read(hold.run_id)))
        if run.closed:
            raise Lost(f"the run is closed: {run.closed}")
        book = RunBook(hold, run, last)
        resumed = Resumed(
            instance=bench.instance, worker=bench.worker, delivery=hold.delivery, resumes=hold.order.resumes
        )
        try:
            await book.write(resumed)
        except Lost:
            # The holder before us may have stored one more step since we read; its claim is gone by now.
            continue
        return book
    raise Lost("the run keeps changing under this worker")


async def _earlier_runs(hold: Hold, order: TaskEnqueued) -> list[Sequence[RecordedStep]]:
    """The recorded attempts that this one goes on from, the oldest first."""
    runs: list[Sequence[RecordedStep]] = []
    attempt = order.resumes
    while attempt:
        run_id = RunId(hold.goal_id, hold.task_id, attempt)
        steps = await hold.bench.patiently(partial(hold.bench.runs.read, run_id))
        runs.insert(0, steps)
        before = next((s.step.resumes for s in steps if isinstance(s.step, Resumed)), 0)
        attempt = before if before < attempt else 0
    return runs


class _Emitter:
    """Sends output as it comes; what arrives while one piece is on its way goes with the next."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._waiting: dict[str, bytearray] = {}
        self._sending: asyncio.Task[None] | None = None

    def add(self, kind: str, data: bytes) -> None:
        if not data:
            return
        self._waiting.setdefault(kind, bytearray()).extend(data[-_PIECE:])
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            kind, data = self._waiting.popitem()
            await self._hold.bench.runs.emit(self._hold.run_id, kind, bytes(data[-_PIECE:]))


_PIECE = 64 << 10
