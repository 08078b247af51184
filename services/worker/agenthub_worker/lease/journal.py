"""Writes the steps of a run: each one is stored before the next thing happens, behind the run's own fence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec

from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.catalogue.values import Finding
from agenthub_events.context import Answered, WorkContext, decode_context
from agenthub_events.errors import ArtifactMissing, StoreUnavailable
from agenthub_events.ports import StepConflict, Stored, Unavailable
from agenthub_events.redaction import redact_bytes
from agenthub_events.runs import RecordedStep, Resumed, RunId, RunSetup, Step, decode_setup
from agenthub_runtime.jetstream.run_log import closed_steps
from agenthub_worker.domain.run import Run, fold
from agenthub_worker.lease.lease import Lease, LeaseLost

_RESUME_TRIES = 5


class Journal:
    """The run of a held attempt, and the only one who may add to it. Make one with `open_journal`.

    `heard` holds, by id, what the model said in calls of which the record has a mask in the place of a secret. It
    is gone with this worker.
    """

    def __init__(self, lease: Lease, run: Run, last_seq: int) -> None:
        self.lease = lease
        self.run = run
        self.heard: dict[str, Any] = {}
        self._last_seq = last_seq
        self._emitter = _Emitter(lease)

    async def write(self, step: Step) -> None:
        """Store a step and fold it. Raises `LeaseLost` when somebody else has added to the run."""
        ports, run_id = self.lease.ports, self.lease.run_id

        async def send() -> Stored | StepConflict:
            result = await ports.runs.append(run_id, step, expected=self._last_seq)
            if isinstance(result, Unavailable):
                raise StoreUnavailable(result.reason)
            return result

        match await ports.patiently(send):
            case Stored(seq=seq):
                self._last_seq = seq
                self.run.apply(step)
            case StepConflict():
                raise LeaseLost("another worker writes to the run")

    def emit(self, kind: Literal["text", "output"], data: bytes) -> None:
        """Give out a piece of progress; nothing waits for it."""
        self._emitter.add(kind, data)


async def open_journal(
    lease: Lease, context: WorkContext, first: str, endings: Set[str], setup_ref: str = ""
) -> Journal:
    """Fold what is recorded of the attempt, and of those it resumes, and take the run over. Raises `LeaseLost`.

    `first` and `endings`: what `Run` begins with. `setup_ref`: the object that says what the calls have in common.
    """
    ports = lease.ports
    earlier = await _earlier_parts(lease)
    for _ in range(_RESUME_TRIES):
        run = Run(first, endings)
        for part in earlier:
            await _begin(lease, run, part.order, part.answered)
            fold(run, part.steps)
        await _begin(lease, run, lease.order, context.answered)
        last = fold(run, await ports.patiently(lambda: ports.runs.read(lease.run_id)))
        if run.closed:
            raise LeaseLost(f"the run is closed: {run.closed}")
        journal = Journal(lease, run, last)
        resumed = Resumed(
            instance=ports.instance,
            worker=ports.worker,
            delivery=lease.delivery,
            resumes=lease.order.resumes,
            setup_ref=setup_ref,
        )
        try:
            await journal.write(resumed)
        except LeaseLost:
            # The holder before us may have stored one more step since we read; its claim is gone by now.
            continue
        return journal
    raise LeaseLost("the run keeps changing under this worker")


class EarlierSetup(NamedTuple):
    """With what a run was held before, and in which attempt."""

    setup: RunSetup
    attempt: int

    def told(self, scanned: Sequence[Finding], other_side: str) -> bool:
        """Whether its first message says this of the scanners, and of a change that did not fit."""
        return tuple(scanned) == self.setup.scanned and other_side == self.setup.other_side


async def recorded_setup(lease: Lease) -> EarlierSetup | None:
    """The newest setup of the run that this attempt goes on with; None: it begins, or its setup is gone."""
    orders = await _orders(lease) if lease.order.resumes else {}
    order: TaskEnqueued | None = lease.order
    while order is not None:
        attempt, resumes = order.attempt, order.resumes
        if attempt < lease.order.attempt or lease.delivery > 1 or order.instead_of:
            setup = await _setup_of(lease, RunId(lease.goal_id, lease.task_id, attempt))
            if setup is not None:
                return EarlierSetup(setup, attempt)
        order = orders.get(resumes) if 0 < resumes < attempt else None
    return None


async def _setup_of(lease: Lease, run_id: RunId) -> RunSetup | None:
    ports = lease.ports
    steps = await ports.patiently(lambda: ports.runs.read(run_id))
    refs = [one.step.setup_ref for one in steps if isinstance(one.step, Resumed) and one.step.setup_ref]
    if not refs:
        return None
    try:
        return decode_setup(await ports.patiently(lambda: ports.artifacts.get(refs[-1])))
    except (ArtifactMissing, msgspec.DecodeError):
        return None


class _Part(NamedTuple):
    """An earlier attempt of the run: its order, the answer that it was given, and what it has recorded."""

    order: TaskEnqueued
    answered: Answered | None
    steps: Sequence[RecordedStep]


async def _orders(lease: Lease) -> dict[int, TaskEnqueued]:
    """Every order of the task, by attempt."""
    told = await lease.ports.patiently(lambda: lease.ports.events.read(lease.prefix))
    return {event.attempt: event for recorded in told if isinstance(event := recorded.event, TaskEnqueued)}


async def _begin(lease: Lease, run: Run, order: TaskEnqueued, answered: Answered | None) -> None:
    if order.resumes or answered is not None:
        changed = [await lease.restored_text(line) for line in order.changed]
        run.resume_in(answered=answered, changed=changed)


async def _earlier_parts(lease: Lease) -> list[_Part]:
    """The attempts from which this one goes on, the oldest first, as their orders say it.

    An attempt that ended before its first step left no trace in its run; its order still holds the answer.
    """
    if not lease.order.resumes:
        return []
    ports = lease.ports
    orders = await _orders(lease)
    parts: list[_Part] = []
    attempt, after = lease.order.resumes, lease.order.attempt
    while attempt < after and (order := orders.get(attempt)) is not None:
        run_id = RunId(lease.goal_id, lease.task_id, order.attempt)
        reason = f"attempt {lease.order.attempt} goes on from here"
        steps = await ports.patiently(partial(closed_steps, ports.runs, run_id, reason))
        data = await ports.patiently(partial(ports.artifacts.get, order.context_ref))
        answered = decode_context(await lease.restored(data)).answered
        parts.insert(0, _Part(order, answered, steps))
        attempt, after = order.resumes, attempt
    return parts


class _Emitter:
    """Sends output as it comes; what arrives while one piece is on its way goes with the next.

    A piece ends between words, so that a credential is whole when it is looked for. The last word stays behind
    until more comes; the step that ends the output holds it anyway. A flood is thinned out: once a second's share
    has been sent, only the newest piece waits for the next one.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._waiting: dict[str, bytearray] = {}
        self._sending: asyncio.Task[None] | None = None
        self._second = 0.0
        self._sent = 0

    def add(self, kind: str, data: bytes) -> None:
        if not data:
            return
        waiting = self._waiting.setdefault(kind, bytearray())
        waiting.extend(data)
        del waiting[:-_PIECE]
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while (found := self._next_piece()) is not None:
            kind, piece = found
            shown = redact_bytes(self._lease.secrets.masked_bytes(piece))
            await self._lease.ports.runs.emit(self._lease.run_id, kind, shown)

    def _next_piece(self) -> tuple[str, bytes] | None:
        now = self._lease.ports.clock.monotonic()
        if now - self._second >= 1:
            self._second, self._sent = now, 0
        if self._sent >= _A_SECOND:
            return None
        for kind, waiting in self._waiting.items():
            end = max(waiting.rfind(b" ") + 1, waiting.rfind(b"\n") + 1, len(waiting) - _WORD)
            if end > 0:
                piece = bytes(waiting[:end])
                del waiting[:end]
                self._sent += len(piece)
                return kind, piece
        return None


_PIECE = 64 << 10
_A_SECOND = 128 << 10
_WORD = 512
