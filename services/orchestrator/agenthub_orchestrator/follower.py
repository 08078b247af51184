"""Following the log and adding to it what is due.

The follower has no memory that matters: it folds the log, asks the pure decider after each batch, and appends what
the decider returns. Lost, doubled or late wake-ups change nothing, and any number of followers may run.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any

import msgspec
import structlog

from agenthub_events.base import Draft
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import (
    AppendResult,
    Artifacts,
    Clock,
    Conflict,
    EventLog,
    FiredTimer,
    Ids,
    Recorded,
    RunLog,
    Stamp,
    Stored,
    Timers,
    Unavailable,
)
from agenthub_events.subjects import HUB
from agenthub_orchestrator.decision_traces import DecisionTraces
from agenthub_orchestrator.domain import (
    Charge,
    DecisionInputs,
    Due,
    Fired,
    Policy,
    QueuedOrder,
    TimerRequest,
    charged,
    decide,
    initial,
    is_settled_by,
    queued_orders,
    timers_of,
)
from agenthub_orchestrator.domain.inputs import POLICY
from agenthub_orchestrator.domain.quarantined import Quarantined
from agenthub_orchestrator.held_goals import (
    ACTOR,
    HeldGoal,
    Sent,
    contained,
    fold,
    is_repeated,
    metadata_of,
    rests,
)
from agenthub_orchestrator.policy_objects import PolicyObjects
from agenthub_orchestrator.quarantine import QuarantineLog
from agenthub_orchestrator.timer_keeper import TimerKeeper
from agenthub_runtime.code_version import code_version
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.jetstream.run_log import closed_steps
from agenthub_runtime.seal_keys import signed
from agenthub_runtime.shutdown import end_tasks, together
from agenthub_runtime.telemetry.tracing import Telemetry

log = structlog.get_logger(__name__)

DECIDING = ("agenthub_events", "agenthub_orchestrator.domain")
SENDS_AT_ONCE = 256
FINISHED_KEPT = 64
FAILURES_BORNE = 3
SWEEP_S = 60.0
_PAGE = 5_000


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Where to begin: goals that were accepted up to `after` had ended and were settled by the event `known`."""

    after: int = 0
    known: int = 0


