"""Commands between whose look and whose write something else happens, on the log in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import pytest

from agenthub_events.base import Draft, Event, Fence
from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked, AgentEscalated
from agenthub_events.catalogue.gate import GatePassed
from agenthub_events.catalogue.goal import (
    GoalAccepted,
    GoalBudgetRaised,
    GoalCancelled,
    GoalPaused,
    GoalPlanned,
    GoalReadyForReview,
    GoalReworkRequested,
)
from agenthub_events.catalogue.task import TaskCompleted, TaskDeadLettered, TaskEnqueued
from agenthub_events.catalogue.values import Estimates, TaskEdits, TaskResult
from agenthub_events.errors import CommandRefused, StoreUnavailable
from agenthub_events.ports import Conflict, Recorded, Stamp, Stored
from agenthub_events.rules.goal_commands import Approve, Cancel, Pause, Rework
from agenthub_events.subjects import aggregate_of
from agenthub_gateway.commands.aggregate import Target
from agenthub_gateway.commands.append import Intent, Origin, Writer
from agenthub_gateway.commands.goal import command_goal
from agenthub_gateway.commands.goal_events import load_goal_events
from agenthub_gateway.commands.questions import Answer, OpenQuestion, answer_question
from agenthub_gateway.commands.submit import submit_goal
from agenthub_gateway.commands.tasks import DeadLetter, discard, note_task, requeue
from agenthub_gateway.errors import KeyReused, NotFound
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.exact_texts import ExactTexts
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.telemetry.tracing import Telemetry

GOAL = "g-" + "1" * 26
AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
ORDER = TaskEnqueued(
    task_id="t-a", agent="coding", agent_type="coding", attempt=1, lane="p2", title="A", timeout_s=60
)
DONE = TaskCompleted(task_id="t-a", agent="coding", attempt=1, result=TaskResult(summary="Done"))
Meanwhile: TypeAlias = Callable[[], Awaitable[object]]


class Scene:
    """A log, and something that happens once between a command's look and its write."""

    def __init__(self) -> None:
        self.meanwhile: Meanwhile | None = None
        self.lost_answers = 0
        self.log = InMemoryEventLog(self._gate)
        self.writer = Writer(
            self.log, SystemClock(), Telemetry("test"), ExactTexts(InMemoryArtifacts(), SystemIds())
        )

    async def _gate(self, point: str) -> None:
        if point == "append.before" and self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        if point == "append.after" and self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable("no answer")

    async def write(self, event: Event, task_id: str = "_", *route: str) -> int:
        records = await self.log.read(aggregate_of(GOAL, task_id, event.type))
        draft = Fence().after(records).draft(GOAL, task_id, event, str(len(records)), route=route)
        result = await self.log.append(draft, Stamp(now=AT, metadata={}))
        assert isinstance(result, Stored)
        return result.seq

    async def types(self) -> list[str]:
        return [recorded.subject.split(".", 3)[3] for recorded in await self.log.read(GOAL)]

    async def check_versions(self) -> None:
        """Every aggregate counts its messages without a gap."""
        for aggregate in (f"{GOAL}._.goal", f"{GOAL}._.agent", f"{GOAL}.t-a"):
            records = await self.log.read(aggregate)
            versions = [getattr(recorded.event, "originator_version", 0) for recorded in records]
            assert versions == list(range(1, len(records) + 1))


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.write(GoalAccepted(goal="Build"))
    estimates = Estimates(tasks=1, minutes=1, minutes_low=1, minutes_high=1)
    await scene.write(GoalPlanned(revision=1, tasks=(), estimates=estimates))
    return scene


def intent(request_id: str = "r-1", *, actor: str = "anna", body_hash: str = "x") -> Intent:
    return Intent(actor=actor, request_id=request_id, body_hash=body_hash, keyed=True)


READY = GoalReadyForReview(revision=1, head="c" * 40, summary="Done")


async def test_an_approval_holds_when_only_limits_were_raised_meanwhile(scene: Scene) -> None:
    ready = await scene.write(READY)
    scene.meanwhile = lambda: scene.write(GoalBudgetRaised(by="bert", max_llm_calls=900))
    await command_goal(scene.writer, GOAL, Approve(by="anna", request_id="r-1", ready_seq=ready), intent())
    assert (await scene.types())[-2:] == ["goal.budget_raised", "goal.approved"]
    await scene.check_versions()


@pytest.mark.parametrize(
    "event", [GoalReworkRequested(rework_id="r", feedback="x", by="bert"), GoalPaused(by="bert")]
)
async def test_an_approval_is_refused_when_anything_else_happened_meanwhile(scene: Scene, event: Event) -> None:
    ready = await scene.write(READY)
    scene.meanwhile = lambda: scene.write(event)
    with pytest.raises(CommandRefused) as refused:
        await command_goal(scene.writer, GOAL, Approve(by="anna", request_id="r-1", ready_seq=ready), intent())
    assert refused.value.code == "changed-since"
    assert "goal.approved" not in await scene.types()


