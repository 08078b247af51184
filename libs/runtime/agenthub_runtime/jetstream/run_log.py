"""The recorded steps of agent runs, on the RUNS stream, behind the same append routine as the log."""

from __future__ import annotations

from typing import NamedTuple

from nats.aio.client import Client

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import RunLog, StepConflict, StepResult, Unavailable
from agenthub_events.runs import Closed, RecordedStep, RunId, Step, decode_step, encode_step, step_id, step_kind
from agenthub_runtime.jetstream.fenced_stream import Clash, FencedStream, Message

STREAM = "RUNS"
OUTPUT_TTL = "24h"


class OutputPiece(NamedTuple):
    """A piece of text that passed by: of the model (`text`) or of a tool (`output`)."""

    seq: int
    kind: str
    data: bytes
    at: str


class JetStreamRunLog:
    """The `RunLog` port on a NATS connection."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._stream = FencedStream(nc, STREAM)

    async def append(self, run: RunId, step: Step, *, expected: int) -> StepResult:
        """Append a step, expecting `expected` as the last sequence of the run's steps (0: none yet)."""
        outcome = await self._stream.append(
            Message(
                subject=f"{run.prefix}.step.{step_kind(step)}",
                data=encode_step(step),
                id=step_id(run, step, expected=expected),
                fence=run.step_filter,
                expected=expected,
            )
        )
        if isinstance(outcome, Clash):
            return StepConflict(outcome.tail[-1].seq if outcome.tail else expected)
        return outcome

    async def read(self, run: RunId) -> list[RecordedStep]:
        """All steps of the attempt, in order. Raises `StoreUnavailable`."""
        return [
            RecordedStep(raw.seq, decode_step(raw.data), raw.at)
            for raw in await self._stream.read(run.step_filter)
        ]

    async def newest(self, run: RunId) -> RecordedStep | None:
        """The last step of the attempt. Raises `StoreUnavailable`."""
        raw = await self._stream.last(run.step_filter)
        return RecordedStep(raw.seq, decode_step(raw.data), raw.at) if raw else None

    async def output(self, run: RunId, *, after: int = 0) -> list[OutputPiece]:
        """What the attempt has given out behind the sequence `after`, of the last day.

        Raises `StoreUnavailable`.
        """
        return [
            OutputPiece(raw.seq, raw.subject.rpartition(".")[2], raw.data, raw.at)
            for raw in await self._stream.read(f"{run.prefix}.out.>", after=after)
        ]

    async def emit(self, run: RunId, kind: str, data: bytes) -> None:
        """Give out a chunk of output or progress; nothing waits for it, and it expires after a day."""
        await self._nc.publish(f"{run.prefix}.out.{kind}", data, headers={"Nats-TTL": OUTPUT_TTL})


async def closed_steps(runs: RunLog, run: RunId, reason: str) -> list[RecordedStep]:
    """The steps of an attempt that has ended, closed first: a worker that has lost it can add no more to them.

    Raises `StoreUnavailable`.
    """
    while True:
        steps = await runs.read(run)
        if any(isinstance(recorded.step, Closed) for recorded in steps):
            return steps
        result = await runs.append(run, Closed(reason=reason), expected=steps[-1].seq if steps else 0)
        if isinstance(result, Unavailable):
            raise StoreUnavailable(result.reason)