class Follower:
    """Decides for every goal of the log. `policy` may be replaced while it runs.

    `caught_up` is set once everything that was stored before the start is folded: before that it decides nothing.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        runs: RunLog,
        artifacts: Artifacts,
        timers: Timers,
        clock: Clock,
        ids: Ids,
        policy: Policy,
        start: Start | None = None,
        seal_key: str = "",
        telemetry: Telemetry | None = None,
    ) -> None:
        self._log = log
        self._runs = runs
        self._artifacts = artifacts
        self._policies = PolicyObjects(artifacts)
        self._timers = timers
        self._clock = clock
        self._backoff = Backoff(clock, ids)
        self._start = start or Start()
        self._seal_key = seal_key
        self._traces = DecisionTraces(telemetry, clock)
        self._keeper = TimerKeeper(timers, clock, self._backoff, self._timer_requests_of)
        self._quarantine = QuarantineLog(log, clock, ACTOR)
        self._goals: dict[str, HeldGoal] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()
        self._loading = asyncio.Lock()
        self._slots = asyncio.Semaphore(SENDS_AT_ONCE)
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._failures = 0
        self.caught_up = asyncio.Event()
        self.policy = policy
        self.position = self._start.after

    async def run(self) -> None:
        """Follow and decide for ever. Cancel it to stop; what it was sending may or may not be stored."""
        try:
            await together(
                follow_forever(self._begin, self._advance, what="event log", backoff=self._backoff),
                follow_forever(self._timers.fired, self.receive, what="timers", backoff=self._backoff),
                self._sweep(),
                self._keeper.run(),
            )
        finally:
            await end_tasks(*self._tasks)

    async def receive(self, timer: FiredTimer, detail: str = "") -> None:
        """Take a timer that has fired into the decisions; it is acknowledged when the fold has its answer.

        Raises `StoreUnavailable` when its goal is not held and cannot be read.
        """
        goal = await self._hold(timer.goal_id)
        goal.fired[Fired(timer.kind, timer.task_id, timer.ref, detail)] = timer
        self._decide(goal)

    def queued(self) -> list[QueuedOrder]:
        """Every order that is open, of all goals that are held; none before everything is folded."""
        if not self.caught_up.is_set():
            return []
        return [order for goal in self._goals.values() if not goal.broken for order in queued_orders(goal.state)]

    def _begin(self) -> AsyncGenerator[list[Recorded], None]:
        return self._log.follow(after=self.position)

    async def _advance(self, batch: Sequence[Recorded]) -> None:
        await self._take(batch)
        if not batch and not self.caught_up.is_set():
            self._catch_up()

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(SWEEP_S)
            if given_up := self._given_up():
                await self._quarantine.add(given_up)
            for goal_id in list(self._goals):
                goal = self._goals.get(goal_id)
                if goal is not None:
                    self._keeper.touch(goal_id)
                    self._decide(goal)
                    # Deciding for many goals must not hold up those that move.
                    await asyncio.sleep(0)

    def _catch_up(self) -> None:
        self.caught_up.set()
        log.info("follower_caught_up", position=self.position, goals=len(self._goals))
        for goal_id, goal in list(self._goals.items()):
            self._keeper.touch(goal_id)
            self._decide(goal)
        self._start_task(self._take_up())

    async def _take_up(self) -> None:
        """Go on with what another process had given up, as far as this code can; say what it cannot go on with."""
        try:
            for told in (await self._quarantine.open()).values():
                self._decide(await self._hold(told.goal_id))
            await self._quarantine.settle(self._given_up())
        except StoreUnavailable as error:
            log.warning("quarantine_not_read", reason=str(error))

    def _given_up(self) -> list[Quarantined]:
        return [goal.given_up for goal in self._goals.values() if goal.given_up is not None]

    async def _take(self, batch: Sequence[Recorded]) -> None:
        touched: dict[str, HeldGoal] = {}
        for recorded in batch:
            goal_id = recorded.subject.split(".", 2)[1]
            goal = self._goals.get(goal_id) or await self._find(goal_id, recorded)
            if goal is not None:
                fold(goal, recorded)
                touched[goal_id] = goal
            self.position = recorded.seq
        if self.caught_up.is_set():
            for goal_id, goal in touched.items():
                self._keeper.touch(goal_id)
                self._decide(goal)

    async def _find(self, goal_id: str, recorded: Recorded) -> HeldGoal | None:
        if goal_id == HUB:
            return None
        event = recorded.event
        if isinstance(event, GoalAccepted) and event.originator_version == 1:
            goal = self._goals[goal_id] = HeldGoal(initial(goal_id))
            return goal
        if recorded.seq <= self._start.known:
            return None
        return await self._hold(goal_id)

    async def _hold(self, goal_id: str) -> HeldGoal:
        """The goal's fold, made from the log when it is not held: also a finished goal may come back."""
        async with self._loading:
            goal = self._goals.get(goal_id)
            if goal is None:
                goal = HeldGoal(initial(goal_id))
                page = await self._log.read(goal_id, limit=_PAGE)
                while page:
                    for recorded in page:
                        fold(goal, recorded)
                    page = await self._log.read(goal_id, after=page[-1].seq, limit=_PAGE)
                self._goals[goal_id] = goal
        return goal

    def _decide(self, goal: HeldGoal) -> None:
        if not self.caught_up.is_set():
            return
        if goal.broken:
            self._tell_given_up(goal)
            return
        state = goal.state
        dues: list[Due] = []
        now = self._clock.now()
        inputs = DecisionInputs(
            observed_seq=state.last_seq,
            now=now,
            fired=frozenset(goal.fired),
            policy_ref=self._policies.ref(self.policy),
            code=code_version(*DECIDING),
        )
        # The next event or the sweep tries again.
        with contained("decision_failed", goal_id=state.goal_id, seq=state.last_seq) as failed:
            dues = decide(
                state,
                now=now,
                fired=inputs.fired,
                policy=self.policy,
                in_flight=goal.in_flight.keys(),
            )
        if failed:
            self._failed(goal, f"{type(failed[0]).__name__}: {failed[0]}")
            return
        if again := next((due.draft for due in dues if is_repeated(goal, due.draft)), None):
            self._failed(goal, f"{again.subject} is stored and due all the same")
            return
        self._worked(goal)
        for due in dues:
            if due.draft.originator_id not in goal.in_flight:
                self._send(goal, due, inputs)
        self._settle_timers(goal)
        if rests(goal):
            self._retire(state.goal_id)

    def _failed(self, goal: HeldGoal, reason: str) -> None:
        goal.failures += 1
        if goal.failures >= FAILURES_BORNE and goal.given_up is None:
            state = goal.state
            words = f"the goal stands still, nothing can be decided for it: {reason}"
            goal.given_up = Quarantined(state.goal_id, state.goal_id, state.last_seq, words)
            self._tell_given_up(goal)

    def _worked(self, goal: HeldGoal) -> None:
        goal.failures = 0
        if goal.given_up is not None:
            goal.given_up, goal.is_told = None, False
            self._start_task(self._quarantine.settle(self._given_up()))

    def _tell_given_up(self, goal: HeldGoal) -> None:
        if goal.given_up is not None and not goal.is_told:
            goal.is_told = True
            self._start_task(self._quarantine.add([goal.given_up]))

    def _send(self, goal: HeldGoal, due: Due, inputs: DecisionInputs) -> None:
        sent = Sent(due.draft.event_id)
        goal.in_flight[due.draft.originator_id] = sent
        self._start_task(self._deliver(goal, due, sent, metadata_of(goal, due.draft, inputs)))

    async def _deliver(self, goal: HeldGoal, due: Due, sent: Sent, metadata: dict[str, str]) -> None:
        draft = due.draft
        result: AppendResult = Unavailable("unexpected error")
        with contained("append_failed", goal_id=draft.goal_id, type=draft.event.type):
            async with self._slots:
                with self._traces.span(goal, draft) as trace:
                    result = await self._append(due, metadata, trace)
        match result:
            case Stored(seq=seq, duplicate=duplicate):
                self._failures = 0
                if not duplicate:
                    self._traces.stored(goal, draft)
                self._reached(goal, draft.originator_id, sent, seq)
            case Conflict(tail=tail) if tail:
                log.info("append_conflict", subject=draft.subject, winner=tail[-1].seq)
                self._reached(goal, draft.originator_id, sent, tail[-1].seq)
            case _:
                log.warning("append_waits", subject=draft.subject, result=str(result))
                self._failures += 1
                await self._backoff.pause(self._failures)
                self._reached(goal, draft.originator_id, sent, goal.state.last_seq)

    async def _append(self, due: Due, metadata: dict[str, str], trace: str) -> AppendResult:
        try:
            await self._policies.keep(metadata[POLICY])
            if due.context is not None:
                await self._artifacts.put(due.context)
            draft = due.draft if due.charge is None else await self._charged(due.draft, due.charge)
            stamp = Stamp(now=self._clock.now(), metadata=metadata, traceparent=trace)
            return await self._log.append(draft, signed(draft, stamp, self._seal_key))
        except StoreUnavailable as error:
            return Unavailable(str(error))

    async def _charged(self, draft: Draft, charge: Charge) -> Draft:
        try:
            recorded = await closed_steps(self._runs, charge.run, "the attempt has ended")
        except msgspec.DecodeError as error:
            log.warning("run_not_readable", run=charge.run.prefix, charged="the whole slice", reason=str(error))
            return draft
        return charged(draft, charge, [step.step for step in recorded])

    def _reached(self, goal: HeldGoal, aggregate: str, sent: Sent, seq: int) -> None:
        """The event stands in the log, or another one does, at `seq`: decide again when the fold is there."""
        if goal.in_flight.get(aggregate) is not sent:
            return
        if goal.state.last_seq >= seq:
            del goal.in_flight[aggregate]
            self._decide(goal)
        else:
            sent.until = seq

    def _settle_timers(self, goal: HeldGoal) -> None:
        for fired in [fired for fired in goal.fired if is_settled_by(fired, goal.state)]:
            timer = goal.fired.pop(fired)
            self._keeper.has_fired(timer.kind, timer.goal_id, timer.task_id)
            self._start_task(self._acknowledge(timer))

    async def _acknowledge(self, timer: FiredTimer) -> None:
        try:
            await timer.ack()
        except StoreUnavailable as error:
            # It comes again and is settled again.
            log.warning("timer_not_acknowledged", kind=timer.kind, goal_id=timer.goal_id, reason=str(error))

    def _timer_requests_of(self, goal_id: str) -> Sequence[TimerRequest]:
        goal = self._goals.get(goal_id)
        if goal is None or goal.broken:
            return ()
        return timers_of(goal.state, self.policy, busy=bool(goal.in_flight))

    def _retire(self, goal_id: str) -> None:
        """Keep a few finished goals for their last events; any other is folded again if it comes back."""
        self._finished[goal_id] = None
        self._finished.move_to_end(goal_id)
        while len(self._finished) > FINISHED_KEPT:
            oldest, _ = self._finished.popitem(last=False)
            goal = self._goals.get(oldest)
            if goal is not None and rests(goal):
                del self._goals[oldest]

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