async def test_other_commands_are_checked_again_on_what_happened_meanwhile(scene: Scene) -> None:
    scene.meanwhile = lambda: scene.write(GoalPaused(by="bert"))
    same = await command_goal(scene.writer, GOAL, Pause(by="anna", request_id="r-1"), intent())
    assert (await scene.types()).count("goal.paused") == 1
    assert same.sequence == 3
    scene.meanwhile = lambda: scene.write(READY)
    await command_goal(scene.writer, GOAL, Rework(by="anna", request_id="r-2", feedback="More"), intent("r-2"))
    scene.meanwhile = lambda: scene.write(GoalCancelled(by="bert"))
    with pytest.raises(CommandRefused) as refused:
        await command_goal(scene.writer, GOAL, Rework(by="anna", request_id="r-3", feedback="x"), intent("r-3"))
    assert refused.value.code == "goal-closed"
    await scene.check_versions()


async def test_a_command_whose_acknowledgement_was_lost_is_found_again(scene: Scene) -> None:
    scene.lost_answers = 1
    command = Cancel(by="anna", request_id="r-1")
    with pytest.raises(StoreUnavailable):
        await command_goal(scene.writer, GOAL, command, intent())
    again = await command_goal(scene.writer, GOAL, command, intent())
    assert (again.replayed, again.sequence) == (True, 3)
    assert (await scene.types()).count("goal.cancelled") == 1
    with pytest.raises(KeyReused):
        await command_goal(scene.writer, GOAL, command, intent(body_hash="y"))


async def test_a_submission_whose_acknowledgement_was_lost_is_found_again() -> None:
    scene = Scene()
    scene.lost_answers = 1
    with pytest.raises(StoreUnavailable):
        await submit_goal(scene.writer, GOAL, GoalAccepted(goal="Build"), intent())
    outcome = await submit_goal(scene.writer, GOAL, GoalAccepted(goal="Build"), intent())
    assert (outcome.replayed, outcome.sequence) == (True, 1)
    with pytest.raises(KeyReused):
        await submit_goal(scene.writer, GOAL, GoalAccepted(goal="Else"), intent(body_hash="y"))


class LaggingReplica(InMemoryEventLog):
    """Reads come from a replica that has seen nothing yet; the leader knows."""

    async def read(self, prefix: str, *, after: int = 0, limit: int = 10_000) -> list[Recorded]:
        return []


async def test_a_goal_that_only_the_leader_has_is_not_unknown() -> None:
    log = LaggingReplica()
    writer = Writer(log, SystemClock(), Telemetry("test"), ExactTexts(InMemoryArtifacts(), SystemIds()))
    await submit_goal(writer, GOAL, GoalAccepted(goal="Build"), intent())
    with pytest.raises(StoreUnavailable, match="is in the log and cannot be read at this moment"):
        await load_goal_events(log, GOAL)
    with pytest.raises(NotFound):
        await load_goal_events(log, "g-" + "2" * 26)


async def test_a_clash_of_which_nothing_can_be_read_yet_is_to_be_sent_again() -> None:
    log = LaggingReplica()
    writer = Writer(log, SystemClock(), Telemetry("test"), ExactTexts(InMemoryArtifacts(), SystemIds()))
    await submit_goal(writer, GOAL, GoalAccepted(goal="Build"), intent())
    with pytest.raises(StoreUnavailable, match="send it again"):
        await submit_goal(EmptyClash(log), GOAL, GoalAccepted(goal="Build"), intent())


class EmptyClash(Writer):
    """The server refuses by the fence, and the replica has not seen what stands behind it."""

    def __init__(self, log: InMemoryEventLog) -> None:
        super().__init__(log, SystemClock(), Telemetry("test"), ExactTexts(InMemoryArtifacts(), SystemIds()))

    async def append(
        self, draft: Draft, intent: Intent, origin: Origin | None = None, *, declared: Sequence[str] = ()
    ) -> Stored | Conflict:
        return Conflict(())


async def test_an_escalation_meanwhile_does_not_hold_an_answer_up(scene: Scene) -> None:
    await scene.write(ORDER, "t-a", "coding", "p2")
    asked = await scene.write(AgentBlocked(question="Which?", task_id="t-a", attempt=1), "t-a")
    scene.meanwhile = lambda: scene.write(AgentEscalated(level=1, blocked_seq=asked, task_id="t-a"), "t-a")
    answer = Answer(action="answer", text="This")
    await answer_question(scene.writer, OpenQuestion(GOAL, "t-a", asked), answer, intent())
    assert (await scene.types())[-2:] == ["agent.escalated", "agent.answered"]
    await scene.check_versions()


