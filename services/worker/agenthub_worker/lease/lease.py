"""An attempt that this worker has claimed: the fence of its events, and the look at what others say meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeVar

import msgspec

from agenthub_events.base import Draft, Event, Fence
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskEnqueued, TaskNoted
from agenthub_events.ports import Conflict, Recorded, Stamp, Stored
from agenthub_events.rules.authors import is_foreign
from agenthub_events.rules.goal_aggregate import TERMINAL, evolve, initial
from agenthub_events.runs import RunId
from agenthub_events.serialization.codec import Unreadable
from agenthub_runtime.shutdown import CLEANS_UP_S, end_tasks
from agenthub_runtime.telemetry.tracing import NoFailure, sending, traceparent
from agenthub_worker.domain.claim_decision import still_held
from agenthub_worker.domain.outcomes import AttemptOutcome, Parked, TimedOut
from agenthub_worker.ports import WorkerPorts

E = TypeVar("E", bound=Event)
T = TypeVar("T")

LOOK_EVERY_S = 1.0


class LeaseLost(NoFailure):
    """The attempt is no longer ours, or must not go on: stop everything, acknowledge nothing."""


class AttemptOver(NoFailure):
    """The attempt ends here, with `outcome`."""

    def __init__(self, outcome: AttemptOutcome) -> None:
        super().__init__(type(outcome).__name__)
        self.outcome = outcome


def claim_name(attempt: int, delivery: int, instance: str, instead_of: int = 0) -> str:
    """What distinguishes a claim: the deliveries of an order that stands in for a lost one are counted anew."""
    return f"{attempt}-{delivery}-{instance}" + (f"-{instead_of}" if instead_of else "")


class Note(msgspec.Struct, frozen=True):
    """A person's word to the running agent."""

    seq: int
    text: str


