"""People at the hub: the gateway's own commands, sent at odd moments, and sent again when no answer came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from random import Random
from typing import NamedTuple

from agenthub_events.agent_types import AGENT_TYPES, AgentType
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.values import Constraints, Priority, TaskEdits
from agenthub_events.errors import AgenthubError, StoreUnavailable
from agenthub_events.rules.goal_commands import (
    Approve,
    ApprovePlan,
    Cancel,
    Erase,
    GoalCommand,
    Pause,
    RaiseBudget,
    Reprioritize,
    RequestTests,
    Resume,
    Rework,
)
from agenthub_gateway.commands.aggregate import Target
from agenthub_gateway.commands.append import CommandOutcome, Intent, Writer
from agenthub_gateway.commands.forking import ForkPoint, fork_goal
from agenthub_gateway.commands.goal import command_goal
from agenthub_gateway.commands.holding import end_maintenance, pause_queue, resume_queue, start_maintenance
from agenthub_gateway.commands.questions import Answer, OpenQuestion, answer_question
from agenthub_gateway.commands.schedules.changing import Change, change_schedule
from agenthub_gateway.commands.submit import submit_goal
from agenthub_gateway.commands.tasks import DeadLetter, discard, note_task, requeue
from agenthub_orchestrator.domain import GoalState
from agenthub_replay.history import HistorySource
from agenthub_runtime.operations.holding import Lanes, read_holds
from tests.simulation.deliveries import ADDRESS
from tests.simulation.process import Process
from tests.simulation.script import Script

ME = "people"
_PRIORITIES: tuple[Priority, ...] = ("low", "high", "urgent")

Send = Callable[[Writer, Intent], Awaitable[CommandOutcome]]


class Acknowledged(NamedTuple):
    """What somebody was told: this event is in the log, there."""

    what: str
    event_id: str
    sequence: int


class People:
    """Everybody who uses the hub. `calm` people only answer and approve."""

    def __init__(self, seed: int, *, calm: bool, writer: Callable[[], Writer], lanes: Lanes) -> None:
        self._chance = Random(f"people-{seed}")
        # What is held back changes when things happen, and nothing of what happens: also in calm worlds.
        self._holding = Random(f"holding-{seed}")
        self._lanes = lanes
        self._calm = calm
        self._writer = writer
        self._requests = 0
        self._cancelled: set[str] = set()
        self.acknowledged: list[Acknowledged] = []
        self.refused: list[str] = []

    # asking --------------------------------------------------------------------------------------------------

    async def submit(self, goal_id: str, script: Script) -> None:
        """Send a goal in until somebody says that it was taken."""
        accepted = GoalAccepted(
            goal=f"Goal {goal_id}",
            # The log keeps a reference for it.
            requirements=("Unit tests", "on postgresql://app:app@localhost/app"),
            constraints=Constraints(max_llm_calls=script.max_llm_calls, max_time_s=script.max_time_s),
            autonomy="approve_plan" if script.approves_plan else "full",
            workflow=None if script.planned_by_agent else script.tasks,
            repository=ADDRESS if script.delivers else "",
            ref="refs/heads/main" if script.delivers else "",
            delivery="branch" if script.delivers else "none",
        )
        await self._send(
            "submit", lambda writer, intent: submit_goal(writer, goal_id, accepted, intent), patience=1_000
        )

    async def meddle(self, state: GoalState) -> None:
        """Do something that people do while a goal runs."""
        asked = list(self._asked(state))
        if asked and self._chance.random() < 0.5:
            await self._send("answer", self._chance.choice(asked))
        elif not self._calm and self._chance.random() < 0.6:
            what, send = self._whim(state)
            await self._send(what, send)

    async def fork(self, histories: HistorySource, fork_id: str, point: ForkPoint) -> bool:
        """Let a new goal go on from an event of another one; False when that is refused."""
        refused = len(self.refused)
        await self._send(
            "fork", lambda w, i: fork_goal(w, histories, fork_id, point, i, aside=_at_once), patience=1_000
        )
        return len(self.refused) == refused

    async def look_after(self) -> None:
        """Hold some of the hub's work back, or all of it, or let it go on."""
        if self._holding.random() > 0.1:
            return
        lanes, agent_type = self._lanes, self._holding.choice(AGENT_TYPES)
        await self._send(
            *self._holding.choice(
                (
                    ("start maintenance", lambda w, i: start_maintenance(w, lanes, "upgrade", i)),
                    ("end maintenance", lambda w, i: end_maintenance(w, lanes, i)),
                    ("pause queue", lambda w, i: pause_queue(w, lanes, agent_type, "", i)),
                    ("resume queue", lambda w, i: resume_queue(w, lanes, agent_type, i)),
                )
            )
        )

    async def release(self) -> None:
        """Let everything go on."""
        holds = await read_holds(self._writer().log)
        if holds.maintenance:
            await self._send("end", lambda w, i: end_maintenance(w, self._lanes, i), patience=1_000)
        for agent_type in AGENT_TYPES:
            if agent_type in holds.paused:
                await self._send("resume", partial(_resume, self._lanes, agent_type), patience=1_000)

    async def attend(self, state: GoalState) -> bool:
        """Do what the goal waits for; False when it waits for nothing."""
        wanted = self._wanted(state)
        for what, send in wanted:
            await self._send(what, send)
        return bool(wanted)

    async def schedule(self, change: Change) -> None:
        """Say something about a schedule until somebody says that it was heard."""
        await self._send("schedule", lambda w, i: change_schedule(w, change, i), patience=1_000)

    # what there is to do --------------------------------------------------------------------------------------

    def _asked(self, state: GoalState) -> Iterator[Send]:
        """An answer to every open question."""
        for question in list(state.questions.values()):
            workspace = OpenQuestion(state.goal_id, question.task_id or "_", question.seq)
            answer = self._answer(question.asked.reason, question.asked.options, bool(question.asked.worker))
            yield partial(_answer, workspace, answer)

    def _answer(self, reason: str, options: tuple[str, ...], by_agent: bool) -> Answer:
        if by_agent:
            option = options[0] if options else ""
            return Answer(action="answer", option=option, text="" if option else "Go on")
        if self._calm or reason in ("budget", "deadline", "plan") or self._chance.random() < 0.6:
            return Answer(action="retry", text="Try again")
        return self._chance.choice(
            (
                Answer(action="skip", text="We do without"),
                Answer(action="edit", edits=TaskEdits(details="In another way")),
                Answer(action="take_over", text="Done by hand"),
                Answer(action="cancel", text="Not needed"),
                Answer(action="answer", text="As you like"),
            )
        )

    def _whim(self, state: GoalState) -> tuple[str, Send]:
        goal = state.goal_id
        tasks = list(state.tasks)
        task_id = self._chance.choice(tasks) if tasks else "t-none"
        priority = self._chance.choice(_PRIORITIES)
        commands: list[Callable[[str], GoalCommand]] = [
            lambda r: Pause(by=ME, request_id=r),
            lambda r: Resume(by=ME, request_id=r),
            lambda r: Resume(by=ME, request_id=r),
            lambda r: RequestTests(by=ME, request_id=r),
            lambda r: Rework(by=ME, request_id=r, feedback="Another feature"),
            lambda r: Reprioritize(by=ME, request_id=r, priority=priority),
            partial(_raise_budget, state.aggregate.max_llm_calls + 5),
            lambda r: Approve(by=ME, request_id=r, ready_seq=state.aggregate.ready_seq),
            lambda r: ApprovePlan(by=ME, request_id=r, revision=state.aggregate.revision),
        ]
        if self._chance.random() < 0.05:
            return self._command(goal, lambda r: Cancel(by=ME, request_id=r))
        if self._chance.random() < 0.1:
            # Refused while the goal is open.
            return self._command(goal, lambda r: Erase(by=ME, request_id=r))
        if self._chance.random() < 0.2:
            target = Target(goal, task_id)
            return "note", lambda writer, intent: note_task(writer, target, "Mind the edges", intent)
        return self._command(goal, self._chance.choice(commands))

    def _wanted(self, state: GoalState) -> list[tuple[str, Send]]:
        aggregate, goal = state.aggregate, state.goal_id
        wanted: list[tuple[str, Send]] = []
        if not state.alive:
            return wanted
        if aggregate.paused:
            wanted.append(self._command(goal, lambda r: Resume(by=ME, request_id=r)))
        if aggregate.planned and not state.plan_stands:
            wanted.append(
                self._command(goal, lambda r: ApprovePlan(by=ME, request_id=r, revision=aggregate.revision))
            )
        for question in state.questions.values():
            if question.asked.reason == "budget":
                wanted.append(self._command(goal, partial(_raise_budget, aggregate.max_llm_calls + 40)))
        wanted.extend(("answer", send) for send in self._asked(state))
        wanted.extend(("letter", send) for send in self._letters(state))
        if aggregate.phase == "ready":
            wanted.append(
                self._command(goal, lambda r: Approve(by=ME, request_id=r, ready_seq=aggregate.ready_seq))
            )
        return wanted

    def _letters(self, state: GoalState) -> Iterator[Send]:
        for task in state.tasks.values():
            if task.word == "dead_lettered" and task.answer is None:
                letter = DeadLetter(state.goal_id, task.task_id, task.closed_seq)
                yield partial(_requeue if self._chance.random() < 0.7 else _discard, letter)

    def _command(self, goal_id: str, make: Callable[[str], GoalCommand]) -> tuple[str, Send]:
        def send(writer: Writer, intent: Intent) -> Awaitable[CommandOutcome]:
            return command_goal(writer, goal_id, make(intent.request_id), intent)

        return type(make("r")).__name__, send

    # sending -------------------------------------------------------------------------------------------------

    async def _send(self, what: str, send: Send, *, patience: int = 5) -> None:
        """One request, on a gateway of its own; the same again when the gateway dies or cannot answer."""
        self._requests += 1
        intent = Intent(actor=ME, request_id=f"r-{self._requests}", body_hash=f"body-{self._requests}", keyed=True)
        for _ in range(patience):
            gateway = Process("gateway")
            try:
                outcome = await gateway.run(self._ask(send, intent))
            except StoreUnavailable:
                await asyncio.sleep(self._chance.choice((0.1, 1.0, 5.0)))
                continue
            except AgenthubError as refused:
                self.refused.append(f"{what}: {refused}")
                return
            except asyncio.CancelledError:
                if gateway.alive:
                    raise
                await gateway.gone()
                await asyncio.sleep(self._chance.choice((0.1, 1.0, 5.0)))
                continue
            if outcome.event_id:
                self.acknowledged.append(Acknowledged(what, outcome.event_id, outcome.sequence))
            if self._chance.random() < 0.9:
                return

    async def _ask(self, send: Send, intent: Intent) -> CommandOutcome:
        return await send(self._writer(), intent)


async def _at_once(compute: Callable[[], GoalAccepted]) -> GoalAccepted:
    """A thread has a time of its own, which virtual time knows nothing of."""
    return compute()


def _resume(lanes: Lanes, agent_type: AgentType, writer: Writer, intent: Intent) -> Awaitable[CommandOutcome]:
    return resume_queue(writer, lanes, agent_type, intent)


def _raise_budget(calls: int, request_id: str) -> GoalCommand:
    return RaiseBudget(by=ME, request_id=request_id, max_llm_calls=calls)


def _answer(workspace: OpenQuestion, answer: Answer, writer: Writer, intent: Intent) -> Awaitable[CommandOutcome]:
    return answer_question(writer, workspace, answer, intent)


def _requeue(letter: DeadLetter, writer: Writer, intent: Intent) -> Awaitable[CommandOutcome]:
    return requeue(writer, letter, TaskEdits(), intent)


def _discard(letter: DeadLetter, writer: Writer, intent: Intent) -> Awaitable[CommandOutcome]:
    return discard(writer, letter, "no use", intent)
