"""What the life of a task, its gates and its questions do to the rows."""

from __future__ import annotations

from agenthub_events.catalogue import agent as a
from agenthub_events.catalogue import gate as v
from agenthub_events.catalogue import task as t
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_events.task_ids import gate_of
from agenthub_orchestrator.projector.rows import GoalRows, Handlers
from agenthub_runtime.readmodels.rows import DeadLetterRow, GateRow, InterventionRow


def enqueued(view: GoalRows, seq: int, event: t.TaskEnqueued) -> None:
    """A work order waits in its queue."""
    row = view.task(event.task_id, seq)
    row.title = event.title
    row.details = event.details
    row.agent = event.agent
    row.agent_type = event.agent_type
    row.attempt = event.attempt
    row.retry_count = event.retry_count
    row.max_retries = event.max_retries
    row.lane = event.lane
    row.worker = ""
    row.timeout_s = event.timeout_s
    row.complexity = event.complexity
    row.context_ref = event.context_ref
    row.reason, row.due, row.ended_at, row.started_at = "", None, None, None
    row.enqueued_at = event.timestamp
    if not row.depends_on:
        row.depends_on = event.depends_on
    attempt = view.attempt(event.task_id, event.attempt)
    attempt.agent = event.agent
    attempt.agent_type = event.agent_type
    attempt.agent_hash = event.agent_hash
    attempt.lane = event.lane
    attempt.model = event.model
    attempt.resumes = event.resumes
    attempt.enqueued_seq = seq
    if not event.instead_of:
        attempt.enqueued_at = event.timestamp
    _gate_ordered(view, event)


def _gate_ordered(view: GoalRows, event: t.TaskEnqueued) -> None:
    named = gate_of(event.task_id)
    if named is None or named in view.gates:
        return
    gate, round_ = named
    row = GateRow(goal_id=view.goal.goal_id, gate=gate, round=round_, task_id=event.task_id)
    row.commit_id = event.workspace_commit
    view.gates[named] = row
    view.touch(row)


def started(view: GoalRows, seq: int, event: t.TaskStarted) -> None:
    """A worker has taken the order."""
    row = view.task(event.task_id, seq)
    row.worker = event.worker
    row.started_at = row.started_at or event.timestamp
    attempt = view.attempt(event.task_id, event.attempt)
    attempt.worker = event.worker
    attempt.instance = event.instance
    attempt.delivery = event.delivery
    if not attempt.started_seq:
        attempt.started_seq = seq
        attempt.started_at = event.timestamp


def completed(view: GoalRows, seq: int, event: t.TaskCompleted) -> None:
    """The task is done."""
    row = view.task(event.task_id, seq)
    result = event.result
    row.summary = result.summary
    row.tests_run = result.tests_run
    row.insights = result.insights
    row.findings = result.findings
    row.files = result.files
    row.commit_id = result.commit
    row.progress_percentage = 100
    row.reason, row.due, row.ended_at = "", None, event.timestamp
    if event.merged_by:
        row.reason = f"merged by {event.merged_by}"
    if event.inherited_from:
        row.reason = f"done in {event.inherited_from}"
    _close(view, seq, event, "")


def judged(view: GoalRows, seq: int, event: v.GatePassed | v.GateFailed) -> None:
    """A gate has its verdict."""
    row = view.task(event.task_id, seq)
    row.summary = event.summary
    row.findings = event.findings
    row.progress_percentage = 100
    row.ended_at = event.timestamp
    _close(view, seq, event, "")
    key = (event.gate, event.round)
    gate = view.gates.get(key)
    if gate is None:
        gate = view.gates[key] = GateRow(
            goal_id=view.goal.goal_id, gate=event.gate, round=event.round, task_id=event.task_id
        )
    _evidence(gate, event)
    gate.seq = seq
    gate.at = event.timestamp
    view.touch(gate)


def _evidence(gate: GateRow, event: v.GatePassed | v.GateFailed) -> None:
    gate.verdict = "passed" if isinstance(event, v.GatePassed) else "failed"
    gate.blocking = event.blocking if isinstance(event, v.GateFailed) else True
    gate.commit_id = event.commit
    gate.command = event.command
    gate.exit_code = event.exit_code
    gate.coverage_percent = event.coverage_percent
    gate.coverage_required = event.coverage_required
    gate.failing = event.failing
    gate.failed_before = event.failed_before
    gate.mutants = event.mutants
    gate.findings = event.findings
    gate.log_ref = event.log_ref
    gate.summary = event.summary
    gate.worker = event.worker
    gate.agent = event.agent
    if event.counts is not None:
        gate.counted = True
        gate.passed, gate.failed = event.counts.passed, event.counts.failed
        gate.errors, gate.skipped = event.counts.errors, event.counts.skipped


def failed(view: GoalRows, seq: int, event: t.TaskFailed) -> None:
    """An attempt ended without a result."""
    _not_going_on(view, seq, event, event.reason)
    view.attempt(event.task_id, event.attempt).failure_class = event.failure_class


def timed_out(view: GoalRows, seq: int, event: t.TaskTimedOut) -> None:
    """An attempt used up its time."""
    _not_going_on(view, seq, event, f"no result within {event.limit_s} s")


def parked(view: GoalRows, seq: int, event: t.TaskParked) -> None:
    """An attempt was put aside."""
    _not_going_on(view, seq, event, event.detail or event.reason)
    view.task(event.task_id, seq).due = event.until


def conflicted(view: GoalRows, seq: int, event: t.MergeConflicted) -> None:
    """An attempt's work does not fit the branch."""
    _not_going_on(view, seq, event, f"conflict in {', '.join(event.files)}")
    view.attempt(event.task_id, event.attempt).checkpoint = event.commit


