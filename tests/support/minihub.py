"""A hub without any input or output: a log with fences, a fold that decides, workers that do as they are told.

`truth` folds every message at once, as a worker that reads the tail sees it. `mind` is the orchestrator's own
fold; it may lag behind, and then what it decides runs into fences. Time passes only when a timer fires.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from agenthub_events.base import Draft, Event, Fence
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import SealRecorded
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.context import WorkContext, decode_context, digest_of
from agenthub_events.ports import Recorded
from agenthub_events.rules import goal_aggregate, goal_commands
from agenthub_events.runs import RunId, Step
from agenthub_events.serialization.codec import Unreadable, decode, encode
from agenthub_events.subjects import GOAL_AS_A_WHOLE, aggregate_of
from agenthub_orchestrator.domain import (
    Due,
    Fired,
    GoalState,
    Policy,
    TaskState,
    TimerRequest,
    apply,
    charged,
    decide,
    derived_status,
    initial,
    is_settled_by,
    timers_of,
)

GOAL = "g-01jd0000000000000000000000"
START = datetime(2026, 1, 5, 9, 0, 0, tzinfo=UTC)
ROOT = "0" * 40


class Fenced(Exception):
    """Another message of the aggregate came first."""


class MiniHub:
    """One goal on its log. `dues` keeps every decision that was stored, `fenced` counts those that were not."""

    def __init__(self, policy: Policy | None = None, goal_id: str = GOAL) -> None:
        self.policy = policy or Policy(stall_after_s=60.0)
        self.goal_id = goal_id
        self.now = START
        self.log: list[Recorded] = []
        self.truth = initial(goal_id)
        self.mind = initial(goal_id)
        self.contexts: dict[str, WorkContext] = {}
        self.runs: defaultdict[RunId, list[Step]] = defaultdict(list)
        self.fired: set[Fired] = set()
        self.fenced = 0
        self._seen: dict[TimerRequest, datetime] = {}
        self._fences: defaultdict[str, Fence] = defaultdict(Fence)
        self._ids: set[str] = set()
        self._requests = count(1)
        self._commits = count(1)

    # writing -------------------------------------------------------------------------------------------------

    def store(self, *drafts: Draft) -> None:
        """Append all drafts or none, each under its fence; what is in the log already is no second event."""
        fresh = [draft for draft in drafts if draft.event_id not in self._ids]
        for draft in fresh:
            if self._fences[draft.originator_id] != Fence(draft.expected, draft.version - 1):
                raise Fenced(draft.subject)
        for draft in fresh:
            self.now += timedelta(milliseconds=1)
            self._ids.add(draft.event_id)
            event = self._append(draft.originator_id, draft.subject, encode(draft.sealed(self.now, {})))
            assert not isinstance(event, Unreadable), event.reason

    def garble(self, task_id: str, event_type: str, data: bytes = b'{"type": "from.tomorrow"}') -> None:
        """Store a message that this code cannot read."""
        aggregate = aggregate_of(self.goal_id, task_id, event_type)
        self._append(aggregate, f"evt.{self.goal_id}.{task_id}.{event_type}", data)

    def _append(self, aggregate: str, subject: str, body: bytes) -> Event | Unreadable:
        digest = hashlib.sha256(body).hexdigest()
        recorded = Recorded(seq=len(self.log) + 1, subject=subject, event=decode(body), sha256=digest)
        self._fences[aggregate] = self._fences[aggregate].moved(recorded.seq)
        self.log.append(recorded)
        apply(self.truth, recorded)
        return recorded.event

    def say(self, task_id: str, event: Event, ordinal: str = "") -> Draft:
        """A draft on top of what the log holds now, as a worker or the gateway writes it."""
        fence = self._fences[aggregate_of(self.goal_id, task_id, event.type)]
        return fence.draft(self.goal_id, task_id, event, ordinal or f"request-{next(self._requests)}")

    def tell(self, task_id: str, event: Event, ordinal: str = "") -> None:
        """Store one event on top of what the log holds."""
        self.store(self.say(task_id, event, ordinal))

    def tell_goal(self, event: Event) -> None:
        """Store one event about the goal as a whole."""
        self.tell(GOAL_AS_A_WHOLE, event)

    def command(self, command: goal_commands.GoalCommand) -> None:
        """Let a person's command through the goal family's decider."""
        self.store(*goal_aggregate.decide(self.truth.aggregate, command))

    def request_id(self) -> str:
        """A fresh id of a person's request."""
        return f"request-{next(self._requests)}"

    def commit(self) -> str:
        """A fresh commit id."""
        return f"{next(self._commits):040x}"

    # deciding ------------------------------------------------------------------------------------------------

    def receive(self, most: int = 1_000_000) -> None:
        """Let the orchestrator fold up to `most` further messages."""
        known = self.mind.last_seq
        for recorded in self.log[known : known + most]:
            apply(self.mind, recorded)
        self.fired = {timer for timer in self.fired if not is_settled_by(timer, self.mind)}

    def due(self) -> list[Due]:
        """What the orchestrator decides now, from what it has folded."""
        dues = decide(self.mind, now=self.now, fired=frozenset(self.fired), policy=self.policy)
        aggregates = [due.draft.originator_id for due in dues]
        assert len(set(aggregates)) == len(aggregates), f"two drafts for one aggregate: {aggregates}"
        return dues

    def act(self, dues: Sequence[Due]) -> None:
        """Store decisions; one that meets a fence is dropped, as the orchestrator drops it."""
        for due in dues:
            self._check_context(due)
            draft = due.draft
            if due.charge is not None:
                draft = charged(draft, due.charge, self.runs[due.charge.run])
            try:
                self.store(draft)
            except Fenced:
                self.fenced += 1

    def _check_context(self, due: Due) -> None:
        event = due.draft.event
        if isinstance(event, SealRecorded):
            assert due.context is not None
            assert digest_of(due.context) == event.sha256
        elif not isinstance(event, TaskEnqueued):
            assert due.context is None
        elif due.context is None:
            # What stands in for a lost order names the object that the lost one has brought along.
            known = event.instead_of and event.context_ref in self.contexts
            assert known or (event.agent_type == "noop" and event.context_ref == "")
        else:
            assert digest_of(due.context) == event.context_ref
            self.contexts[event.context_ref] = decode_context(due.context)

    def run(self, rounds: int = 200) -> MiniHub:
        """Fold and decide until nothing is due."""
        for _ in range(rounds):
            self.receive()
            dues = self.due()
            if not dues:
                return self
            before = len(self.log)
            self.act(dues)
            assert len(self.log) > before, f"decides for ever without effect: {[d.draft.subject for d in dues]}"
        raise AssertionError(f"still deciding after {rounds} rounds: {self.story()[-10:]}")

    # timers --------------------------------------------------------------------------------------------------

    def requests(self) -> dict[TimerRequest, datetime]:
        """The timers that the orchestrator wishes for, and when each is due."""
        current: dict[TimerRequest, datetime] = {}
        for request in timers_of(self.mind, self.policy):
            seen = self._seen.setdefault(request, self.now)
            current[request] = request.due or seen + timedelta(seconds=request.after_s or 0.0)
        self._seen = {request: seen for request, seen in self._seen.items() if request in current}
        return current

    def watchdogs(self) -> list[TimerRequest]:
        """What is wished for beside the deadline, which every open goal has."""
        return [request for request in self.requests() if request.kind != "deadline"]

    def fire(self, request: TimerRequest) -> None:
        """Let time pass until this timer is due, and let it fire."""
        self.now = max(self.now, self.requests()[request])
        self.fired.add(Fired(request.kind, request.task_id, request.ref))

    def fire_next(self, *kinds: str) -> TimerRequest:
        """Let the timer that is due first fire (of these kinds, if any are named) and let everything settle."""
        requests = {request: due for request, due in self.requests().items() if not kinds or request.kind in kinds}
        assert requests, f"no timer of {kinds}: {list(self.requests())}"
        request = min(requests, key=lambda known: (requests[known], known.kind, known.task_id))
        self.fire(request)
        self.run()
        return request

    # looking -------------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """The goal's status word."""
        return derived_status(self.truth)

    def task(self, task_id: str) -> TaskState:
        """The state of a task."""
        return self.truth.tasks[task_id]

    def context(self, task_id: str) -> WorkContext:
        """The context of the task's newest attempt."""
        order = self.truth.tasks[task_id].order
        assert order is not None
        return self.contexts[order.context_ref]

    def open(self) -> list[str]:
        """Tasks with an open attempt, in the order of their orders."""
        return list(self.truth.open)

    def story(self, *types: str) -> list[str]:
        """`task type` of every message so far, of these types or of all."""
        told = []
        for recorded in self.log:
            _, _, task_id, kind = recorded.subject.split(".", 3)
            name = recorded.event.type or kind
            if not types or name in types:
                told.append(f"{task_id} {name}")
        return told

    def events(self, kind: type[Event], task_id: str = "") -> list[Event]:
        """Every stored event of a class, of one task or of all."""
        return [
            recorded.event
            for recorded in self.log
            if isinstance(recorded.event, kind) and task_id in ("", recorded.subject.split(".")[2])
        ]

    def verdicts(self) -> list[str]:
        """`gate-tests-1 failed` and so on, in order."""
        found = [*self.events(GatePassed), *self.events(GateFailed)]
        ordered = sorted(found, key=lambda event: event.timestamp)
        return [f"{event.task_id} {event.type.removeprefix('gate.')}" for event in ordered]  # type: ignore[attr-defined]

    def refolded(self) -> GoalState:
        """The fold from the first message again."""
        state = initial(self.goal_id)
        for recorded in self.log:
            apply(state, recorded)
        return state
