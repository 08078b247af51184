"""Gives the work of a dead worker process to the others at once, instead of after the acknowledgement time-out.

A worker writes the reply address of its order into `task.started`. When the parent of that process sees it die, it
answers there in its name: not done, deliver again. Only the parent may do so, and only at once: the server takes
such an answer even when somebody else holds the order by then. A mistake costs one wasted run, for the fence of
the task refuses the loser.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Collection, Coroutine, Sequence
from typing import Any

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.catalogue import CLOSES_ATTEMPT
from agenthub_events.rules.authors import author_of
from agenthub_events.subjects import STREAM, parse_subject
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.jetstream.fenced_stream import FencedStream
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus
from agenthub_runtime.jetstream.wire import RawMessage
from agenthub_runtime.shutdown import end_tasks

_log = structlog.get_logger(__name__)

_STARTED = "task.started"
# Of a service, and of a worker, whose subjects end in its agent type.
_SUBJECTS = tuple(f"evt.*.*.{kind}{end}" for kind in (_STARTED, *sorted(CLOSES_ATTEMPT)) for end in ("", ".*"))
_ORDER = re.compile(r"\$JS\.ACK\.(?:[^.]+\.[^.]+\.)?EVENTS\.work-([a-z]+)-p[0-3](?:\.[A-Za-z0-9_-]+)+")
_NAK = b"-NAK"
# A claim may be on its way to us when its worker dies. The next process of that name takes longer to be there.
_LATE_CLAIMS_S = 0.1


class OpenAttempt(msgspec.Struct, frozen=True):
    """What the log says of a running attempt: who holds it, and where its order is answered."""

    worker: str
    ack_subject: str

    @property
    def agent_type(self) -> str:
        """The type of the queue that the order came from; empty when it is answered at no queue of ours.

        What a worker writes here is published with the rights of this process.
        """
        found = _ORDER.fullmatch(self.ack_subject)
        return found.group(1) if found else ""


_DECODER = msgspec.json.Decoder(OpenAttempt)


class Handover:
    """Follows who holds which order, for the workers named in `workers`, and hands it back when one dies.

    `held` maps (goal, task) to the claim of every attempt that is open as far as the log has been followed.
    """

    def __init__(self, nc: Client, workers: Collection[str], backoff: Backoff) -> None:
        self._nc = nc
        self._log = FencedStream(nc, STREAM)
        self._place = 0
        self._backoff = backoff
        self._workers = set(workers)
        self.held: dict[tuple[str, str], OpenAttempt] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Follow the log from now on: what was claimed before was not claimed by children of this process."""
        self._place = await self._log.last_seq()
        self._start(
            follow_forever(self._claims, self._take, what="claims", backoff=self._backoff), "handover-claims"
        )

    def watch(self, worker: str) -> None:
        """Do the same for one worker more."""
        self._workers.add(worker)

    def on_death(self, name: str, pid: int) -> None:
        """The hook of the supervisor: `name` may be any unit; nothing happens for those that are no workers."""
        if name in self._workers:
            self._start(self._hand_back(name, pid), f"handover-{name}")

    async def stop(self) -> None:
        """Forget what was held. The connection belongs to the caller."""
        await end_tasks(*self._running)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _claims(self) -> AsyncGenerator[list[RawMessage], None]:
        return self._log.follow(_SUBJECTS, after=self._place)

    async def _take(self, batch: Sequence[RawMessage]) -> None:
        for message in batch:
            self._note(message)
            self._place = message.seq

    def _note(self, message: RawMessage) -> None:
        subject = parse_subject(message.subject)
        place, author = (subject.goal_id, subject.task_id), author_of(subject)
        if subject.type != _STARTED:
            held = self.held.get(place)
            if held is not None and author in ("", held.agent_type):
                del self.held[place]
            return
        try:
            claim = _DECODER.decode(message.data)
        except msgspec.DecodeError:
            _log.warning("claim_unreadable", subject=message.subject)
            return
        if not claim.agent_type or author not in ("", claim.agent_type):
            _log.warning("claim_foreign", subject=message.subject, ack_subject=claim.ack_subject)
            return
        self.held[place] = claim

    async def _hand_back(self, worker: str, pid: int) -> None:
        try:
            # Whoever gets the order next asks the fleet whether its holder lives; the old word must not stand.
            await NatsFleet(self._nc).publish(WorkerStatus(worker=worker, instance="", types=(), slots=0))
            await self._nc.flush(timeout=1)
            orders = await self._nak_all(worker)
            await asyncio.sleep(_LATE_CLAIMS_S)
            orders += await self._nak_all(worker)
        except (NatsError, OSError) as error:
            _log.warning("handover_failed", worker=worker, pid=pid, error=str(error) or type(error).__name__)
            return
        _log.info("work_handed_back", worker=worker, pid=pid, orders=orders)

    async def _nak_all(self, worker: str) -> int:
        places = [place for place, claim in self.held.items() if claim.worker == worker]
        for place in places:
            await self._nc.publish(self.held.pop(place).ack_subject, _NAK)
        return len(places)