async def test_of_two_answers_the_second_is_told_who_was_first(scene: Scene) -> None:
    await scene.write(ORDER, "t-a", "coding", "p2")
    asked = await scene.write(AgentBlocked(question="Which?", task_id="t-a", attempt=1), "t-a")
    question = OpenQuestion(GOAL, "t-a", asked)
    first = Answer(action="answer", text="This")
    scene.meanwhile = lambda: answer_question(scene.writer, question, first, intent("r-2", actor="bert"))
    with pytest.raises(CommandRefused, match="Answered by bert") as refused:
        await answer_question(scene.writer, question, Answer(action="skip"), intent())
    assert refused.value.code == "already-answered"


async def test_questions_about_a_goal_stand_side_by_side(scene: Scene) -> None:
    money = await scene.write(AgentBlocked(question="More money?", reason="budget"))
    rounds = await scene.write(AgentBlocked(question="Go on?", reason="rounds", task_id="gate-tests-3"))
    other = OpenQuestion(GOAL, "_", rounds, "gate-tests-3")
    answer = Answer(action="answer", text="Yes")
    await answer_question(scene.writer, other, answer, intent("r-1"))
    await answer_question(scene.writer, OpenQuestion(GOAL, "_", money), answer, intent("r-2"))
    stored = [r.event for r in await scene.log.read(f"{GOAL}._.agent") if isinstance(r.event, AgentAnswered)]
    assert [(event.blocked_seq, event.task_id) for event in stored] == [(rounds, "gate-tests-3"), (money, "")]
    with pytest.raises(CommandRefused) as refused:
        await answer_question(scene.writer, other, answer, intent("r-3"))
    assert refused.value.code == "already-answered"
    await scene.check_versions()


async def test_what_a_worker_of_another_type_says_is_no_question_and_closes_none(scene: Scene) -> None:
    await scene.write(ORDER, "t-a", "coding", "p2")
    forged = await scene.write(AgentBlocked(question="The key?", task_id="t-a"), "t-a", "review")
    await note_task(scene.writer, Target(GOAL, "t-a"), "Go on", intent("r-1"))
    with pytest.raises(NotFound):
        await answer_question(
            scene.writer, OpenQuestion(GOAL, "t-a", forged), Answer(action="skip"), intent("r-2")
        )
    asked = await scene.write(AgentBlocked(question="Which?", task_id="t-a"), "t-a", "coding")
    scene.meanwhile = lambda: scene.write(DONE, "t-a", "review")
    answer = Answer(action="answer", text="This")
    await answer_question(scene.writer, OpenQuestion(GOAL, "t-a", asked), answer, intent("r-3"))
    assert (await scene.types())[-2:] == ["task.completed.review", "agent.answered"]
    await scene.check_versions()


async def test_a_note_comes_too_late_when_the_task_ends_meanwhile(scene: Scene) -> None:
    await scene.write(ORDER, "t-a", "coding", "p2")
    scene.meanwhile = lambda: scene.write(DONE, "t-a")
    with pytest.raises(CommandRefused, match=r"task\.completed") as refused:
        await note_task(scene.writer, Target(GOAL, "t-a"), "Hello", intent())
    assert refused.value.code == "task-not-running"


async def test_a_gate_s_verdict_ends_its_task_for_notes(scene: Scene) -> None:
    verdict = GatePassed(gate="tests", round=1, attempt=1, commit="c", task_id="t-a")
    await scene.write(ORDER, "t-a", "coding", "p2")
    await scene.write(verdict, "t-a")
    with pytest.raises(CommandRefused, match=r"gate\.passed"):
        await note_task(scene.writer, Target(GOAL, "t-a"), "Hello", intent())


async def test_a_dead_letter_is_decided_once_and_its_question_does_not_matter(scene: Scene) -> None:
    await scene.write(ORDER, "t-a", "coding", "p2")
    dead = await scene.write(TaskDeadLettered(task_id="t-a", attempt=1, reason="All was tried"), "t-a")
    letter = DeadLetter(GOAL, "t-a", dead)
    scene.meanwhile = lambda: scene.write(AgentBlocked(question="What now?", task_id="t-a"), "t-a")
    await requeue(scene.writer, letter, TaskEdits(details="Again"), intent())
    with pytest.raises(CommandRefused, match=r"task\.requeued` by anna") as refused:
        await discard(scene.writer, letter, "", intent("r-2"))
    assert refused.value.code == "dead-letter-gone"
    await scene.check_versions()
