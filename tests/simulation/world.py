"""One hub on virtual time: servers that keep their promises, and processes that die at any moment."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import structlog

from agenthub_events.catalogue.values import PlanTask
from agenthub_events.ports import Recorded
from agenthub_events.subjects import HUB
from agenthub_gateway.commands.append import Writer
from agenthub_gateway.commands.forking import ForkPoint
from agenthub_orchestrator.domain import GoalState, Policy, apply, initial
from agenthub_orchestrator.follower import Follower
from agenthub_orchestrator.queues.hold_keeper import keep_held
from agenthub_orchestrator.queues.queue_keeper import keep_queues
from agenthub_orchestrator.schedules.keeper import keep_schedules
from agenthub_replay.forking import Different
from agenthub_replay.history import load
from agenthub_replay.playing.decisions import replay_decisions
from agenthub_runtime.exact_texts import ExactTexts
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.in_memory.fleet import InMemoryFleet
from agenthub_runtime.in_memory.run_log import InMemoryRunLog
from agenthub_runtime.in_memory.timers import InMemoryTimers
from agenthub_runtime.in_memory.work_queue import InMemoryBroker
from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_worker.ports import WorkerPorts
from tests.simulation import checks
from tests.simulation.checks import Effect, Violated
from tests.simulation.deliveries import Elsewhere, wrong_deliveries
from tests.simulation.faults import CALM, Adversary, Fault, Weather, weather_of
from tests.simulation.inheritance import of_forks
from tests.simulation.people import People
from tests.simulation.ports import (
    BrokerQueues,
    GatedArtifacts,
    GatedFleet,
    GatedLanes,
    GatedRunLog,
    GatedTimers,
    GatedWorkQueue,
    SeenLog,
    SkewedClock,
)
from tests.simulation.process import Process, track_processes
from tests.simulation.readers import Tables, project, rebuilt
from tests.simulation.schedules import Scheduling
from tests.simulation.schedules import of_log as checks_of_schedules
from tests.simulation.script import TIMEOUT_S, Provider, Script, Scripts
from tests.simulation.workers import SILENT, TYPES, ScriptedRunner, Stage, Thread, beat
from tests.support.histories import PortsSource
from tests.support.virtual_time import SeededIds, VirtualClock, run_virtually

ORCHESTRATORS = 2
WORKERS = 3
STORM_S = 120.0
QUIET_S = 65.0
ROUNDS = 40
POLICY = Policy(
    max_retries=4,
    backoff_base_s=1.0,
    backoff_cap_s=10.0,
    attempt_grace_s=10.0,
    park_s=5.0,
    stall_after_s=30.0,
    escalate_after_s=40.0,
    max_escalations=2,
)

_UNEXPECTED = frozenset(
    {"decision_failed", "append_failed", "goal_not_foldable", "attempt_broke", "foreign_message"}
)


@dataclass
class Outcome:
    """How a world ended. `effects`: what each goal has brought about."""

    seed: int
    calm: bool
    violations: list[Violated] = field(default_factory=list)
    schedule: list[Fault] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    log: list[Recorded] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class World:
    """The hub of one seed. `weather` None: the seed decides it."""

    def __init__(self, seed: int, folder: Path, *, weather: Weather | None = None) -> None:
        chance = Random(f"world-{seed}")
        self.seed = seed
        # Calm worlds are played twice, to compare what they bring about.
        self.calm = chance.random() < 0.3
        self._chance = chance
        self._folder = folder
        drawn = weather_of(chance)
        self.adversary = Adversary(seed, drawn if weather is None else weather)
        self._clock = VirtualClock()
        self._log = SeenLog(self.adversary.gate)
        self._runs = InMemoryRunLog()
        self._artifacts = InMemoryArtifacts()
        self._timers = InMemoryTimers(self._clock)
        self._fleet = InMemoryFleet(self._clock)
        self._broker = InMemoryBroker(self._log, self._clock)
        self._tables = Tables()
        self._ids = itertools.count(1)
        self._servers: list[asyncio.Task[None]] = []
        self._states: dict[str, GoalState] = {}
        self._seen = 0
        self._violations: list[Violated] = []
        self._provider = Provider()
        self._elsewhere = Elsewhere()
        self._goals = [f"g-{seed:020d}{number:06d}" for number in range(1, chance.choice((1, 1, 1, 2)) + 1)]
        self._scripts = Scripts(seed, calm=self.calm)
        for goal_id in self._goals:
            self._scripts.of(goal_id)
        texts = ExactTexts(self._artifacts, SeededIds(seed))
        self._people = People(
            seed,
            calm=self.calm,
            writer=lambda: Writer(self._log, self._clock, SILENT, texts),
            lanes=GatedLanes(self._broker, self.adversary),
        )
        # Calm goals must end the same however many of their attempts die.
        retries = POLICY.max_retries if self.calm else chance.choice((0, 1, 1, POLICY.max_retries))
        self._policy = msgspec.structs.replace(POLICY, max_retries=retries)
        self._reads = seed % 4 == 0
        self._steals = seed % 3 == 0
        # What is forked where depends on when: calm worlds could not be compared.
        self._forking = Random(f"forking-{seed}")
        self._forks = 0 if self.calm or seed % 6 != 1 else self._forking.choice((1, 2))
        self._schedule = Scheduling(seed, self._people, self._scripts) if seed % 10 == 6 else None

    async def play(self) -> Outcome:
        """The storm, then the calm after it, then the checks."""
        loop = asyncio.get_running_loop()
        track_processes(loop)
        loop.set_exception_handler(self._on_lost_exception)
        self._serve(self._broker.run())
        for number in range(1, ORCHESTRATORS + 1):
            self._serve(self._keep(f"orchestrator-{number}", self._orchestrate))
        for number in range(1, WORKERS + 1):
            self._serve(self._keep(f"worker-{number}", self._work))
        if self._reads:
            self._serve(self._keep("projector", lambda _: project(self._log, self._tables, self.adversary)))
        await self._storm()
        self.adversary.stop()
        await self._settle()
        await self._check()
        outcome = self._outcome()
        for server in self._servers:
            server.cancel()
        self._timers.close()
        return outcome

    # processes -----------------------------------------------------------------------------------------------

    def _serve(self, work: Coroutine[Any, Any, None]) -> None:
        self._servers.append(asyncio.get_running_loop().create_task(work))

    async def _keep(self, name: str, start: Callable[[Process], Coroutine[Any, Any, None]]) -> None:
        """A supervisor: what dies is started again."""
        while True:
            process = Process(name)
            work = process.run(start(process))
            await asyncio.wait([work])
            if not work.cancelled() and (error := work.exception()) is not None:
                self._violations.append(Violated("crash", f"{name} died of {error!r}"))
            process.kill()
            await process.gone()
            await asyncio.sleep(self.adversary.pick(0.1, 1.0, 8.0, 25.0))

    async def _orchestrate(self, _: Process) -> None:
        follower = Follower(
            log=self._log,
            runs=GatedRunLog(self._runs, self.adversary),
            artifacts=GatedArtifacts(self._artifacts, self.adversary),
            timers=GatedTimers(self._timers, self.adversary),
            clock=self._skewed(),
            ids=SeededIds(self.seed),
            policy=self._policy,
            seal_key=checks.SEAL_KEY,
        )
        queues = BrokerQueues(self._broker, self._fleet, self.adversary)
        async with asyncio.TaskGroup() as group:
            group.create_task(follower.run())
            group.create_task(keep_queues(follower, queues, self._skewed()))
            group.create_task(keep_held(self._log, GatedLanes(self._broker, self.adversary), self._skewed()))
            if self._schedule is not None:
                group.create_task(keep_schedules(self._log, self._skewed()))

    async def _work(self, process: Process) -> None:
        queue = GatedWorkQueue(self._broker, types_of(process.name), self.adversary, slots=2)
        fleet = GatedFleet(self._fleet, self.adversary)
        number = next(self._ids)
        ports = WorkerPorts(
            worker=process.name,
            instance=f"i{number}",
            events=self._log,
            runs=GatedRunLog(self._runs, self.adversary),
            artifacts=GatedArtifacts(self._artifacts, self.adversary),
            fleet=fleet,
            clock=self._skewed(),
            ids=SeededIds(number),
            sandbox=(stage := Stage(self._scripts, self._provider, self._elsewhere)).sandbox,
            folder=self._folder,
            telemetry=SILENT,
        )
        runner = ScriptedRunner(ports, queue, stage, slots=2)
        self._serve(self._hand_over(process, queue))
        pulling = asyncio.get_running_loop().create_task(runner.run())
        await beat(runner, ports.clock, Thread(runner.held, queue, fleet, self.adversary))
        pulling.cancel()
        await runner.stop()

    async def _hand_over(self, process: Process, queue: GatedWorkQueue) -> None:
        """The supervisor of a worker gives the orders of a dead one back at once, or is not there to do so."""
        await process.dead()
        if self.adversary.tosses():
            await self._fleet.publish(WorkerStatus(worker=process.name, instance="", types=(), slots=0))
            for delivery in queue.held.values():
                await delivery.nak()

    def _skewed(self) -> SkewedClock:
        return SkewedClock(self.adversary.pick(0.0, 0.0, -1.5, 2.0))

    # the course of things ------------------------------------------------------------------------------------

    async def _storm(self) -> None:
        for goal_id in self._goals:
            await self._people.submit(goal_id, self._scripts.of(goal_id))
        if self._schedule is not None:
            await self._schedule.begin()
        until = self._clock.monotonic() + STORM_S
        while self._clock.monotonic() < until and (self._schedule is not None or not self._all_over()):
            await asyncio.sleep(self._chance.choice((0.1, 1.0, 3.0, 10.0)))
            await self._people.meddle(self._look(self._chance.choice(self._looked_at())))
            await self._steal()
            await self._people.look_after()
            await self._fork()
            if self._schedule is not None:
                await self._schedule.meddle()

    async def _fork(self) -> None:
        """Somebody lets a goal, or a fork, go on from one of its events as another one, which does things anew."""
        if len(self._scripts) >= len(self._goals) + self._forks or self._forking.random() > 0.3:
            return
        parent = self._forking.choice(list(self._scripts))
        events = [recorded.seq for recorded in await self._log.read(parent)]
        fork_id = f"g-{self.seed:020d}{len(self._scripts) + 1:06d}"
        different = Different(
            model=self._forking.choice(("", "other")),
            max_llm_calls=self._forking.choice((None, 15, 80)),
            tasks=self._forking.choice(
                (None, None, None, (PlanTask(key="own", title="Another way", timeout_s=TIMEOUT_S),))
            ),
        )
        point = ForkPoint(goal_id=parent, at_seq=self._forking.choice(events), different=different)
        source = PortsSource(self._log, self._runs, self._artifacts)
        # Its work may begin before whoever asked for it has an answer.
        self._scripts[fork_id] = Script(self.seed, fork_id, calm=False)
        if not await self._people.fork(source, fork_id, point):
            del self._scripts[fork_id]

    async def _steal(self) -> None:
        """Somebody looks into a queue with a tool that acknowledges what it shows."""
        if not self._steals or self._chance.random() > 0.2:
            return
        delivery = self._broker.take(TYPES)
        if delivery is not None:
            await delivery.ack()

    async def _settle(self) -> None:
        await self._people.release()
        if self._schedule is not None:
            self._violations.extend(await self._schedule.end(self._log.messages, self._clock))
        for _ in range(ROUNDS):
            await self._quiet()
            states = [self._look(goal_id) for goal_id in self._looked_at()]
            for state in states:
                self._violations.extend(checks.of_rest(state, self._clock.now(), self._policy))
            if self._violations or not any([await self._people.attend(state) for state in states]):
                return
        self._violations.append(Violated("I11 no silent stall", f"people were asked more than {ROUNDS} times"))

    async def _quiet(self) -> None:
        """Wait until nothing has been written for a while."""
        for _ in range(ROUNDS):
            before = await self._log.last_seq()
            await asyncio.sleep(QUIET_S)
            if await self._log.last_seq() == before:
                return
        self._violations.append(Violated("I11 no silent stall", "the hub never comes to rest"))

    def _look(self, goal_id: str) -> GoalState:
        """The goal as the log has it now."""
        for recorded in self._log.messages[self._seen :]:
            owner = recorded.subject.split(".")[1]
            apply(self._states.setdefault(owner, initial(owner)), recorded)
            self._seen = recorded.seq
            if owner != HUB:
                self._scripts.of(owner)
        return self._states[goal_id]

    def _looked_at(self) -> list[str]:
        """The goals that there are: those that people sent, and those that a schedule has begun."""
        self._look(self._goals[0])
        return list(self._scripts)

    def _all_over(self) -> bool:
        return all(not self._look(goal_id).alive for goal_id in self._looked_at())

    async def _check(self) -> None:
        log = self._log.messages
        found = [
            *checks.of_log(log),
            *checks.of_seals(log),
            *checks.of_calls(log, self._provider.calls),
            *checks.of_acknowledgements(log, self._people.acknowledged),
            *of_forks(log),
            *(Violated("I2 one delivery", why) for why in wrong_deliveries(log, self._elsewhere)),
            *checks_of_schedules(log),
        ]
        for goal_id in self._looked_at():
            found.extend(checks.of_fold(log, self._look(goal_id)))
        if pending := self._broker.pending():
            found.append(Violated("order", f"nobody ever acknowledges {pending[:5]}"))
        if self._reads:
            again = await rebuilt(self._log)
            if self._tables.rows != again.rows or self._tables.position != again.position:
                wrong = sorted(str(k) for k in again.rows if self._tables.rows.get(k) != again.rows[k])
                found.append(Violated("I3 rebuilt", f"rows differ: {wrong[:5]}"))
        found.extend([violated async for violated in self._decided_otherwise()])
        self._violations.extend(found)

    async def _decided_otherwise(self) -> AsyncIterator[Violated]:
        source = PortsSource(self._log, self._runs, self._artifacts)
        for goal_id in self._looked_at():
            replayed = replay_decisions(await load(source, goal_id))
            if replayed.missing or replayed.unrecorded:
                yield Violated("I4 decided again", f"{replayed.unrecorded} unrecorded, missing {replayed.missing}")
            for difference in replayed.differences:
                yield Violated("I4 decided again", f"{difference}")

    def _outcome(self) -> Outcome:
        log = list(self._log.messages)
        return Outcome(
            seed=self.seed,
            calm=self.calm,
            violations=self._violations,
            schedule=self.adversary.schedule,
            effects=[checks.effect_of(log, self._look(goal_id)) for goal_id in self._goals],
            log=log,
            refused=self._people.refused,
        )

    # what nobody would see -----------------------------------------------------------------------------------

    def _on_lost_exception(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._violations.append(Violated("exception", f"{context.get('message')}: {context.get('exception')!r}"))

    def heard(self, _: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """What a service logs instead of failing is a failure here."""
        if entry.get("event") in _UNEXPECTED:
            self._violations.append(Violated("logged", f"{entry}"))
        raise structlog.DropEvent


def types_of(worker: str) -> tuple[str, ...]:
    """The queues that a worker serves: the first takes everything, the others share."""
    match worker:
        case "worker-2":
            return ("coding", "testing", "review", "planner")
        case "worker-3":
            return ("security", "debug", "architect", "coding")
        case _:
            return TYPES


def simulate(seed: int, folder: Path, *, weather: Weather | None = None) -> Outcome:
    """Play the world of a seed; in calm worlds also without any fault, and compare. `folder`: for locks."""
    outcome = play(seed, folder, weather=weather)
    if outcome.calm and not outcome.violations:
        undisturbed = play(seed, folder, weather=CALM)
        if undisturbed.effects != outcome.effects:
            outcome.violations.append(Violated("I2 effect", f"{undisturbed.effects} became {outcome.effects}"))
    return outcome


def play(seed: int, folder: Path, *, weather: Weather | None = None) -> Outcome:
    """Play the world of a seed once."""
    world = World(seed, folder, weather=weather)
    with listening(world):
        return run_virtually(world.play())


@contextmanager
def listening(world: World) -> Iterator[None]:
    """Let the world hear what services log, and nobody else."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, world.heard], cache_logger_on_first_use=False
    )
    try:
        yield
    finally:
        structlog.configure(**before)