def retry_scheduled(view: GoalRows, seq: int, event: t.TaskRetryScheduled) -> None:
    """The next attempt has a date."""
    view.task(event.task_id, seq).due = event.due


def ended(view: GoalRows, seq: int, event: t.TaskCancelled | t.TaskSkipped) -> None:
    """The task will not be done."""
    row = view.task(event.task_id, seq)
    row.reason, row.due, row.ended_at = event.reason, None, event.timestamp
    _close(view, seq, event, event.reason)


def _not_going_on(
    view: GoalRows, seq: int, event: t.TaskFailed | t.TaskTimedOut | t.TaskParked | t.MergeConflicted, reason: str
) -> None:
    row = view.task(event.task_id, seq)
    row.reason = reason
    row.worker = event.worker or row.worker
    _close(view, seq, event, reason)
    if not isinstance(event, t.MergeConflicted):
        view.attempt(event.task_id, event.attempt).checkpoint = event.checkpoint


def _close(
    view: GoalRows,
    seq: int,
    event: t.TaskCompleted
    | t.TaskFailed
    | t.TaskTimedOut
    | t.TaskParked
    | t.TaskCancelled
    | t.TaskSkipped
    | t.TaskDeadLettered
    | t.MergeConflicted
    | v.GatePassed
    | v.GateFailed
    | a.AgentBlocked,
    reason: str,
) -> None:
    """The attempt that is open is over; one that was closed before keeps what closed it."""
    attempt = view.attempts.get((event.task_id, view.task(event.task_id, seq).attempt))
    if attempt is None or attempt.ended_seq:
        return
    attempt.outcome = event.type
    attempt.reason = reason
    attempt.ended_seq = seq
    attempt.ended_at = event.timestamp
    view.touch(attempt)


def dead_lettered(view: GoalRows, seq: int, event: t.TaskDeadLettered) -> None:
    """Everything was tried."""
    row = view.task(event.task_id, seq)
    row.reason, row.due = event.reason, None
    _close(view, seq, event, event.reason)
    letter = DeadLetterRow(
        dead_letter_id=f"dl-{seq}",
        kind="task",
        goal_id=view.goal.goal_id,
        task_id=event.task_id,
        title=row.title,
        reason=event.reason,
        causes=event.causes,
        attempt=event.attempt,
        seq=seq,
        at=event.timestamp,
    )
    view.letters[event.task_id] = letter
    view.touch(letter)


def letter_decided(view: GoalRows, seq: int, event: t.TaskRequeued | t.TaskDiscarded) -> None:
    """A person has decided about a dead letter."""
    view.task(event.task_id, seq)
    letter = view.letters.pop(event.task_id, None)
    if letter is not None:
        letter.state = "requeued" if isinstance(event, t.TaskRequeued) else "discarded"
        letter.decided_by = event.by
        letter.decided_at = event.timestamp
        view.touch(letter)


def blocked(view: GoalRows, seq: int, event: a.AgentBlocked) -> None:
    """A person is asked."""
    about = view.tasks.get(event.task_id)
    asked_by = event.originator_id.split(".")[1]
    if asked_by != GOAL_AS_A_WHOLE:
        _block_task(view, seq, event)
    question = InterventionRow(
        intervention_id=f"q-{seq}",
        goal_id=view.goal.goal_id,
        task_id=asked_by,
        about=event.task_id,
        title=about.title if about is not None else view.goal.goal,
        question=event.question,
        options=event.options,
        consequences=event.consequences,
        evidence=event.evidence,
        error=event.error,
        reason=event.reason,
        retry_count=event.retry_count,
        attempt=event.attempt,
        worker=event.worker,
        blocked_seq=seq,
        asked_at=event.timestamp,
    )
    view.questions[seq] = question
    view.touch(question)


def _block_task(view: GoalRows, seq: int, event: a.AgentBlocked) -> None:
    row = view.task(event.task_id, seq)
    row.reason, row.due = event.error or event.question, None
    _close(view, seq, event, row.reason)
    if event.attempt:
        view.attempt(event.task_id, event.attempt).checkpoint = event.checkpoint


def escalated(view: GoalRows, seq: int, event: a.AgentEscalated) -> None:
    """A question was raised again."""
    question = view.questions.get(event.blocked_seq)
    if question is not None:
        question.level, question.raised_at = event.level, event.timestamp
        view.touch(question)


def answered(view: GoalRows, seq: int, event: a.AgentAnswered) -> None:
    """A person has answered."""
    question = view.questions.get(event.blocked_seq)
    if question is None:
        return
    question.state = "answered"
    question.action = event.action
    question.answer = event.text
    question.option = event.option
    question.answered_by = event.by
    question.answered_seq = seq
    question.answered_at = event.timestamp
    view.touch(question)


HANDLERS: Handlers = {
    t.TaskEnqueued: enqueued,
    t.TaskStarted: started,
    t.TaskCompleted: completed,
    v.GatePassed: judged,
    v.GateFailed: judged,
    t.TaskFailed: failed,
    t.TaskTimedOut: timed_out,
    t.TaskParked: parked,
    t.MergeConflicted: conflicted,
    t.TaskRetryScheduled: retry_scheduled,
    t.TaskCancelled: ended,
    t.TaskSkipped: ended,
    t.TaskDeadLettered: dead_lettered,
    t.TaskRequeued: letter_decided,
    t.TaskDiscarded: letter_decided,
    a.AgentBlocked: blocked,
    a.AgentEscalated: escalated,
    a.AgentAnswered: answered,
}
