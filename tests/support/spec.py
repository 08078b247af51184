"""Given, when, then for one goal: the words in which scenarios of deciding are written."""

from __future__ import annotations

from agenthub_events.catalogue import agent as a
from agenthub_events.catalogue import gate as gates
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import money as m
from agenthub_events.catalogue import task as t
from agenthub_events.catalogue.values import (
    AnswerAction,
    Constraints,
    FailureClass,
    Finding,
    ParkReason,
    Plan,
    PlanTask,
    TaskEdits,
    TaskResult,
    TestCounts,
    Usage,
)
from agenthub_events.runs import RunId, Step, TurnFailed, TurnIntent, TurnReply
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_events.task_ids import gate_of
from agenthub_orchestrator.domain import Policy
from tests.support.minihub import ROOT, MiniHub


def step(key: str, *after: str, agent: str = "coding", **more: object) -> PlanTask:
    """A task of a plan: its key and what it depends on."""
    return PlanTask(key=key, title=f"Do {key}", agent=agent, depends_on=after, **more)  # type: ignore[arg-type]


class Scenario(MiniHub):
    """A goal that a test tells step by step; every step lets the orchestrator decide all that follows."""

    # given ---------------------------------------------------------------------------------------------------

    def accepted(
        self,
        *workflow: PlanTask,
        requirements: tuple[str, ...] = (),
        constraints: Constraints | None = None,
        **more: object,
    ) -> Scenario:
        """A goal with these tasks; without any it needs a planner."""
        event = g.GoalAccepted(
            goal="Build authentication system with JWT",
            requirements=requirements,
            constraints=constraints or Constraints(),
            workflow=workflow or None,
            **more,  # type: ignore[arg-type]
        )
        self.tell(GOAL_AS_A_WHOLE, event, "accepted")
        return self.settled()

    def settled(self) -> Scenario:
        """Everything that is due is in the log."""
        self.run()
        return self

    # when: workers -------------------------------------------------------------------------------------------

    def claimed(self, task_id: str, worker: str = "Worker-1") -> Scenario:
        """A worker has claimed the open attempt."""
        task = self.task(task_id)
        assert task.is_open, f"{task_id} is {task.word}, not open; open are {self.open()}"
        order = task.order
        assert order is not None
        delivery = task.claims + 1
        event = t.TaskStarted(
            task_id=task_id,
            attempt=task.attempt,
            worker=worker,
            agent=order.agent,
            instance="i",
            delivery=delivery,
            ack_subject="ack",
        )
        self.tell(task_id, event, f"{task.attempt}-{delivery}-i")
        return self.settled()

    def _claim_if_needed(self, task_id: str) -> int:
        if self.task(task_id).word != "in_progress":
            self.claimed(task_id)
        return self.task(task_id).attempt

    def done(self, task_id: str, *, changes: bool = False, **result: object) -> Scenario:
        """The task is completed; with `changes` its commit is merged in the same batch."""
        attempt = self._claim_if_needed(task_id)
        commit = self.commit() if changes else ""
        said = TaskResult(**{"summary": f"{task_id} is done", "commit": commit, **result})  # type: ignore[arg-type]
        drafts = [
            self.say(
                task_id,
                t.TaskCompleted(task_id=task_id, agent="agent", attempt=attempt, result=said),
                f"{attempt}-1-i",
            )
        ]
        if changes:
            drafts.insert(
                0, self.say(GOAL_AS_A_WHOLE, self.merge_of(task_id, attempt, commit), f"{task_id}-{attempt}")
            )
        self.store(*drafts)
        return self.settled()

    def merge_of(
        self, task_id: str, attempt: int, commit: str, origin: str = "task", brought_in: str = ""
    ) -> t.MergeDone:
        """The merge that moves the branch to `commit`."""
        return t.MergeDone(
            task_id=task_id,
            attempt=attempt,
            base=self.truth.head or ROOT,
            head=commit,
            commit=brought_in or commit,
            tree=f"tree-{commit}",
            bundle_ref=f"bundle-{commit}",
            origin=origin,
        )

    def planned(self, *tasks: PlanTask, plan: str = "") -> Scenario:
        """The open planning task proposes these tasks."""
        task_id = plan or next(known for known in self.open() if known.startswith("plan-"))
        return self.done(task_id, plan=Plan(tasks=tasks))

    def failed(self, task_id: str, failure_class: FailureClass = "model", reason: str = "it broke") -> Scenario:
        """The attempt failed."""
        attempt = self._claim_if_needed(task_id)
        self.tell(
            task_id,
            t.TaskFailed(task_id=task_id, attempt=attempt, failure_class=failure_class, reason=reason),
            f"{attempt}-1-i",
        )
        return self.settled()

    def failed_for_good(self, task_id: str, failure_class: FailureClass = "model") -> Scenario:
        """Every retry failed as well."""
        for _ in range(self.policy.max_retries):
            self.failed(task_id, failure_class)
            self.fire_next("retry")
        return self.failed(task_id, failure_class)

    def parked(self, task_id: str, reason: ParkReason, detail: str = "", **more: object) -> Scenario:
        """The worker put the attempt aside."""
        attempt = self._claim_if_needed(task_id)
        event = t.TaskParked(task_id=task_id, attempt=attempt, reason=reason, detail=detail, **more)  # type: ignore[arg-type]
        self.tell(task_id, event, f"{attempt}-1-i")
        return self.settled()

    def moved(self, task_id: str) -> Scenario:
        """The target of the delivery has moved: what it has become is merged in the same batch."""
        attempt, theirs = self._claim_if_needed(task_id), self.commit()
        merge = self.merge_of(task_id, attempt, self.commit(), origin="base", brought_in=theirs)
        parked = t.TaskParked(task_id=task_id, attempt=attempt, reason="moved", detail="main has become it")
        self.store(
            self.say(GOAL_AS_A_WHOLE, merge, f"{task_id}-{attempt}"), self.say(task_id, parked, f"{attempt}-1-i")
        )
        return self.settled()

    def united(self, task_id: str) -> Scenario:
        """An agent has settled what the target of a delivery conflicted in."""
        attempt, theirs = self._claim_if_needed(task_id), self.commit()
        merge = self.merge_of(task_id, attempt, self.commit(), origin="base", brought_in=theirs)
        result = TaskResult(summary="both hold", commit=merge.head)
        done = t.TaskCompleted(task_id=task_id, agent="agent", attempt=attempt, result=result)
        self.store(
            self.say(GOAL_AS_A_WHOLE, merge, f"{task_id}-{attempt}"), self.say(task_id, done, f"{attempt}-1-i")
        )
        return self.settled()

    def conflicted(self, task_id: str, *files: str, target: str = "") -> Scenario:
        """The attempt's changes do not fit; with a `target`, it is the result that does not fit that branch."""
        attempt = self._claim_if_needed(task_id)
        event = t.MergeConflicted(
            task_id=task_id,
            attempt=attempt,
            files=files or ("a.py",),
            base=ROOT,
            head=self.truth.head,
            commit=self.commit(),
            bundle_ref="bundle",
            summary="my side",
            target=target,
        )
        self.tell(task_id, event, f"{attempt}-1-i")
        return self.settled()

    def asks(self, task_id: str, question: str = "Which database?", **more: object) -> Scenario:
        """The agent is blocked and asks a person."""
        attempt = self._claim_if_needed(task_id)
        event = a.AgentBlocked(
            question=question,
            task_id=task_id,
            attempt=attempt,
            tool_use_id="toolu_1",
            worker="Worker-1",
            **more,  # type: ignore[arg-type]
        )
        self.tell(task_id, event, f"{attempt}-1-i")
        return self.settled()

    def proposes(self, task_id: str, *tasks: PlanTask) -> Scenario:
        """The running agent asks for more tasks."""
        attempt = self._claim_if_needed(task_id)
        self.tell(task_id, t.TaskProposed(task_id=task_id, attempt=attempt, tasks=tasks, reason="needed"))
        return self.settled()

    def judged(self, task_id: str, passed: bool = True, **evidence: object) -> Scenario:
        """The gate's round ends with this verdict on the commit that was ordered."""
        attempt = self._claim_if_needed(task_id)
        self.tell(task_id, self.verdict_of(task_id, passed, **evidence), f"{attempt}-1-i")
        return self.settled()

    def verdict_of(self, task_id: str, passed: bool, **evidence: object) -> gates.GatePassed | gates.GateFailed:
        """The verdict of the open round on the commit that was ordered."""
        named = gate_of(task_id)
        task = self.task(task_id)
        order = task.order
        assert named is not None
        assert order is not None
        kind = gates.GatePassed if passed else gates.GateFailed
        told: dict[str, object] = {"summary": f"{named[0]} {'passed' if passed else 'failed'}", **evidence}
        if named[0] == "tests":
            told = {"exit_code": 0 if passed else 1, "command": "pytest", "counts": TestCounts(passed=9), **told}
        return kind(
            gate=named[0],
            round=named[1],
            attempt=task.attempt,
            commit=order.workspace_commit,
            task_id=task_id,
            **told,  # type: ignore[arg-type]
        )

    def gates_pass(self) -> Scenario:
        """Every gate that opens passes, until none is open."""
        while ids := [known for known in self.open() if gate_of(known)]:
            self.judged(ids[0])
        return self

    # when: people --------------------------------------------------------------------------------------------

    def answered(
        self,
        question: int,
        action: AnswerAction = "answer",
        text: str = "",
        *,
        option: str = "",
        edits: TaskEdits | None = None,
    ) -> Scenario:
        """A person answers the open question at this sequence."""
        known = self.truth.questions[question]
        event = a.AgentAnswered(
            action=action,
            by="ada",
            blocked_seq=question,
            task_id=known.task_id,
            text=text,
            option=option,
            edits=edits or TaskEdits(),
        )
        self.tell(known.task_id or GOAL_AS_A_WHOLE, event)
        return self.settled()

    def question(self, reason: str = "") -> int:
        """The sequence of the one open question (of this reason)."""
        found = [seq for seq, known in self.truth.questions.items() if reason in ("", known.asked.reason)]
        assert len(found) == 1, f"questions: {[known.asked for known in self.truth.questions.values()]}"
        return found[0]

    def asked(self, reason: str = "") -> a.AgentBlocked:
        """The one open question (of this reason)."""
        return self.truth.questions[self.question(reason)].asked

    # when: money ---------------------------------------------------------------------------------------------

    def reserved(self, task_id: str, calls: int = 10, cost_usd: float = 0.0, slice_: int = 1) -> Scenario:
        """The running attempt has set a slice aside."""
        attempt = self.task(task_id).attempt
        event = m.BudgetReserved(task_id=task_id, attempt=attempt, slice=slice_, calls=calls, cost_usd=cost_usd)
        self.tell(GOAL_AS_A_WHOLE, event, f"{task_id}-{attempt}-{slice_}")
        return self.settled()

    def called(self, task_id: str, turn: int = 1, cost_usd: float = 0.01) -> Scenario:
        """The running attempt has called a model once, and been answered."""
        attempt = self.task(task_id).attempt
        digest = f"{task_id}-{attempt}-{turn}"
        self.asked_model(task_id, turn)
        reply = TurnReply(
            turn=turn,
            tries=1,
            request_hash=digest,
            model="rehearsal",
            provider="rehearsal",
            stop_reason="end_turn",
            content=(),
            usage=Usage(calls=1, cost_usd=cost_usd),
        )
        self._run_of(task_id).append(reply)
        event = m.LlmCalled(
            task_id=task_id,
            attempt=attempt,
            turn=turn,
            model="rehearsal",
            provider="rehearsal",
            stop_reason="end_turn",
            request_hash=digest,
            cost_usd=cost_usd,
        )
        self.tell(task_id, event)
        return self.settled()

    def asked_model(self, task_id: str, turn: int = 1) -> Scenario:
        """The running attempt has asked a model, and no answer is recorded."""
        self._run_of(task_id).append(TurnIntent(turn=turn, tries=1, request_hash="", model="rehearsal"))
        return self

    def refused_by_model(self, task_id: str, turn: int = 1) -> Scenario:
        """The running attempt has asked a model that has certainly charged nothing for it."""
        self.asked_model(task_id, turn)
        self._run_of(task_id).append(TurnFailed(turn=turn, tries=1, may_be_billed=False, reason="overloaded"))
        return self

    def _run_of(self, task_id: str) -> list[Step]:
        return self.runs[RunId(self.goal_id, task_id, self.task(task_id).attempt)]


def a_goal(*workflow: PlanTask, policy: Policy | None = None, **more: object) -> Scenario:
    """A goal with a manual workflow (or a planner's, when no task is given), just accepted."""
    return Scenario(policy).accepted(*workflow, **more)  # type: ignore[arg-type]


def finding(message: str, file: str = "auth/jwt.py", line: int = 123) -> Finding:
    """A place in the code and what is wrong with it."""
    return Finding(message=message, file=file, line=line, severity="high")
