"""The life of a task: `evt.<goal>.<task>.task.>` and what its attempts leave behind."""

from __future__ import annotations

from datetime import datetime

from agenthub_events.base import Event
from agenthub_events.catalogue.values import (
    CallBudget,
    Complexity,
    FailureClass,
    Lane,
    ParkReason,
    PlanTask,
    Priority,
    TaskEdits,
    TaskResult,
    TestEvidence,
    Usage,
)


class TaskEnqueued(Event, frozen=True, kw_only=True, tag="task.enqueued"):
    """The full work order of one attempt; a worker needs nothing else but the objects it names.

    `context_ref` is the digest of the context object, `workspace_commit` the head to start from, `resumes` the
    attempt whose recorded run goes on (0: a fresh one), `changed` what differs since that attempt. `instead_of` is
    the sequence of an order of the same attempt that had got lost from its queue.
    """

    task_id: str
    agent: str
    agent_type: str
    attempt: int
    lane: Lane
    title: str
    timeout_s: int
    parent_task_id: str = ""
    agent_hash: str = ""
    priority: Priority = "normal"
    retry_count: int = 0
    max_retries: int = 3
    details: str = ""
    depends_on: tuple[str, ...] = ()
    complexity: Complexity = "medium"
    context_ref: str = ""
    workspace_commit: str = ""
    budget: CallBudget | None = None
    model: str = ""
    resumes: int = 0
    changed: tuple[str, ...] = ()
    instead_of: int = 0


class TaskStarted(Event, frozen=True, kw_only=True, tag="task.started"):
    """A worker has claimed the attempt; a higher `delivery` fences every earlier holder."""

    task_id: str
    attempt: int
    worker: str
    agent: str
    instance: str
    delivery: int
    ack_subject: str


class TaskCompleted(Event, frozen=True, kw_only=True, tag="task.completed"):
    """The task is done; its commit is on the goal's branch, or it changed nothing.

    `inherited_from` is the goal in which it was done, when this one was forked from that: nobody tried it here.
    """

    task_id: str
    agent: str
    attempt: int
    result: TaskResult
    worker: str = ""
    usage: Usage = Usage()
    merged_by: str = ""
    inherited_from: str = ""


class TaskFailed(Event, frozen=True, kw_only=True, tag="task.failed"):
    """An attempt ended without a result. `checkpoint` is the commit of its last saved workspace."""

    task_id: str
    attempt: int
    failure_class: FailureClass
    reason: str
    worker: str = ""
    checkpoint: str = ""
    bundle_ref: str = ""
    usage: Usage = Usage()


class TaskTimedOut(Event, frozen=True, kw_only=True, tag="task.timed_out"):
    """An attempt used up its time."""

    task_id: str
    attempt: int
    limit_s: int
    worker: str = ""
    checkpoint: str = ""
    bundle_ref: str = ""
    usage: Usage = Usage()


class TaskParked(Event, frozen=True, kw_only=True, tag="task.parked"):
    """An attempt was put aside and costs no retry. `until` None: a person or an event must move it.

    The reason `moved` is that of a delivery: what its target has become is in the branch now, and is judged first.
    """

    task_id: str
    attempt: int
    reason: ParkReason
    detail: str = ""
    until: datetime | None = None
    worker: str = ""
    checkpoint: str = ""
    bundle_ref: str = ""
    usage: Usage = Usage()


class TaskRetryScheduled(Event, frozen=True, kw_only=True, tag="task.retry_scheduled"):
    """The next attempt starts at `due`."""

    task_id: str
    attempt: int
    due: datetime
    reason: str = ""


class TaskCancelled(Event, frozen=True, kw_only=True, tag="task.cancelled"):
    """The task will not be done."""

    task_id: str
    reason: str
    causes: tuple[str, ...] = ()


class TaskSkipped(Event, frozen=True, kw_only=True, tag="task.skipped"):
    """A person said that the goal does without this task."""

    task_id: str
    by: str
    reason: str = ""


class TaskDeadLettered(Event, frozen=True, kw_only=True, tag="task.dead_lettered"):
    """Everything was tried, or the order cannot be read; a person decides."""

    task_id: str
    attempt: int
    reason: str
    causes: tuple[str, ...] = ()


class TaskRequeued(Event, frozen=True, kw_only=True, tag="task.requeued"):
    """A person sent a dead letter back to work."""

    task_id: str
    by: str
    edits: TaskEdits = TaskEdits()


class TaskDiscarded(Event, frozen=True, kw_only=True, tag="task.discarded"):
    """A person gave a dead letter up."""

    task_id: str
    by: str
    reason: str = ""


class TaskProposed(Event, frozen=True, kw_only=True, tag="task.proposed"):
    """An agent asks for more tasks; the orchestrator decides."""

    task_id: str
    attempt: int
    tasks: tuple[PlanTask, ...]
    reason: str = ""


class TaskNoted(Event, frozen=True, kw_only=True, tag="task.noted"):
    """A person's word to the running agent, read at its next step."""

    task_id: str
    by: str
    text: str


class KnowledgeRecorded(Event, frozen=True, kw_only=True, tag="knowledge.recorded"):
    """An agent leaves something for the others: a decision, an interface, a fact, an insight."""

    task_id: str
    kind: str
    text: str


class MergeDone(Event, frozen=True, kw_only=True, tag="merge.done"):
    """The branch `goal/<id>` moved from `base` to `head`; `bundle_ref` holds the commits between.

    `origin` says what came in: `task` the work of a task, `prepare` the repository that the goal begins with,
    `base` what that repository has become meanwhile: then `commit` is its newest, against which the goal's changes
    are measured from here on, and `tests` is what its own tests show.
    """

    task_id: str
    attempt: int
    base: str
    head: str
    commit: str
    tree: str
    bundle_ref: str
    origin: str = "task"
    tests: TestEvidence | None = None


class MergeConflicted(Event, frozen=True, kw_only=True, tag="merge.conflicted"):
    """The attempt's work does not fit what others merged meanwhile; nothing is lost.

    With a `target` it is the result that does not fit: `commit` is what that branch of the goal's repository has
    become, and `base` what it was.
    """

    task_id: str
    attempt: int
    files: tuple[str, ...]
    base: str
    head: str
    commit: str
    bundle_ref: str
    worker: str = ""
    summary: str = ""
    usage: Usage = Usage()
    target: str = ""


EVENTS: tuple[type[Event], ...] = (
    TaskEnqueued,
    TaskStarted,
    TaskCompleted,
    TaskFailed,
    TaskTimedOut,
    TaskParked,
    TaskRetryScheduled,
    TaskCancelled,
    TaskSkipped,
    TaskDeadLettered,
    TaskRequeued,
    TaskDiscarded,
    TaskProposed,
    TaskNoted,
    KnowledgeRecorded,
    MergeDone,
    MergeConflicted,
)
CLOSES_ATTEMPT: tuple[type[Event], ...] = (
    *(TaskCompleted, TaskFailed, TaskTimedOut, TaskParked, TaskCancelled, TaskSkipped, TaskDeadLettered),
    MergeConflicted,
)
