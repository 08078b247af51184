"""A hand that plays workers, people, timers and two lagging orchestrators on a `Scenario`, move by move.

Which move comes next is read from a list of numbers, so that a failing game is a short list. When the numbers are
used up, `finish` plays on as everybody hopes: workers succeed, timers fire, nobody answers anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from agenthub_events.catalogue import agent as a
from agenthub_events.catalogue import money as m
from agenthub_events.catalogue import task as t
from agenthub_events.catalogue.values import AnswerAction, FailureClass, Finding, ParkReason, Plan, TaskResult
from agenthub_events.errors import CommandRefused
from agenthub_events.rules import goal_commands
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_events.task_ids import gate_of
from agenthub_orchestrator.domain import GoalState, TaskState, apply, decide, initial
from tests.support.spec import Scenario, step

T = TypeVar("T")

FAILURES: tuple[FailureClass, ...] = ("transient", "model", "tool", "invalid", "crash", "workspace", "limit")
MOVES_MAX = 3
PARKS: tuple[ParkReason, ...] = ("overload", "budget", "config", "restart", "unreachable")
ANSWERS: tuple[AnswerAction, ...] = ("answer", "retry", "skip", "edit", "take_over", "cancel")


class Driver:
    """Plays one goal. `hostile` also lets messages arrive that nobody can read."""

    def __init__(self, hub: Scenario, numbers: Sequence[int], *, hostile: bool = False) -> None:
        self.hub = hub
        self.numbers = list(numbers)
        self.twin = initial(hub.goal_id)
        self.moves: list[Callable[[], None]] = [
            *[self.receive, self.decide, self.twin_decides] * 3,
            *[self.work] * 8,
            *[self.timer] * 2,
            self.answer,
            self.command,
        ]
        if hostile:
            self.moves.append(self.garble)

    def pick(self, choices: Sequence[T]) -> T:
        """The next number decides."""
        return choices[(self.numbers.pop(0) if self.numbers else 0) % len(choices)]

    def play(self) -> None:
        """Make moves until the numbers are used up."""
        while self.numbers:
            self.pick(self.moves)()

    # orchestrators -------------------------------------------------------------------------------------------

    def receive(self) -> None:
        self.hub.receive(self.pick((1, 2, 5, 50)))

    def decide(self) -> None:
        dues = self.hub.due()
        self.hub.act(dues[: self.pick((1, 3, 1_000))])

    def twin_decides(self) -> None:
        """Another orchestrator, with a fold of its own age, decides as well."""
        known = self.twin.last_seq
        for recorded in self.hub.log[known : known + self.pick((1, 4, 1_000))]:
            apply(self.twin, recorded)
        self.hub.act(decide(self.twin, now=self.hub.now, policy=self.hub.policy))

    def timer(self) -> None:
        requests = sorted(self.hub.requests(), key=lambda request: (request.kind, request.task_id))
        if requests:
            self.hub.fire(self.pick(requests))

    # workers -------------------------------------------------------------------------------------------------

    def work(self) -> None:
        ids = self.hub.open()
        if not ids:
            return
        task = self.hub.task(self.pick(ids))
        if task.word == "enqueued":
            self._claim(task)
            return
        if gate_of(task.task_id):
            self.pick((self._judge, self._judge, self._judge, self._end_badly))(task)
        elif task.kind == "plan":
            self.pick((self._plan, self._plan, self._plan, self._end_badly))(task)
        elif task.kind == "deliver":
            self.pick((self._handed_over, self._move, self._conflict, self._end_badly))(task)
        else:
            self.pick((self._complete, self._complete, self._end_badly, self._side_effect))(task)

    def _claim(self, task: TaskState) -> None:
        assert task.order is not None
        event = t.TaskStarted(
            task_id=task.task_id,
            attempt=task.attempt,
            worker="w",
            agent=task.order.agent,
            instance="i",
            delivery=task.claims + 1,
            ack_subject="ack",
        )
        self.hub.tell(task.task_id, event)

    def _handed_over(self, task: TaskState) -> None:
        result = TaskResult(summary="pushed")
        self.hub.tell(
            task.task_id, t.TaskCompleted(task_id=task.task_id, agent="a", attempt=task.attempt, result=result)
        )

    def _move(self, task: TaskState) -> None:
        """The target of a delivery has moved, and git merges it by itself."""
        if task.moves >= MOVES_MAX:
            self._ask(task)
            return
        head, theirs = self.hub.commit(), self.hub.commit()
        merge = self.hub.merge_of(task.task_id, task.attempt, head, origin="base", brought_in=theirs)
        parked = t.TaskParked(task_id=task.task_id, attempt=task.attempt, reason="moved", detail="it has moved")
        self.hub.store(self.hub.say(GOAL_AS_A_WHOLE, merge), self.hub.say(task.task_id, parked))

    def _complete(self, task: TaskState) -> None:
        changes = self.pick((True, False))
        commit = self.hub.commit() if changes else ""
        findings = tuple(Finding(message=f"m{n}", file=f"f{n % 3}") for n in range(self.pick((0, 1, 4))))
        result = TaskResult(summary="done", commit=commit, findings=findings)
        done = t.TaskCompleted(task_id=task.task_id, agent="a", attempt=task.attempt, result=result)
        drafts = [self.hub.say(task.task_id, done)]
        if changes:
            unites = task.task_id.startswith("merge-deliver-")
            more = {"origin": "base", "brought_in": self.hub.commit()} if unites else {}
            merge = self.hub.merge_of(task.task_id, task.attempt, commit, **more)
            drafts.insert(0, self.hub.say(GOAL_AS_A_WHOLE, merge))
        self.hub.store(*drafts)

    def _plan(self, task: TaskState) -> None:
        n = task.task_id.removeprefix("plan-")
        plans = (
            Plan(tasks=(step(f"a{n}"), step(f"b{n}", f"a{n}"), step(f"c{n}", f"a{n}"))),
            Plan(tasks=(step(f"a{n}"),)),
            Plan(tasks=()),
            Plan(tasks=(step(f"x{n}", "nobody"),)),
        )
        result = TaskResult(summary="planned", plan=self.pick((*plans, None)))
        self.hub.tell(
            task.task_id, t.TaskCompleted(task_id=task.task_id, agent="a", attempt=task.attempt, result=result)
        )

    def _judge(self, task: TaskState) -> None:
        passed = self.pick((True, False, True))
        failing = self.pick(((), ("test_a",), ("test_a", "test_b")))
        findings = () if passed else (Finding(message=f"finding {task.task_id}", file="a.py"),)
        event = self.hub.verdict_of(task.task_id, passed, failing=() if passed else failing, findings=findings)
        self.hub.tell(task.task_id, event)

    def _end_badly(self, task: TaskState) -> None:
        self.pick((self._fail, self._fail, self._park, self._ask, self._conflict, self._expire))(task)

    def _fail(self, task: TaskState) -> None:
        kind = self.pick(FAILURES)
        event = t.TaskFailed(task_id=task.task_id, attempt=task.attempt, failure_class=kind, reason="broken")
        self.hub.tell(task.task_id, event)

    def _expire(self, task: TaskState) -> None:
        self.hub.tell(task.task_id, t.TaskTimedOut(task_id=task.task_id, attempt=task.attempt, limit_s=60))

    def _park(self, task: TaskState) -> None:
        event = t.TaskParked(task_id=task.task_id, attempt=task.attempt, reason=self.pick(PARKS), detail="why")
        self.hub.tell(task.task_id, event)

    def _ask(self, task: TaskState) -> None:
        event = a.AgentBlocked(
            question="which?", task_id=task.task_id, attempt=task.attempt, tool_use_id="toolu", worker="w"
        )
        self.hub.tell(task.task_id, event)

    def _conflict(self, task: TaskState) -> None:
        if task.planned is None and (task.kind != "deliver" or task.moves >= MOVES_MAX):
            self._fail(task)
            return
        event = t.MergeConflicted(
            task_id=task.task_id,
            attempt=task.attempt,
            files=("a.py",),
            base=self.hub.truth.base,
            head=self.hub.truth.head,
            commit=self.hub.commit(),
            bundle_ref="bundle",
            target="main" if task.kind == "deliver" else "",
        )
        self.hub.tell(task.task_id, event)

    def _side_effect(self, task: TaskState) -> None:
        self.pick((self._propose, self._reserve, self._learn))(task)

    def _propose(self, task: TaskState) -> None:
        more = step(f"extra-{len(self.hub.log)}", self.pick(("nobody", task.planned.key if task.planned else "")))
        self.hub.tell(task.task_id, t.TaskProposed(task_id=task.task_id, attempt=task.attempt, tasks=(more,)))

    def _reserve(self, task: TaskState) -> None:
        number = 1 + sum(1 for key in self.hub.truth.ledger.open if key[:2] == (task.task_id, task.attempt))
        event = m.BudgetReserved(task_id=task.task_id, attempt=task.attempt, slice=number, calls=3)
        if self.hub.truth.ledger.committed_calls + 3 <= self.hub.truth.aggregate.max_llm_calls:
            self.hub.tell(GOAL_AS_A_WHOLE, event)

    def _learn(self, task: TaskState) -> None:
        self.hub.tell(task.task_id, t.KnowledgeRecorded(task_id=task.task_id, kind="fact", text="x"))

    # people --------------------------------------------------------------------------------------------------

    def answer(self) -> None:
        questions = sorted(self.hub.truth.questions.items())
        if not questions:
            return
        seq, question = self.pick(questions)
        event = a.AgentAnswered(
            action=self.pick(ANSWERS),
            by="ada",
            blocked_seq=seq,
            task_id=question.task_id,
            text=self.pick(("", "so be it", *question.asked.options)),
        )
        self.hub.tell(question.task_id or GOAL_AS_A_WHOLE, event)

    def command(self) -> None:
        request, by = self.hub.request_id(), "ada"
        commands: tuple[goal_commands.GoalCommand, ...] = (
            goal_commands.Pause(by=by, request_id=request),
            goal_commands.Resume(by=by, request_id=request),
            goal_commands.Resume(by=by, request_id=request),
            goal_commands.RequestTests(by=by, request_id=request),
            goal_commands.Rework(by=by, request_id=request, feedback="more"),
            goal_commands.Approve(by=by, request_id=request, ready_seq=self.hub.truth.aggregate.ready_seq),
            goal_commands.RaiseBudget(by=by, request_id=request, max_llm_calls=1_000),
            goal_commands.ApprovePlan(by=by, request_id=request, revision=self.hub.truth.aggregate.revision),
        )
        # Few goals are called off; a game that always ends early shows little.
        given_up = self.pick(range(60)) == 59
        command = goal_commands.Cancel(by=by, request_id=request) if given_up else self.pick(commands)
        try:
            self.hub.command(command)
        except CommandRefused:
            return

    def garble(self) -> None:
        """A message that nobody can read arrives, rarely about the goal as a whole."""
        if self.pick((0, 1, 2, 3)):
            return
        place = self.pick(
            [*((known, "task.completed") for known in self.hub.truth.tasks), (GOAL_AS_A_WHOLE, "merge.done")]
        )
        self.hub.garble(*place)

    # the end -------------------------------------------------------------------------------------------------

    def finish(self, most: int = 2_000) -> None:
        """Everybody does what is hoped for, until nothing is left to do."""
        for _ in range(most):
            self.hub.run()
            if not (self._finish_one() or self._wake_one()):
                return
        raise AssertionError(f"no end after {most} moves: {self.hub.story()[-12:]}")

    def _finish_one(self) -> bool:
        ids = self.hub.open()
        if not ids:
            return False
        task = self.hub.task(ids[0])
        if task.word == "enqueued":
            self._claim(task)
        elif gate_of(task.task_id):
            self.hub.tell(task.task_id, self.hub.verdict_of(task.task_id, passed=True))
        elif task.kind == "plan":
            self._plan(task)
        elif task.kind == "deliver":
            self._handed_over(task)
        else:
            self._complete(task)
        return True

    def _wake_one(self) -> bool:
        requests = [request for request in self.hub.requests() if request.kind in ("retry", "park", "stall")]
        if requests:
            self.hub.fire(requests[0])
        return bool(requests)


def is_at_rest(state: GoalState) -> bool:
    """Whether the goal has ended, is paused, offered, or a person has been asked: nothing else may be quiet."""
    waits_for_plan = state.aggregate.planned and not state.plan_stands
    over = state.aggregate.phase in ("completed", "failed", "cancelled", "ready")
    return over or state.aggregate.paused or bool(state.questions) or bool(state.unreadable) or waits_for_plan