class Lease:
    """A claimed attempt. `claim` distinguishes this claim from every other one of the attempt.

    `secrets` are those of the hub and, after the first look, those that the goal has declared.
    """

    def __init__(
        self, ports: WorkerPorts, goal_id: str, order: TaskEnqueued, *, delivery: int, trace: str
    ) -> None:
        self.ports = ports
        self.goal_id = goal_id
        self.task_id = order.task_id
        self.order = order
        self.delivery = delivery
        self.claim = claim_name(order.attempt, delivery, ports.instance, order.instead_of)
        self.run_id = RunId(goal_id, order.task_id, order.attempt)
        self.fence = Fence()
        self.notes: list[Note] = []
        self.counted_turns: set[int] = set()
        self.earlier: tuple[Recorded, ...] = ()
        self.aggregate = initial(goal_id)
        self.traceparent = trace
        self.secrets = ports.secrets
        self._deadline = ports.clock.monotonic() + order.timeout_s

    @property
    def prefix(self) -> str:
        """The task's aggregate."""
        return f"{self.goal_id}.{self.task_id}"

    @property
    def attempt_key(self) -> str:
        """The attempt as a worker's status names it."""
        return f"{self.prefix}.{self.order.attempt}"

    def begin(self, fence: Fence, tail: Sequence[Recorded]) -> None:
        """The claim is under way: `fence` is where it stands, `tail` what the attempt has written before it."""
        self.fence = fence
        self.earlier = tuple(self.own(tail))
        self._note(self.earlier)

    def stamp(self) -> Stamp:
        """Time, cause and trace of an event that is written now."""
        return Stamp(
            now=self.ports.clock.now(),
            metadata={
                "causation_id": self.order.event_id,
                "correlation_id": self.goal_id,
                "actor": self.ports.worker,
                "observed_seq": str(self.fence.seq),
            },
            traceparent=traceparent() or self.traceparent,
        )

    def draft(self, event: Event, ordinal: str = "") -> Draft:
        """A draft of the task's next event, fenced by this hold."""
        return self.fence.draft(self.goal_id, self.task_id, event, ordinal or self.claim, route=self.author)

    @property
    def author(self) -> tuple[str, ...]:
        """The end of every subject that this attempt writes: the server lets no other worker write there."""
        return (self.order.agent_type,)

    def own(self, tail: Iterable[Recorded]) -> list[Recorded]:
        """What was written about the task since its order, without what is foreign."""
        types = {self.task_id: self.order.agent_type}
        return [recorded for recorded in tail if not is_foreign(recorded, types)]

    async def append(self, event: Event, ordinal: str = "") -> int:
        """Append an event of the task; its sequence. Raises `LeaseLost` when the attempt is not ours any more."""
        event = await self.set_aside(event)
        with sending(event.type):
            return await self._append(event, ordinal)

    async def _append(self, event: Event, ordinal: str) -> int:
        stamp = self.stamp()
        while True:
            match await self.ports.append((self.draft(event, ordinal),), stamp):
                case Stored(seq=seq):
                    self.moved(seq)
                    return seq
                case Conflict(tail=tail):
                    self.absorb(tail)

    async def set_aside(self, event: E) -> E:
        """`event` as the log may keep it for ever; what was said exactly is kept beside the log."""
        exact = self.ports.exact_texts
        return await self.ports.patiently(lambda: exact.set_aside(event, self.goal_id, self.secrets))

    async def restored(self, data: bytes) -> bytes:
        """A JSON text out of the log as it was said."""
        exact = self.ports.exact_texts
        return await self.ports.patiently(lambda: exact.restored(data, self.goal_id))

    async def restored_text(self, text: str) -> str:
        """A plain text out of the log as it was said."""
        exact = self.ports.exact_texts
        return await self.ports.patiently(lambda: exact.restored_text(text, self.goal_id))

    def moved(self, seq: int) -> None:
        """An own event was stored at `seq`."""
        self.fence = self.fence.moved(seq)

    def absorb(self, tail: Sequence[Recorded]) -> None:
        """Take in what others appended to the task. Raises `LeaseLost` when that ends our claim."""
        told = self.own(tail)
        if not still_held(told, self.ports.instance, self.delivery):
            last = told[-1].event if told else None
            raise LeaseLost(f"the task moved on without this worker ({last.type if last else 'unknown'})")
        self._note(told)
        self.fence = self.fence.after(tail)

    async def recall_notes(self) -> None:
        """Take in what people said during earlier attempts: one that ended early may not have read it."""
        if self.order.attempt == 1:
            return
        told = await self.ports.patiently(lambda: self.ports.events.read(self.prefix))
        known = {note.seq for note in self.notes}
        self._note([recorded for recorded in told if recorded.seq not in known])
        self.notes.sort(key=lambda note: note.seq)

    async def look(self) -> None:
        """See what others have said about the task and the goal. Raises `LeaseLost` or `AttemptOver`."""
        if self.ports.stopping.is_set():
            raise AttemptOver(Parked(reason="restart", detail="the worker is being restarted"))
        if self.ports.clock.monotonic() >= self._deadline:
            raise AttemptOver(TimedOut())
        await asyncio.gather(self._look_at_task(), self.look_at_goal())

    async def while_held(self, work: Awaitable[T]) -> T:
        """Run `work`, and stop it when the attempt is lost, over or out of time; whatever it started is ended."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self.ports.stopping.wait())
        try:
            while not task.done():
                wait = min(LOOK_EVERY_S, max(self._deadline - self.ports.clock.monotonic(), 0.0))
                await asyncio.wait({task, stop}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if not task.done():
                    await self.look()
            return task.result()
        finally:
            await end_tasks(task, stop, again_s=CLEANS_UP_S)

    async def _look_at_task(self) -> None:
        last = await self.ports.patiently(lambda: self.ports.events.last(self.prefix))
        if last is not None and last.seq > self.fence.seq:
            after = self.fence.seq
            self.absorb(await self.ports.patiently(lambda: self.ports.events.read(self.prefix, after=after)))

    async def look_at_goal(self) -> None:
        """See whether the goal still wants work done. Raises `LeaseLost`."""
        await self._fold_goal()
        if self.aggregate.phase in TERMINAL:
            raise LeaseLost(f"the goal is {self.aggregate.phase}")
        if self.aggregate.paused:
            raise LeaseLost("the goal is paused")

    async def _fold_goal(self) -> None:
        family = f"{self.goal_id}._.goal"
        last = await self.ports.patiently(lambda: self.ports.events.last(family))
        if last is None or last.seq <= self.aggregate.fence.seq:
            return
        after = self.aggregate.fence.seq
        for recorded in await self.ports.patiently(lambda: self.ports.events.read(family, after=after)):
            if isinstance(recorded.event, Unreadable):
                raise LeaseLost("the goal holds a message that this version cannot read")
            self.aggregate = evolve(self.aggregate, recorded.seq, recorded.event)
            if isinstance(recorded.event, GoalAccepted):
                await self._learn_secrets(recorded.event.secrets_ref)

    async def _learn_secrets(self, digest: str) -> None:
        exact = self.ports.exact_texts
        declared = await self.ports.patiently(lambda: exact.secrets_at(digest, self.goal_id))
        self.secrets = self.secrets.with_also(declared)

    def _note(self, tail: Sequence[Recorded]) -> None:
        for recorded in tail:
            match recorded.event:
                case TaskNoted(by=by, text=text):
                    self.notes.append(Note(recorded.seq, f"A note from {by}: {text}"))
                case LlmCalled(attempt=attempt, turn=turn) if attempt == self.order.attempt:
                    self.counted_turns.add(turn)
